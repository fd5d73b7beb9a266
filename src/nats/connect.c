#define _GNU_SOURCE
#include "nats/bus.h"
#include "nats/credentials.h"
#include "nats/fork.h"
#include "nats/library.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* DESIGN
 *
 * libnats could connect again by itself, and is told not to. What it does then
 * keeps messages in a buffer of its own, beside the lane's; blocks whoever
 * connects as long as it tries; and can hang in the handshake with one mute
 * server while the others wait. Here each attempt is one server, begun only
 * while a message waits. */

enum {
    CONNECT_MS = 5000, /* for TCP, and for the answer to the first PING */
    ATTEMPT_MS = 8000, /* then the next server gets its turn */
    STUCK_MS = 300000, /* then one whose attempt hangs gets another */
    ATTEMPTS_MAX = 8,  /* at a time, hanging ones included */
    WRITE_MS = 2000,   /* a write to a peer that reads nothing */
    PING_MS = 5000,    /* after two without an answer it is another's turn */
    PINGS_OUT = 2,
    IO_BYTES = 64 * 1024, /* what is written, or read, at once */
    BACKOFF_MS = 100,     /* after all servers failed once; doubles, up to */
    BACKOFF_MAX_MS = 2000
};

/* What an attempt came to. */
typedef struct result {
    mp_nats_link link; /* its nc is NULL: it failed */
    int status;        /* of what waits, then */
    char text[MP_BUS_TEXT];
} result;

/* ---- in the attempt's thread, without the lock ---- */

static natsStatus set_tls(natsOptions *o, const mp_nats_server *server,
                          const char *ca_file) {
    natsStatus s = NATS_OK;
    if (server->secure)
        s = natsOptions_SetSecure(o, true);
    if (s == NATS_OK && ca_file)
        s = natsOptions_LoadCATrustedCertificates(o, ca_file);
    /* How libnats was built decides whether it compares names by itself. */
    if (s == NATS_OK && (server->secure || ca_file))
        s = natsOptions_SetExpectedHostname(o, server->host);
    return s;
}

static natsStatus set_times(natsOptions *o) {
    natsStatus s = natsOptions_SetTimeout(o, CONNECT_MS);
    if (s == NATS_OK)
        s = natsOptions_SetAllowReconnect(o, false);
    /* Without these a write to a server that is stopped waits for it, and its
     * silence is noticed after minutes. */
    if (s == NATS_OK)
        s = natsOptions_SetWriteDeadline(o, WRITE_MS);
    if (s == NATS_OK)
        s = natsOptions_SetPingInterval(o, PING_MS);
    if (s == NATS_OK)
        s = natsOptions_SetMaxPingsOut(o, PINGS_OUT);
    return s;
}

/* Else a typical message is two pieces, of which a thread of libnats sends the
 * second a millisecond later. */
static natsStatus set_writing(natsOptions *o) {
    natsStatus s = natsOptions_SetIOBufSize(o, IO_BYTES);
    if (s == NATS_OK)
        s = natsOptions_SetSendAsap(o, true);
    return s;
}

static natsStatus set_all(natsOptions *o, const mp_nats_attempt *a) {
    const mp_nats_server *server = &a->bus->servers[a->server];
    void *number = mp_nats_closure(a->number);
    natsStatus s = natsOptions_SetURL(o, server->url);
    if (s == NATS_OK)
        s = natsOptions_SetName(o, "mixpanel-lua");
    if (s == NATS_OK)
        s = natsOptions_SetIgnoreDiscoveredServers(o, true);
    if (s == NATS_OK)
        s = set_times(o);
    if (s == NATS_OK)
        s = set_writing(o);
    if (s == NATS_OK)
        s = natsOptions_SetErrorHandler(o, mp_nats_on_error, number);
    if (s == NATS_OK)
        s = natsOptions_SetClosedCB(o, mp_nats_on_closed, number);
    if (s == NATS_OK)
        s = set_tls(o, server, a->bus->options->ca_file);
    return s;
}

/* The file of authorities is for people to mend, as that of credentials is; it
 * is the one thing that "Error loading" can be about here. */
static const char *explain_tls(result *r, const char *unknown) {
    natsStatus last = NATS_OK;
    const char *more = nats_GetLastError(&last);
    if (!more)
        return unknown;
    if (strstr(more, "Error loading")) {
        r->status = 401;
        return "the certificates of option 'bus.ca_file' cannot be read: "
               "expected a PEM file of certificates that this process may read";
    }
    const char *place = strstr(more, "): "); /* in the code of libnats */
    return place ? place + 3 : more;
}

/* Words of libnats only where they hold no path and nothing of ours: what
 * OpenSSL says of a certificate. */
