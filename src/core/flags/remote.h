/* Contexts that Mixpanel decides for: what it answered to each, what is to be
 * asked, and when it may be asked again. Without thread or clock; times are of
 * mp_clock_mono_ms unless they say otherwise. Locks: its owner's, held in every
 * call. */
#ifndef MP_REMOTE_H
#define MP_REMOTE_H

#include "core/base/err.h"
#include "core/flags/variants.h"
#include "core/os/rng.h"
#include "core/wire/exchange.h"

typedef struct mp_remote mp_remote;

enum {
    MP_REMOTE_CONTEXT = 8 * 1024, /* bytes of a context's JSON */
    MP_REMOTE_AT_ONCE = 8,        /* requests */
    MP_REMOTE_KEPT_HOURS = 24 /* that an answer serves where no other came */
};

typedef struct mp_remote_options {
    int64_t ttl_ms; /* that an answer is not asked for again */
    int64_t timeout_ms;
    uint32_t contexts; /* that are remembered */
} mp_remote_options;

/* What is known of a context. */
typedef struct mp_remote_view {
    mp_variants *variants;    /* a reference; NULL: none */
    bool fresh;               /* they came within the ttl */
    bool pending;             /* an answer is under way, or will be */
    char failure[MP_MESSAGE]; /* why the last answer did not come; "": it did */
} mp_remote_view;

typedef struct mp_remote_stats {
    uint32_t contexts, pending;
    uint64_t requests, failures;
} mp_remote_stats;

mp_remote *mp_remote_new(uint64_t seed); /* NULL: out of memory */
void mp_remote_free(mp_remote *remote);  /* NULL: nothing */

void mp_remote_configure(mp_remote *remote, const mp_remote_options *options);
const mp_remote_options *mp_remote_configured(const mp_remote *remote);

/* ---- who wants to know ---- */

/* Has a context asked for, unless its answer is fresh or it is too early to
 * ask again after a failure. *id is for mp_remote_look. MP_MEMORY;
 * MP_QUEUE_FULL: as many contexts as are remembered wait for their answers. */
mp_err mp_remote_ask(mp_remote *remote, const char *context, size_t len,
                     int64_t now_ms, uint64_t *id);

/* Keeps a context that somebody waits for from making room for another; to be
 * given back. Neither does anything for an id that is not known. */
void mp_remote_hold(mp_remote *remote, uint64_t id);
void mp_remote_let_go(mp_remote *remote, uint64_t id);

/* The id of a context that was asked for before; 0: none. */
uint64_t mp_remote_find(const mp_remote *remote, const char *context,
                        size_t len);

/* False: the context was forgotten, or there never was one of this id. */
bool mp_remote_look(mp_remote *remote, uint64_t id, int64_t now_ms,
                    mp_remote_view *out);

/* Whether a request waits to be taken. */
bool mp_remote_waits(const mp_remote *remote);

/* ---- who asks ---- */

/* What to ask now, valid until it is settled; else NULL. */
const mp_fetch *mp_remote_next(mp_remote *remote, int64_t now_ms,
                               int64_t wall_ms);

/* When the request was taken, wall clock. */
int64_t mp_remote_asked_ms(const mp_fetch *fetch);

/* The answer; takes over the reference. */
void mp_remote_succeed(mp_remote *remote, const mp_fetch *fetch,
                       mp_variants *variants, int64_t now_ms);

/* None came, or one of no use. Ensures: the context is not asked for again for
 * a second, then twice as long each time, up to a minute, or as long as the
 * server wants. Unless `alone`, the context being what is wrong, that holds
 * for all, and those that were to be asked have failed, too. */
void mp_remote_fail(mp_remote *remote, const mp_fetch *fetch, bool alone,
                    const char *message, int64_t retry_after_ms,
                    int64_t now_ms);

/* Nobody asks any more: what waits to be taken has failed. */
void mp_remote_stop(mp_remote *remote, const char *message);

/* ---- of the process ---- */

void mp_remote_in_child(mp_remote *remote);
void mp_remote_stats_get(const mp_remote *remote, mp_remote_stats *out);

#endif
