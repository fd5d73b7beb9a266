#define _GNU_SOURCE
#include "nats/bus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LETTERS_MAX = 4096 /* a client has far fewer under way */
};

/* ---- one letter ---- */

/* Copies to *at, which moves behind it. */
static const void *keep(char **at, const void *bytes, size_t len) {
    const void *kept = *at;
    if (len > 0)
        memcpy(*at, bytes, len);
    *at += len;
    return kept;
}

static const char *keep_text(char **at, const char *text) {
    return keep(at, text, strlen(text) + 1);
}

static size_t size_of(const mp_bus_message *m) {
    size_t size =
        m->headers_count * sizeof *m->headers + strlen(m->subject) + 1 + m->len;
    for (size_t i = 0; i < m->headers_count; i++)
        size += strlen(m->headers[i].name) + strlen(m->headers[i].value) + 2;
    return size;
}

mp_nats_letter *mp_nats_letter_copy(mp_nats_kind kind,
                                    const mp_bus_message *message) {
    struct whole {
        mp_nats_letter letter;
        mp_bus_message message;
        mp_bus_header headers[];
    } *whole = malloc(sizeof *whole + size_of(message));
    if (!whole)
        return NULL;
    char *at = (char *)(whole->headers + message->headers_count);
    whole->letter = (mp_nats_letter){.kind = kind, .of = &whole->message};
    whole->message = *message;
    whole->message.headers = whole->headers;
    whole->message.subject = keep_text(&at, message->subject);
    for (size_t i = 0; i < message->headers_count; i++) {
        whole->headers[i].name = keep_text(&at, message->headers[i].name);
        whole->headers[i].value = keep_text(&at, message->headers[i].value);
    }
    whole->message.body = keep(&at, message->body, message->len);
    return &whole->letter;
}

void mp_nats_letter_free(mp_nats_letter *letter) {
    if (letter)
        mp_nats_content_free(&letter->content);
    free(letter);
}

/* ---- those of a bus ---- */

static bool needs_connection(mp_nats_kind kind) {
    return kind == MP_NATS_PULLED || kind == MP_NATS_POSTED;
}

/* NULL: it can be put. */
static const char *fault_of(const mp_bus *bus, const mp_nats_letter *l) {
    if (bus->letters_count >= LETTERS_MAX)
        return "nats: too many messages are under way";
    if (needs_connection(l->kind) && (bus->link.number == 0 || bus->link.lost))
        return bus->why[0] ? bus->why : "nats: not connected yet";
    /* Who is told of the loss later would take this for lost, too. */
    if (l->kind == MP_NATS_PULLED && bus->losses > 0)
        return "nats: the connection was lost, which is not taken note of yet";
    return NULL;
}

uint64_t mp_nats_put(mp_bus *bus, mp_nats_letter *l, char text[MP_BUS_TEXT]) {
    int64_t now_ms = mp_nats_now_ms();
    mp_nats_lock();
    const char *fault = fault_of(bus, l);
    uint64_t number = 0;
    if (fault) {
        snprintf(text, MP_BUS_TEXT, "%s", fault);
    } else {
        l->deadline_ms =
            needs_connection(l->kind) ? INT64_MAX : now_ms + l->of->timeout_ms;
        number = l->number = ++bus->numbered;
        l->put = true;
        *bus->letters_end = l;
        bus->letters_end = &l->next;
        bus->letters_count++;
    }
    mp_nats_unlock();
    if (number != 0) /* woken sooner, the keeper would wait for the lock */
        pthread_cond_broadcast(&bus->changed);
    return number;
}

static void remove_put(mp_bus *bus, mp_nats_letter *l) {
    mp_nats_letter **at = &bus->letters;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    if (!l->next)
        bus->letters_end = at;
    bus->letters_count--;
}

static void remove_ended(mp_bus *bus, mp_nats_letter *l) {
    mp_nats_letter **at = &bus->came;
    while (*at != l)
        at = &(*at)->later;
    *at = l->later;
    if (!l->later)
        bus->came_end = at;
    bus->losses -= l->kind == MP_NATS_LOSS;
}

void mp_nats_remove(mp_bus *bus, mp_nats_letter *l) {
    if (l->put)
        remove_put(bus, l);
    if (l->stage == MP_NATS_ENDED)
        remove_ended(bus, l);
}

mp_nats_letter *mp_nats_take(mp_bus *bus) {
    mp_nats_letter *l = bus->came;
    if (l)
        mp_nats_remove(bus, l);
    return l;
}

mp_nats_letter *mp_nats_sent(const mp_bus *bus, uint64_t number) {
    mp_nats_letter *l = bus->letters;
    while (l && (l->number != number || l->stage != MP_NATS_SENT))
        l = l->next;
    return l;
}

void mp_nats_arrive(mp_bus *bus, mp_nats_letter *l) {
    l->stage = MP_NATS_ENDED;
    l->later = NULL;
    *bus->came_end = l;
    bus->came_end = &l->later;
    bus->losses += l->kind == MP_NATS_LOSS;
    mp_nats_wake(bus);
}

void mp_nats_end(mp_bus *bus, mp_nats_letter *l, int status, bool sent,
                 const char *text) {
    l->reply.status = status;
    l->reply.sent = sent;
    snprintf(l->reply.text, MP_BUS_TEXT, "%s", text);
    mp_nats_arrive(bus, l);
}

void mp_nats_end_all(mp_bus *bus, mp_nats_stage stage, int status, bool sent,
                     const char *text) {
    for (mp_nats_letter *l = bus->letters; l; l = l->next)
        if (l->stage == stage)
            mp_nats_end(bus, l, status, sent, text);
}
