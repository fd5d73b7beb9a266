/* Requests in parallel over libcurl. */
#include "core/transport/transport.h"

#include "core/os/clock.h"
#include "core/os/lock.h"
#include "core/os/wakeup.h"
#include "core/transport/transfer.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>

enum {
    TRANSFERS = MP_TRANSPORT_PLACES,
    POLL_MAX_MS = 60 * 60 * 1000,
    CONNECTIONS = TRANSFERS, /* kept for the next transfers */
    FORK_WAIT_MS = 1000,
    LOCK_OUT_MS = 5000 /* a handshake on a starved machine takes seconds */
};

_Static_assert(MP_SOCKETS >= TRANSFERS + CONNECTIONS, "one each");

/* A place for a transfer. */
typedef struct slot {
    mp_transfer transfer; /* comes first: its address is the slot's */
    void *tag;            /* NULL: free */
} slot;

typedef struct http {
    mp_transport base; /* comes first: its address is the transport's */
    CURLM *multi;
    slot slots[TRANSFERS];
    uint32_t active;
    mp_sockets sockets;
    int wakes; /* a wakeup: see wake */
    /* Held by the sending thread whenever it is inside libcurl but for its
     * sleep, and by nobody else but a fork and the end of the process. */
    mp_lock inside;
    bool outside; /* during a fork: the fork holds it */
} http;

static http *http_of(mp_transport *transport) {
    return (http *)transport;
}

/* ---- transfers ---- */

static void clear(http *self, slot *s) {
    curl_multi_remove_handle(self->multi, s->transfer.easy);
    mp_transfer_end(&s->transfer);
    if (s->tag)
        self->active--;
    s->tag = NULL;
}

static slot *find_free(http *self) {
    for (int i = 0; i < TRANSFERS; i++)
        if (!self->slots[i].tag)
            return &self->slots[i];
    return NULL;
}

static mp_err submit(mp_transport *transport, const mp_request *request,
                     void *tag) {
    http *self = http_of(transport);
    mp_lock_take(&self->inside);
    bool started = false;
    slot *s = find_free(self);
    if (s) {
        s->tag = tag;
        self->active++;
        started =
            mp_transfer_begin(&s->transfer, request, &self->sockets) &&
            curl_multi_add_handle(self->multi, s->transfer.easy) == CURLM_OK;
        if (!started)
            clear(self, s);
    }
    mp_lock_give(&self->inside);
    return started ? MP_OK : MP_MEMORY;
}

static bool run(mp_transport *transport) {
    http *self = http_of(transport);
    int running = 0;
    mp_lock_take(&self->inside);
    curl_multi_perform(self->multi, &running);
    mp_lock_give(&self->inside);
    return (uint32_t)running < self->active;
}

static void sleep_for(mp_transport *transport, int64_t timeout_ms) {
    http *self = http_of(transport);
    struct curl_waitfd wakes = {.fd = self->wakes, .events = CURL_WAIT_POLLIN};
    if (timeout_ms > POLL_MAX_MS)
        timeout_ms = POLL_MAX_MS;
    curl_multi_poll(self->multi, &wakes, 1, (int)timeout_ms, NULL);
    if (wakes.revents)
        mp_wakeup_clear(self->wakes);
}

/* Not by curl_multi_wakeup, which writes to a socket: the kernel takes whoever
 * does that for about to sleep, and lets the woken thread run in its place. */
static void wake(mp_transport *transport) {
    mp_wakeup_set(http_of(transport)->wakes);
}

/* Ends a transfer, and returns its tag. */
static void *finish(http *self, slot *s, CURLcode result, mp_reply *reply) {
    void *tag = s->tag;
    mp_transfer_read(&s->transfer, result, reply);
    clear(self, s);
    return tag;
}

static slot *next_ended(http *self, CURLcode *result) {
    int waiting;
    CURLMsg *message;
    slot *s = NULL;
    while (!s && (message = curl_multi_info_read(self->multi, &waiting))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        *result = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &s);
    }
    return s;
}

static void *take(mp_transport *transport, mp_reply *reply) {
    http *self = http_of(transport);
    CURLcode result = CURLE_OK;
    mp_lock_take(&self->inside);
    slot *s = next_ended(self, &result);
    void *tag = s ? finish(self, s, result, reply) : NULL;
    mp_lock_give(&self->inside);
    return tag;
}

static void *break_off(mp_transport *transport, const void *which,
                       mp_reply *reply) {
    http *self = http_of(transport);
    void *tag = NULL;
    mp_lock_take(&self->inside);
    self->sockets.drops = which != NULL;
    for (int i = 0; i < TRANSFERS && !tag; i++) {
        slot *s = &self->slots[i];
        if (s->tag && (!which || s->tag == which))
            tag = finish(self, s, CURLE_ABORTED_BY_CALLBACK, reply);
    }
    self->sockets.drops = false;
    mp_lock_give(&self->inside);
    return tag;
}

/* ---- life ---- */

static void clean_up(http *self) {
    for (int i = 0; i < TRANSFERS; i++)
        mp_transfer_free(&self->slots[i].transfer);
    curl_multi_cleanup(self->multi);
}

static void end(mp_transport *transport) {
    http *self = http_of(transport);
    mp_lock_take(&self->inside);
    clean_up(self);
    mp_lock_give(&self->inside);
}

static void free_struct(mp_transport *transport) {
    http *self = http_of(transport);
    mp_lock_destroy(&self->inside);
    mp_wakeup_close(self->wakes);
    free(self);
}

/* Waits until the sending thread is outside of libcurl and keeps it there. */
static bool hold(http *self, int64_t wait_ms) {
    return mp_lock_take_until(&self->inside, mp_clock_mono_ms() + wait_ms);
}

static void lock_out(mp_transport *transport) {
    hold(http_of(transport), LOCK_OUT_MS);
}

static void before_fork(mp_transport *transport) {
    http *self = http_of(transport);
    self->outside = hold(self, FORK_WAIT_MS);
}

static void in_parent(mp_transport *transport) {
    http *self = http_of(transport);
    if (self->outside)
        mp_lock_give(&self->inside);
}

/* To clean up what libcurl holds would say goodbye on the parent's
 * connections. */
static void in_child(mp_transport *transport) {
    http *self = http_of(transport);
    if (!self->outside)
        return;
    mp_sockets_close(&self->sockets);
    mp_wakeup_close(self->wakes);
}

mp_err mp_transport_set_up(void) {
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? MP_OK
                                                             : MP_NETWORK;
}

int mp_transport_new(mp_transport **out) {
    static const mp_transport verbs = {
        .submit = submit,
        .places = TRANSFERS,
        .run = run,
        .sleep = sleep_for,
        .wake = wake,
        .take = take,
        .abort = break_off,
        .close = end,
        .free = free_struct,
        .lock_out = lock_out,
        .before_fork = before_fork,
        .in_parent = in_parent,
        .in_child = in_child,
    };
    *out = NULL;
    http *self = calloc(1, sizeof *self);
    if (!self)
        return ENOMEM;
    self->base = verbs;
    self->wakes = mp_wakeup_open();
    int err = self->wakes < 0 ? errno : 0;
    if (err == 0 && mp_lock_init(&self->inside) != MP_OK)
        err = ENOMEM;
    if (err != 0) {
        mp_wakeup_close(self->wakes);
        free(self);
        return err;
    }
    self->multi = curl_multi_init();
    if (!self->multi) {
        free_struct(&self->base);
        return ENOMEM;
    }
    curl_multi_setopt(self->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS);
    mp_sockets_init(&self->sockets);
    *out = &self->base;
    return 0;
}
