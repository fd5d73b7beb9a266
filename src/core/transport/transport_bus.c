#include "core/transport/transport_bus.h"

#include "core/os/clock.h"
#include "core/os/lock.h"
#include "core/transport/bus_head.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLOSE_MS = 100, /* for all buses: the end of the process waits for it */
    FORK_WAIT_MS = 1000,
    LOCK_OUT_MS = 100 /* no call of a driver waits so long */
};

_Static_assert((int)MP_BUS_TEXT <= (int)MP_MESSAGE, "a text fits");

/* An open bus. */
typedef struct port {
    struct port *next;
    mp_bus_config *config; /* a reference */
    mp_bus_options options;
    mp_bus *bus;        /* NULL: it could not be opened yet */
    uint32_t under_way; /* messages */
} port;

/* A message under way: the tag that its driver gets. */
typedef struct flight {
    struct flight *next; /* among the refused */
    void *tag;
    mp_bus_head head;
    mp_bus_message message;
    char refused[MP_BUS_TEXT]; /* why no driver got it */
} flight;

typedef struct buses {
    mp_transport base;   /* comes first: its address is the transport's */
    mp_transport *below; /* lives as long */
    port *ports;
    flight *refused;
    /* Held by the sending thread whenever it is inside a driver, and by nobody
     * else but a fork and the end of the process. */
    mp_lock inside;
    bool outside; /* during a fork: the fork holds it */
} buses;

static buses *of(mp_transport *transport) {
    return (buses *)transport;
}

static const mp_bus_driver *driver_of(const port *p) {
    return p->config->driver;
}

/* Thread: any of a driver's, at any time. What is below stays, closed or not.
 */
static void wake_below(void *below) {
    ((mp_transport *)below)->wake(below);
}

/* ---- messages ---- */

/* NULL: out of memory. */
static port *find_port(buses *self, mp_bus_config *config) {
    for (port *p = self->ports; p; p = p->next)
        if (mp_bus_config_same(p->config, config))
            return p;
    port *fresh = calloc(1, sizeof *fresh);
    if (!fresh)
        return NULL;
    fresh->config = mp_bus_config_retain(config);
    fresh->options = (mp_bus_options){
        .servers = (const char *const *)config->servers,
        .servers_count = config->servers_count,
        .credentials = config->credentials,
        .ca_file = config->ca_file,
        .stream = config->stream,
    };
    fresh->next = self->ports;
    self->ports = fresh;
    return fresh;
}

static void refuse(buses *self, flight *f) {
    f->refused[MP_BUS_TEXT - 1] = '\0';
    f->next = self->refused;
    self->refused = f;
}

static mp_err start(buses *self, mp_bus_config *config, flight *f) {
    port *p = find_port(self, config);
    if (!p)
        return MP_MEMORY;
    if (!p->bus)
        p->bus = driver_of(p)->open(&p->options, wake_below, self->below,
                                    f->refused);
    if (!p->bus) {
        refuse(self, f);
        return MP_OK;
    }
    if (!driver_of(p)->put(p->bus, &f->message, f))
        return MP_MEMORY;
    p->under_way++;
    return MP_OK;
}

static mp_err submit(mp_transport *transport, const mp_request *request,
                     void *tag) {
    buses *self = of(transport);
    mp_bus_config *config = request->config->bus;
    if (!config)
        return self->below->submit(self->below, request, tag);
    flight *f = calloc(1, sizeof *f);
    if (!f)
        return MP_MEMORY;
    f->tag = tag;
    mp_bus_head_make(&f->head, request);
    f->message = (mp_bus_message){
        .subject = f->head.subject,
        .id = request->message_id,
        .headers = f->head.headers,
        .headers_count = f->head.headers_count,
        .body = request->body.data,
        .len = request->body.len,
        .probe = request->probe,
        .timeout_ms = request->settings->request_timeout_ms,
    };
    mp_lock_take(&self->inside);
    mp_err err = start(self, config, f);
    mp_lock_give(&self->inside);
    if (err != MP_OK)
        free(f);
    return err;
}

static void *end(flight *f, const mp_bus_reply *from, mp_reply *reply) {
    void *tag = f->tag;
    *reply =
        (mp_reply){.by_bus = true, .status = from->status, .sent = from->sent};
    memcpy(reply->failure, from->text, MP_BUS_TEXT);
    reply->failure[MP_BUS_TEXT - 1] = '\0';
    free(f);
    return tag;
}

/* One that no driver got, NULL: there is none. What is wrong may be for people
 * to mend, and never mends itself in a forked child; so it is said by a report.
 */
