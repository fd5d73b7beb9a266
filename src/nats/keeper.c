#define _GNU_SOURCE
#include "nats/bus.h"
#include "nats/fork.h"
#include "nats/library.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    REPLY = NATS_INBOX + 24,
    LONGEST_WAIT_MS = 60000
};

void mp_nats_link_destroy(const mp_nats_link *link) {
    /* Else libnats would first try to send what it still holds. */
    if (link->nc)
        mp_nats_socket_cut(&link->socket);
    natsSubscription_Destroy(link->answers);
    natsSubscription_Destroy(link->deliveries);
    natsConnection_Destroy(link->nc);
    free(link->loss);
}

/* The bus has no connection then; the caller destroys the one it had. */
static mp_nats_link let_go(mp_bus *bus) {
    mp_nats_link link = bus->link;
    bus->link = (mp_nats_link){.number = 0};
    mp_nats_socket_none(&bus->link.socket);
    return link;
}

/* They were meant for the connection. */
static void drop_posts(mp_bus *bus) {
    mp_nats_letter *next = NULL;
    for (mp_nats_letter *l = bus->letters; l; l = next) {
        next = l->next;
        if (l->kind >= MP_NATS_PULLED && l->stage != MP_NATS_ENDED) {
            mp_nats_remove(bus, l);
            mp_nats_letter_free(l);
        }
    }
}

static void drop_link(mp_bus *bus) {
    mp_nats_link link = let_go(bus);
    drop_posts(bus);
    mp_nats_end_all(bus, MP_NATS_SENT, 0, true,
                    "nats: the connection was lost before the answer came");
    if (link.loss)
        mp_nats_arrive(bus, link.loss);
    link.loss = NULL;
    mp_nats_connect_later(bus);
    mp_nats_unlock();
    uint64_t ticket = mp_nats_enter();
    mp_nats_link_destroy(&link);
    mp_nats_leave(ticket);
    mp_nats_lock();
}

/* The next deadline; those that passed have an outcome then. JetStream's own
 * publishing without waiting has no time limit unless it is given one, and a
 * message that a dying leader took is never answered: so the limit is here. */
static int64_t expire(mp_bus *bus, int64_t now_ms) {
    int64_t next_ms = now_ms + LONGEST_WAIT_MS;
    char text[MP_BUS_TEXT];
    for (mp_nats_letter *l = bus->letters; l; l = l->next) {
        if (l->stage == MP_NATS_ENDED)
            continue;
        if (l->deadline_ms > now_ms) {
            if (l->deadline_ms < next_ms)
                next_ms = l->deadline_ms;
        } else if (l->stage == MP_NATS_SENT) {
            mp_nats_end(bus, l, 0, true, "nats: no answer came in time");
        } else {
            snprintf(text, sizeof text, "%s",
                     bus->why[0] ? bus->why : "nats: not connected in time");
            mp_nats_end(bus, l, 503, false, text);
        }
    }
    return next_ms;
}

/* ---- publishing ---- */

/* A stream that takes the subject, and is none of this name, stores nothing
 * and says so. No stream can be called this. */
static const char NO_STREAM[] = "no.stream";

static natsStatus add_headers(natsMsg *msg, const mp_bus_message *of,
                              const char *stream) {
    natsStatus s = NATS_OK;
    for (size_t i = 0; i < of->headers_count && s == NATS_OK; i++)
        s = natsMsgHeader_Set(msg, of->headers[i].name, of->headers[i].value);
    if (s == NATS_OK && stream)
        s = natsMsgHeader_Set(msg, "Nats-Expected-Stream", stream);
    return s;
}

