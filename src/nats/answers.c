#define _GNU_SOURCE
#include "nats/bus.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ANSWER = 1024, /* bytes that are looked at; JetStream's have about 150 */
    SHOWN = 120    /* of a server's words */
};

/* What JetStream says in numbers of its own. */
enum {
    TOO_LARGE = 10054,     /* for the stream's limit, or */
    STORE_FAILED = 10077,  /* it is full: with discard new, or the disk is */
    ANOTHER_STREAM = 10060 /* than the one expected has the subject */
};

/* ---- what an answer means ---- */

/* The number behind a name of its JSON, "name": 12; -1: it is not there. */
static long number_of(const char *json, const char *name) {
    const char *at = strstr(json, name);
    if (!at)
        return -1;
    at += strlen(name);
    at += strspn(at, "\": ");
    return isdigit((unsigned char)*at) ? strtol(at, NULL, 10) : -1;
}

/* The words behind "description", as far as they are fit to be shown. */
static void words_of(char out[SHOWN], const char *json) {
    const char *at = strstr(json, "\"description\"");
    size_t len = 0;
    at = at ? at + sizeof "\"description\"" - 1 : "";
    at += strspn(at, "\": ");
    for (; *at && *at != '"' && len + 1 < SHOWN; at++)
        out[len++] = (char)(isprint((unsigned char)*at) ? *at : '?');
    out[len] = '\0';
}

/* The stream that answers is called so. NULL: any is right. */
static bool is_from(const char *json, const char *stream) {
    static const char name[] = "\"stream\"";
    const char *at = strstr(json, name);
    size_t len = stream ? strlen(stream) : 0;
    at = at ? at + sizeof name - 1 : "";
    at += strspn(at, "\": ");
    return !stream || (strncmp(at, stream, len) == 0 && at[len] == '"');
}

/* `stream`: what option bus.stream says, or NULL. */
static void judge_error(mp_bus_reply *reply, const char *json, bool probe,
                        const char *stream) {
    long code = number_of(json, "\"code\"");
    long which = number_of(json, "\"err_code\"");
    char words[SHOWN];
    words_of(words, json);
    if (probe && which == ANOTHER_STREAM && is_from(json, stream)) {
        reply->status = 200; /* which a probe expects: see keeper.c */
        return;
    }
    if (which == ANOTHER_STREAM)
        snprintf(reply->text, MP_BUS_TEXT,
                 "nats: another stream than option 'bus.stream' names has the "
                 "subject");
    else if (which == STORE_FAILED)
        snprintf(reply->text, MP_BUS_TEXT,
                 "nats: the stream is full, or its disk: %s", words);
    else
        snprintf(reply->text, MP_BUS_TEXT, "nats: JetStream says: %s (%ld)",
                 words, which);
    reply->status = 503;
    if (which == ANOTHER_STREAM || code == 404)
        reply->status = 404;
    else if (which == TOO_LARGE)
        reply->status = 413;
}

static void judge(mp_bus_reply *reply, natsMsg *msg, bool probe,
                  const char *stream) {
    char json[ANSWER];
    size_t len = (size_t)natsMsg_GetDataLength(msg);
    if (natsMsg_IsNoResponders(msg)) {
        /* A publisher cannot tell these two from each other. */
        reply->status = 503;
        snprintf(reply->text, MP_BUS_TEXT,
                 "nats: no stream takes this subject, or its stream has no "
                 "leader now");
        return;
    }
    if (len >= sizeof json)
        len = sizeof json - 1;
    if (len > 0)
        memcpy(json, natsMsg_GetData(msg), len);
    json[len] = '\0';
    if (strstr(json, "\"error\"")) {
        judge_error(reply, json, probe, stream);
    } else if (strstr(json, "\"stream\"") && number_of(json, "\"seq\"") > 0) {
        reply->status = 200; /* also for one that it had, "duplicate" */
    } else {
        reply->status = 503;
        snprintf(reply->text, MP_BUS_TEXT,
                 "nats: somebody else than JetStream answers on the subject");
    }
}

/* ---- callbacks, in threads of libnats ---- */

static void keep(mp_bus *bus, mp_nats_letter *l, natsMsg *msg) {
    if (natsMsg_IsNoResponders(msg)) {
        natsMsg_Destroy(msg);
        mp_nats_end(bus, l, 503, false, "nats: nobody answers on the subject");
    } else if (mp_nats_content_read(&l->content, msg)) {
        mp_nats_end(bus, l, 200, true, "");
    } else {
        mp_nats_end(bus, l, 0, true, "nats: out of memory");
    }
}

/* Nothing is sent again from here. With no leader the answer is there at once,
 * so that would be a loop without a pause; the lane waits first. */