static void explain(result *r, natsStatus s, const mp_nats_server *server) {
    const char *more = natsStatus_GetText(s);
    r->status = 503;
    if (s == NATS_CONNECTION_AUTH_FAILED) {
        r->status = 401;
        more = "the credentials are wrong, or missing";
    } else if (s == NATS_ERR) {
        more = "it refuses the connection, or the credentials cannot be used";
    } else if (s == NATS_NO_SERVER) {
        /* The one status for both, and what it was is in no other text. */
        more = server->numeric
                   ? "the connection was refused, or nothing is there: check "
                     "address and port"
                   : "its name is not found, the connection was refused, or "
                     "nothing is there: check name and port";
    } else if (s == NATS_SECURE_CONNECTION_WANTED) {
        more = "it offers no TLS, which is a must for tls://, and beyond this "
               "machine for nats://, too";
    } else if (s == NATS_SSL_ERROR) {
        more = explain_tls(r, more);
    }
    snprintf(r->text, MP_BUS_TEXT, "nats: not connected to %.64s: %.150s",
             server->url + sizeof "nats://" - 1, more);
}

static natsStatus make_inbox(char out[NATS_INBOX]) {
    natsInbox *inbox = NULL;
    natsStatus s = natsInbox_Create(&inbox);
    if (s == NATS_OK)
        snprintf(out, NATS_INBOX, "%s", inbox);
    natsInbox_Destroy(inbox);
    return s;
}

static natsStatus subscribe(mp_nats_link *link) {
    char subject[NATS_INBOX + 2];
    natsStatus s = make_inbox(link->inbox);
    snprintf(subject, sizeof subject, "%s.*", link->inbox);
    if (s == NATS_OK)
        s = natsConnection_Subscribe(&link->answers, link->nc, subject,
                                     mp_nats_on_answer,
                                     mp_nats_closure(link->number));
    return s;
}

/* libnats drops what comes while much waits in it, without a word to whoever
 * pulled. No more comes than was pulled, so it need not. */
static natsStatus subscribe_deliveries(mp_nats_link *link) {
    char subject[NATS_INBOX + 2];
    natsStatus s = make_inbox(link->deliveries_inbox);
    snprintf(subject, sizeof subject, "%s.*", link->deliveries_inbox);
    link->loss = calloc(1, sizeof *link->loss);
    if (!link->loss)
        return NATS_NO_MEMORY;
    link->loss->kind = MP_NATS_LOSS;
    if (s == NATS_OK)
        s = natsConnection_Subscribe(&link->deliveries, link->nc, subject,
                                     mp_nats_on_delivery,
                                     mp_nats_closure(link->number));
    if (s == NATS_OK)
        s = natsSubscription_SetPendingLimits(link->deliveries, -1, -1);
    return s;
}

/* What comes before takes time where there are many authorities. */
static natsStatus reach(mp_bus *bus, natsConnection **nc, natsOptions *o) {
    mp_nats_lock();
    bool goes_on = !bus->closing;
    bus->away += goes_on;
    mp_nats_unlock();
    if (!goes_on)
        return NATS_CONNECTION_CLOSED;
    natsStatus s = natsConnection_Connect(nc, o);
    mp_nats_lock();
    bus->away--;
    mp_nats_unlock();
    return s;
}

static void dial(const mp_nats_attempt *a, natsOptions *o, result *r) {
    const mp_nats_server *server = &a->bus->servers[a->server];
    const char *credentials = a->bus->options->credentials;
    natsStatus s = set_all(o, a);
    if (s == NATS_OK && credentials &&
        !mp_nats_credentials(o, credentials, r->text)) {
        r->status = 401;
        return;
    }
    r->link.number = a->number;
    if (s == NATS_OK)
        s = reach(a->bus, &r->link.nc, o);
    if (s == NATS_OK)
        s = subscribe(&r->link);
    if (s == NATS_OK && a->bus->delivers)
        s = subscribe_deliveries(&r->link);
    if (s == NATS_OK) {
        mp_nats_socket_find(&r->link.socket, r->link.nc);
        return;
    }
    explain(r, s, server);
    mp_nats_link_destroy(&r->link);
    r->link.nc = NULL;
}

/* ---- with the lock ---- */

static void note_failure(mp_bus *bus, int status, const char *text) {
    size_t servers = bus->options->servers_count;
    int64_t wait_ms = 0;
    snprintf(bus->why, sizeof bus->why, "%s", text);
    for (mp_nats_letter *l = bus->letters; l; l = l->next)
        if (l->stage == MP_NATS_WAITS &&
            (++l->failures >= servers || status == 401))
            mp_nats_end(bus, l, status, false, text);
    bus->failed++;
    if (bus->failed % servers == 0) {
        size_t rounds = bus->failed / servers;
        wait_ms = BACKOFF_MAX_MS;
        if (rounds < 6 && BACKOFF_MS << (rounds - 1) < BACKOFF_MAX_MS)
            wait_ms = BACKOFF_MS << (rounds - 1);
    }
    bus->next_attempt_ms = mp_nats_now_ms() + wait_ms;
}