/* A copy: the letter's own bytes may be given back while it is published. */
static natsStatus copy_of(natsMsg **out, const mp_bus *bus,
                          const mp_nats_letter *l) {
    char reply[REPLY] = "";
    natsMsg *msg = NULL;
    if (l->of->len > INT32_MAX)
        return NATS_MAX_PAYLOAD;
    if (l->kind != MP_NATS_POSTED)
        snprintf(reply, sizeof reply, "%s.%" PRIu64,
                 l->kind == MP_NATS_PULLED ? bus->link.deliveries_inbox
                                           : bus->link.inbox,
                 l->number);
    natsStatus s = natsMsg_Create(&msg, l->of->subject, reply[0] ? reply : NULL,
                                  l->of->body, (int)l->of->len);
    if (s == NATS_OK)
        s = add_headers(msg, l->of,
                        l->of->probe ? NO_STREAM : bus->options->stream);
    if (s == NATS_OK)
        *out = msg;
    else
        natsMsg_Destroy(msg);
    return s;
}

static void fail(mp_bus *bus, mp_nats_letter *l, natsStatus s) {
    char text[MP_BUS_TEXT];
    snprintf(text, sizeof text, "nats: %s", natsStatus_GetText(s));
    if (s == NATS_MAX_PAYLOAD)
        mp_nats_end(bus, l, 413, false,
                    "nats: larger than max_payload of the server");
    else
        mp_nats_end(bus, l, 503, false, text);
}

/* It may have been answered, or broken off, meanwhile. */
static void settle(mp_bus *bus, uint64_t number, natsStatus s) {
    mp_nats_letter *l = mp_nats_sent(bus, number);
    if (s == NATS_OK) {
        if (l && l->kind >= MP_NATS_PULLED) { /* that is all of it */
            mp_nats_remove(bus, l);
            mp_nats_letter_free(l);
        }
    } else if (s == NATS_CONNECTION_CLOSED) { /* before anything was written */
        mp_nats_lose(bus, mp_nats_lost);
        if (l)
            l->stage = MP_NATS_WAITS;
    } else if (s == NATS_MAX_PAYLOAD || s == NATS_NO_SERVER_SUPPORT) {
        if (l)
            fail(bus, l, s);
    } else { /* a part of it may be written, so nothing can follow there */
        mp_nats_lose(bus, mp_nats_lost);
    }
}

/* Publishes what waits, in its order. Only this thread does: a write to a
 * server that reads nothing takes until the write deadline. */
static void publish(mp_bus *bus) {
    for (mp_nats_letter *l = bus->letters; l && !bus->link.lost;) {
        natsMsg *msg = NULL;
        uint64_t number = l->number;
        if (l->stage != MP_NATS_WAITS) {
            l = l->next;
            continue;
        }
        natsStatus s = copy_of(&msg, bus, l);
        if (s != NATS_OK) {
            fail(bus, l, s);
            continue;
        }
        natsConnection *nc = bus->link.nc;
        l->stage = MP_NATS_SENT;
        bus->away++;
        mp_nats_unlock();
        s = natsConnection_PublishMsg(nc, msg);
        natsMsg_Destroy(msg);
        mp_nats_lock();
        bus->away--;
        settle(bus, number, s);
        l = bus->letters; /* the list may be another now */
    }
}

/* ---- its thread ---- */

static void turn(mp_bus *bus) {
    int64_t now_ms = mp_nats_now_ms();
    int64_t again_ms = expire(bus, now_ms);
    if (bus->link.number != 0) {
        publish(bus);
        if (bus->link.lost)
            return;
    } else {
        mp_nats_connect(bus, now_ms);
        int64_t connect_ms = mp_nats_connect_again_ms(bus);
        if (connect_ms < again_ms)
            again_ms = connect_ms;
    }
    if (!bus->closing)
        mp_nats_wait(bus, again_ms);
}

void *mp_nats_keeper(void *arg) {
    mp_bus *bus = arg;
    mp_nats_lock();
    while (!bus->closing) {
        if (bus->link.lost)
            drop_link(bus);
        else
            turn(bus);
    }
    drop_link(bus);
    mp_nats_unlock();
    uint64_t ticket = mp_nats_enter();
    mp_nats_library_leave_thread();
    mp_nats_leave(ticket);
    mp_nats_lock();
    mp_nats_thread_ends(bus);
    mp_nats_unlock();
    return NULL;
}