static void *take_refused(buses *self, mp_reply *reply) {
    mp_bus_reply why = {.status = 404};
    flight *f = self->refused;
    if (!f)
        return NULL;
    self->refused = f->next;
    memcpy(why.text, f->refused, MP_BUS_TEXT);
    return end(f, &why, reply);
}

/* The next of any driver that has an outcome or, to break one off, is under
 * way; NULL: there is none. */
static void *take_any(buses *self, bool breaks, mp_reply *reply) {
    flight *f = NULL;
    for (port *p = self->ports; p && !f; p = p->next) {
        const mp_bus_driver *driver = driver_of(p);
        mp_bus_reply from = {.status = 0};
        if (p->under_way == 0)
            continue;
        mp_lock_take(&self->inside);
        f = breaks ? driver->abort(p->bus, &from) : driver->take(p->bus, &from);
        mp_lock_give(&self->inside);
        if (f) {
            p->under_way--;
            return end(f, &from, reply);
        }
    }
    return NULL;
}

static void *take(mp_transport *transport, mp_reply *reply) {
    buses *self = of(transport);
    void *tag = take_refused(self, reply);
    if (!tag)
        tag = take_any(self, false, reply);
    return tag ? tag : self->below->take(self->below, reply);
}

/* A certain one is none over a bus: whoever uses one has no permit. */
static void *break_off(mp_transport *transport, const void *which,
                       mp_reply *reply) {
    buses *self = of(transport);
    void *tag = which ? NULL : take_refused(self, reply);
    if (!tag && !which)
        tag = take_any(self, true, reply);
    return tag ? tag : self->below->abort(self->below, which, reply);
}

/* ---- the sending thread ---- */

/* An outcome wakes what is below, so it is looked for after each sleep. */
static bool run(mp_transport *transport) {
    buses *self = of(transport);
    return self->below->run(self->below) || self->refused;
}

static void sleep_for(mp_transport *transport, int64_t timeout_ms) {
    mp_transport *below = of(transport)->below;
    below->sleep(below, timeout_ms);
}

static void wake(mp_transport *transport) {
    wake_below(of(transport)->below);
}

/* ---- life ---- */

/* True: nothing of it is used any more. */
static bool close_bus(const port *p, int64_t deadline_ms) {
    int64_t left_ms = deadline_ms - mp_clock_mono_ms();
    return !p->bus || driver_of(p)->close(p->bus, left_ms > 0 ? left_ms : 0);
}

static void close_all(mp_transport *transport) {
    buses *self = of(transport);
    int64_t deadline_ms = mp_clock_mono_ms() + CLOSE_MS;
    mp_lock_take(&self->inside);
    for (port **at = &self->ports; *at;) {
        port *p = *at;
        if (close_bus(p, deadline_ms)) {
            *at = p->next;
            mp_bus_config_release(p->config);
            free(p);
        } else {
            at = &p->next;
        }
    }
    mp_lock_give(&self->inside);
    self->below->close(self->below);
}

static void free_struct(mp_transport *transport) {
    buses *self = of(transport);
    self->below->free(self->below);
    mp_lock_destroy(&self->inside);
    free(self);
}

static void lock_out(mp_transport *transport) {
    buses *self = of(transport);
    self->below->lock_out(self->below);
    mp_lock_take_until(&self->inside, mp_clock_mono_ms() + LOCK_OUT_MS);
}

/* ---- fork ---- */

static void before_fork(mp_transport *transport) {
    buses *self = of(transport);
    self->outside =
        mp_lock_take_until(&self->inside, mp_clock_mono_ms() + FORK_WAIT_MS);
    self->below->before_fork(self->below);
}

static void in_parent(mp_transport *transport) {
    buses *self = of(transport);
    self->below->in_parent(self->below);
    if (self->outside)
        mp_lock_give(&self->inside);
}

static void in_child(mp_transport *transport) {
    buses *self = of(transport);
    for (const port *p = self->ports; p; p = p->next)
        if (p->bus)
            driver_of(p)->forget(p->bus);
    self->below->in_child(self->below);
}

int mp_transport_bus_new(mp_transport *below, mp_transport **out) {
    static const mp_transport verbs = {
        .submit = submit,
        .run = run,
        .sleep = sleep_for,
        .wake = wake,
        .take = take,
        .abort = break_off,
        .close = close_all,
        .free = free_struct,
        .lock_out = lock_out,
        .before_fork = before_fork,
        .in_parent = in_parent,
        .in_child = in_child,
    };
    *out = NULL;
    buses *self = calloc(1, sizeof *self);
    if (!self)
        return ENOMEM;
    if (mp_lock_init(&self->inside) != MP_OK) {
        free(self);
        return ENOMEM;
    }
    self->base = verbs;
    self->base.places = below->places;
    self->below = below;
    *out = &self->base;
    return 0;
}