static void leave(const mp_nats_attempt *a) {
    mp_nats_attempt **at = &a->bus->attempts;
    while (*at != a)
        at = &(*at)->next;
    *at = a->next;
}

/* True: it is the bus's connection now. One that came late is as good. */
static bool hand_over(mp_bus *bus, const mp_nats_link *link) {
    if (bus->closing || bus->link.number != 0)
        return false;
    bus->link = *link;
    bus->failed = 0;
    bus->why[0] = '\0';
    if (natsConnection_IsClosed(link->nc))
        mp_nats_lose(bus, mp_nats_lost);
    return true;
}

static void *attempt(void *arg) {
    mp_nats_attempt *a = arg;
    mp_bus *bus = a->bus;
    result r = {.status = 503, .text = "nats: out of memory"};
    natsOptions *options = NULL;
    uint64_t ticket = mp_nats_enter();
    if (natsOptions_Create(&options) == NATS_OK)
        dial(a, options, &r);
    natsOptions_Destroy(options);
    mp_nats_leave(ticket);
    mp_nats_lock();
    leave(a);
    if (r.link.nc && a->mute) {
        r.status = 401;
        snprintf(r.text, MP_BUS_TEXT, "%s", mp_nats_mute);
    }
    bool works = r.link.nc && !a->mute;
    bool taken = works && hand_over(bus, &r.link);
    if (!works && !a->given_up)
        note_failure(bus, r.status, r.text);
    free(a);
    pthread_cond_broadcast(&bus->changed);
    mp_nats_unlock();
    ticket = mp_nats_enter();
    if (r.link.nc && !taken)
        mp_nats_link_destroy(&r.link);
    mp_nats_library_leave_thread();
    mp_nats_leave(ticket);
    mp_nats_lock();
    mp_nats_thread_ends(bus);
    mp_nats_unlock();
    return NULL;
}

/* The next without an attempt that hangs there; false: there is none. */
static bool pick_server(mp_bus *bus, int64_t now_ms, size_t *server) {
    size_t servers = bus->options->servers_count, at_once = 0;
    for (const mp_nats_attempt *a = bus->attempts; a; a = a->next)
        at_once++;
    for (size_t i = 0; i < servers && at_once < ATTEMPTS_MAX; i++) {
        bool stuck = false;
        *server = (bus->next_server + i) % servers;
        for (const mp_nats_attempt *a = bus->attempts; a; a = a->next)
            stuck |= a->server == *server && now_ms < a->start_ms + STUCK_MS;
        if (!stuck) {
            bus->next_server = *server + 1;
            return true;
        }
    }
    return false;
}

static void begin(mp_bus *bus, int64_t now_ms) {
    size_t server = 0;
    if (!pick_server(bus, now_ms, &server)) {
        note_failure(bus, 503,
                     "nats: not connected: servers take connections, and say "
                     "nothing then");
        return;
    }
    mp_nats_attempt *a = calloc(1, sizeof *a);
    if (a) {
        *a = (mp_nats_attempt){.next = bus->attempts,
                               .bus = bus,
                               .server = server,
                               .number = mp_nats_next_number(),
                               .start_ms = now_ms};
        bus->attempts = a;
        if (mp_nats_thread_start(bus, attempt, a))
            return;
        leave(a);
        free(a);
    }
    note_failure(bus, 503, "nats: not connected: no thread can be started");
}

static mp_nats_attempt *current(const mp_bus *bus) {
    mp_nats_attempt *a = bus->attempts;
    while (a && a->given_up)
        a = a->next;
    return a;
}

static bool is_wanted(const mp_bus *bus) {
    const mp_nats_letter *l = bus->letters;
    while (l && l->stage != MP_NATS_WAITS)
        l = l->next;
    return l && bus->link.number == 0;
}

void mp_nats_connect(mp_bus *bus, int64_t now_ms) {
    mp_nats_attempt *a = current(bus);
    if (a && now_ms >= a->start_ms + ATTEMPT_MS) {
        char text[MP_BUS_TEXT];
        snprintf(text, sizeof text,
                 "nats: not connected to %.64s: it does not answer, or its "
                 "name is not found in time",
                 bus->servers[a->server].url + sizeof "nats://" - 1);
        a->given_up = true;
        a = NULL;
        note_failure(bus, 503, text);
    }
    if (!a && is_wanted(bus) && now_ms >= bus->next_attempt_ms)
        begin(bus, now_ms);
}

void mp_nats_connect_later(mp_bus *bus) {
    bus->next_attempt_ms = mp_nats_now_ms() + BACKOFF_MS;
}

int64_t mp_nats_connect_again_ms(const mp_bus *bus) {
    const mp_nats_attempt *a = current(bus);
    if (a)
        return a->start_ms + ATTEMPT_MS;
    return is_wanted(bus) ? bus->next_attempt_ms : INT64_MAX;
}