void mp_nats_on_answer(natsConnection *nc, natsSubscription *sub, natsMsg *msg,
                       void *number) {
    (void)nc;
    (void)sub;
    const char *dot = strrchr(natsMsg_GetSubject(msg), '.');
    uint64_t which = dot ? strtoull(dot + 1, NULL, 10) : 0;
    mp_nats_lock();
    mp_bus *bus = mp_nats_bus_of(mp_nats_number(number));
    mp_nats_letter *l = bus ? mp_nats_sent(bus, which) : NULL;
    if (l && l->kind == MP_NATS_ASKED) {
        keep(bus, l, msg);
        msg = NULL;
    } else if (l && l->kind == MP_NATS_JUDGED) {
        mp_bus_reply reply = {.status = 0};
        judge(&reply, msg, l->of->probe, bus->options->stream);
        mp_nats_end(bus, l, reply.status, false, reply.text);
    }
    mp_nats_unlock();
    natsMsg_Destroy(msg);
}

/* One that cannot be kept was pulled for nothing, as with a lost connection. */
void mp_nats_on_delivery(natsConnection *nc, natsSubscription *sub,
                         natsMsg *msg, void *number) {
    (void)nc;
    (void)sub;
    mp_nats_letter *fresh = calloc(1, sizeof *fresh);
    if (fresh) {
        fresh->kind = MP_NATS_DELIVERY;
        if (!mp_nats_content_read(&fresh->content, msg)) {
            mp_nats_letter_free(fresh);
            fresh = NULL;
        }
    } else {
        natsMsg_Destroy(msg);
    }
    mp_nats_lock();
    mp_bus *bus = mp_nats_bus_of(mp_nats_number(number));
    if (bus && !bus->closing && fresh) {
        mp_nats_arrive(bus, fresh);
        fresh = NULL;
    } else if (bus && !fresh) {
        mp_nats_lose(bus, "nats: out of memory");
    }
    mp_nats_unlock();
    mp_nats_letter_free(fresh);
}

/* ---- what is not permitted ---- */

/* True: the words name this subject. */
static bool is_about(const char *words, const char *subject) {
    size_t len = strlen(subject);
    for (const char *at = words; (at = strstr(at, subject)); at++)
        if (at > words && at[-1] == '"' && at[len] == '"')
            return true;
    return false;
}

static void refuse_letter(mp_bus *bus, mp_nats_letter *l) {
    char text[MP_BUS_TEXT] =
        "nats: the credentials do not permit to publish on the project's "
        "subject";
    if (l->kind != MP_NATS_JUDGED)
        snprintf(text, sizeof text,
                 "nats: the credentials do not permit to publish on %.150s",
                 l->of->subject);
    mp_nats_end(bus, l, 401, false, text);
}

/* One that was posted, or pulled with, and is no letter any more: who did it
 * would wait for deliveries. */
static void refuse_post(mp_bus *bus, const char *words) {
    char subject[MP_NATS_SUBJECT + 1] = "";
    const mp_bus_message message = {.subject = subject};
    const char *at = strchr(words, '"');
    size_t len = at ? strcspn(at + 1, "\"") : 0;
    if (len == 0 || len > MP_NATS_SUBJECT)
        return;
    memcpy(subject, at + 1, len);
    mp_nats_letter *l = mp_nats_letter_copy(MP_NATS_POSTED, &message);
    if (l)
        refuse_letter(bus, l);
    else
        mp_nats_lose(bus, "nats: out of memory");
}

static bool is_of_subscribing(const char *words) {
    return !strstr(words, " Publish to ");
}

/* A server says what is not permitted on the connection, and names a subject,
 * but no message; so each that is under way there gets it. Without answers none
 * will ever be, and the connection is of no use. */
static void refuse(mp_bus *bus, const char *words) {
    bool publishing = !is_of_subscribing(words), told = false;
    for (mp_nats_letter *l = bus->letters; publishing && l; l = l->next) {
        if (l->stage == MP_NATS_SENT && is_about(words, l->of->subject)) {
            refuse_letter(bus, l);
            told = true;
        }
    }
    if (publishing && !told && bus->delivers)
        refuse_post(bus, words);
    if (!publishing) {
        mp_nats_end_all(bus, MP_NATS_WAITS, 401, false, mp_nats_mute);
        mp_nats_end_all(bus, MP_NATS_SENT, 401, false, mp_nats_mute);
        mp_nats_lose(bus, mp_nats_mute);
    }
}

void mp_nats_on_error(natsConnection *nc, natsSubscription *sub, natsStatus err,
                      void *number) {
    (void)nc;
    (void)sub;
    natsStatus last = NATS_OK;
    const char *words = nats_GetLastError(&last);
    words = words ? words : "";
    if (err != NATS_NOT_PERMITTED)
        return;
    mp_nats_lock();
    mp_bus *bus = mp_nats_bus_of(mp_nats_number(number));
    mp_nats_attempt *a =
        bus ? NULL : mp_nats_attempt_of(mp_nats_number(number));
    if (bus)
        refuse(bus, words);
    else if (a && is_of_subscribing(words))
        a->mute = true;
    mp_nats_unlock();
}

/* One that an attempt is just handing over is asked there whether it closed. */
void mp_nats_on_closed(natsConnection *nc, void *number) {
    (void)nc;
    mp_nats_lock();
    mp_bus *bus = mp_nats_bus_of(mp_nats_number(number));
    if (bus)
        mp_nats_lose(bus, mp_nats_lost);
    mp_nats_unlock();
}
