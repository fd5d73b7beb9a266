#define _GNU_SOURCE
#include "nats/bus.h"
#include "nats/library.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    LETTERS_MAX = 4096 /* the client has far fewer under way */
};

static mp_bus *open_bus(const mp_bus_options *options, void (*wake)(void *user),
                        void *user, char text[MP_BUS_TEXT]) {
    /* In a forked child the lock may be taken for ever: this comes first. */
    if (!mp_nats_library_open(text))
        return NULL;
    mp_nats_lock();
    mp_bus *bus = mp_nats_bus_new(options, text);
    if (bus) {
        bus->wake = wake;
        bus->user = user;
        if (!mp_nats_thread_start(bus, mp_nats_keeper, bus)) {
            snprintf(text, MP_BUS_TEXT, "nats: no thread can be started");
            mp_nats_bus_free(bus);
            bus = NULL;
        }
    }
    mp_nats_unlock();
    return bus;
}

static bool put(mp_bus *bus, const mp_bus_message *message, void *tag) {
    mp_nats_letter *fresh = calloc(1, sizeof *fresh);
    if (!fresh)
        return false;
    fresh->of = message;
    fresh->tag = tag;
    fresh->deadline_ms = mp_nats_now_ms() + message->timeout_ms;
    mp_nats_lock();
    bool fits = bus->letters_count < LETTERS_MAX;
    if (fits) {
        mp_nats_letter **at = &bus->letters;
        while (*at)
            at = &(*at)->next;
        *at = fresh;
        bus->letters_count++;
        fresh->number = ++bus->numbered;
        pthread_cond_broadcast(&bus->changed);
    }
    mp_nats_unlock();
    if (!fits)
        free(fresh);
    return fits;
}

/* The caller holds the lock. */
static void *give_back(mp_bus *bus, mp_nats_letter **at, mp_bus_reply *reply) {
    mp_nats_letter *l = *at;
    void *tag = l->tag;
    *reply = l->reply;
    *at = l->next;
    bus->letters_count--;
    free(l);
    return tag;
}

static void *take(mp_bus *bus, mp_bus_reply *reply) {
    mp_nats_lock();
    mp_nats_letter **at = &bus->letters;
    while (*at && (*at)->stage != MP_NATS_ENDED)
        at = &(*at)->next;
    void *tag = *at ? give_back(bus, at, reply) : NULL;
    mp_nats_unlock();
    return tag;
}

static void *break_off(mp_bus *bus, mp_bus_reply *reply) {
    mp_nats_lock();
    mp_nats_letter *l = bus->letters;
    if (l && l->stage != MP_NATS_ENDED) {
        l->reply.sent = l->stage == MP_NATS_SENT;
        snprintf(l->reply.text, MP_BUS_TEXT,
                 "nats: broken off, since the process ends");
    }
    void *tag = l ? give_back(bus, &bus->letters, reply) : NULL;
    mp_nats_unlock();
    return tag;
}

/* An attempt to connect may never end: the process ends without it. */
static bool close_bus(mp_bus *bus, int64_t timeout_ms) {
    int64_t until_ms = mp_nats_now_ms() + timeout_ms;
    mp_nats_lock();
    bus->closing = true;
    pthread_cond_broadcast(&bus->changed);
    while (bus->threads > 0 && mp_nats_now_ms() < until_ms)
        mp_nats_wait(bus, until_ms);
    bool ended = bus->threads == 0;
    if (ended)
        mp_nats_bus_free(bus);
    mp_nats_unlock();
    return ended;
}

/* The server would take the copy for the connection, after the parent died. */
static void forget(mp_bus *bus) {
    mp_nats_socket_close_copy(&bus->link.socket);
}

extern const mp_bus_driver mp_bus_driver_nats;
__attribute__((visibility("default")))
const mp_bus_driver mp_bus_driver_nats = {
    .abi = MP_BUS_ABI,
    .open = open_bus,
    .put = put,
    .take = take,
    .abort = break_off,
    .close = close_bus,
    .forget = forget,
};
