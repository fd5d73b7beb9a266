#define _GNU_SOURCE
#include "nats/bus.h"

#include <stdio.h>
#include <stdlib.h>

static mp_bus *open_bus(const mp_bus_options *options, void (*wake)(void *user),
                        void *user, char text[MP_BUS_TEXT]) {
    return mp_nats_open(options, false, wake, user, text);
}

static bool put(mp_bus *bus, const mp_bus_message *message, void *tag) {
    char text[MP_BUS_TEXT];
    mp_nats_letter *fresh = calloc(1, sizeof *fresh);
    if (!fresh)
        return false;
    fresh->kind = MP_NATS_JUDGED;
    fresh->of = message;
    fresh->tag = tag;
    bool fits = mp_nats_put(bus, fresh, text) != 0;
    if (!fits)
        mp_nats_letter_free(fresh);
    return fits;
}

static void *give_back(mp_nats_letter *l, mp_bus_reply *reply) {
    void *tag = l->tag;
    *reply = l->reply;
    mp_nats_letter_free(l);
    return tag;
}

static void *take(mp_bus *bus, mp_bus_reply *reply) {
    mp_nats_lock();
    mp_nats_letter *l = mp_nats_take(bus);
    mp_nats_unlock();
    return l ? give_back(l, reply) : NULL;
}

static void *break_off(mp_bus *bus, mp_bus_reply *reply) {
    mp_nats_lock();
    mp_nats_letter *l = bus->letters;
    if (l && l->stage != MP_NATS_ENDED) {
        l->reply.sent = l->stage == MP_NATS_SENT;
        snprintf(l->reply.text, MP_BUS_TEXT,
                 "nats: broken off, since the process ends");
    }
    if (l)
        mp_nats_remove(bus, l);
    mp_nats_unlock();
    return l ? give_back(l, reply) : NULL;
}

extern const mp_bus_driver mp_bus_driver_nats;
__attribute__((visibility("default")))
const mp_bus_driver mp_bus_driver_nats = {
    .abi = MP_BUS_ABI,
    .open = open_bus,
    .put = put,
    .take = take,
    .abort = break_off,
    .close = mp_nats_close,
    .forget = mp_nats_forget,
};
