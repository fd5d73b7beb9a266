/* The feature flags of a project: definitions that are kept up to date, what
 * Mixpanel decided itself, and the account of both. Sends nothing: the project
 * takes what is to be fetched from here and brings the reply.
 *
 * Nothing happens until mp_flags_start. Times ending in `now_ms` are of
 * mp_clock_mono_ms. Thread: any, unless it says otherwise. */
#ifndef MP_FLAGS_H
#define MP_FLAGS_H

#include "core/flags/decide.h"
#include "core/flags/exposure.h"
#include "core/flags/flag_set.h"
#include "core/flags/remote.h"
#include "core/spool/trust.h"
#include "core/wire/exchange.h"

typedef struct mp_flags mp_flags;

/* What a client says of the flags of its project. */
typedef struct mp_flag_options {
    int64_t poll_ms;  /* between two looks for new definitions */
    const char *path; /* absolute: where definitions are kept; NULL: nowhere */
    bool shared;      /* that is a directory of a spool */
    bool local;       /* decides in this process: what is above holds */
    bool remote;      /* has Mixpanel decide: what is below holds */
    mp_remote_options ask;
} mp_flag_options;

typedef struct mp_flag_stats {
    bool ready; /* there are definitions */
    uint32_t count;
    uint32_t faulty; /* are left out, or have a rule that never holds */
    int64_t age_ms;  /* since the server last said that they hold */
    uint64_t polls, failures;
    uint64_t evaluations, exposures, exposures_failed, rule_errors;
    uint64_t fallbacks[MP_FLAG_REASONS];
    int64_t error_age_ms;
    char error[MP_MESSAGE]; /* the last one; "": none */
    char fault[MP_MESSAGE]; /* of the first that is faulty */
    mp_remote_stats remote;
} mp_flag_stats;

/* `token`: of the project, copied. NULL: out of memory. */
mp_flags *mp_flags_new(const char *token);
void mp_flags_free(mp_flags *flags); /* NULL: nothing */

/* Thread: any. Whose directories are used when they are kept in a spool's. */
void mp_flags_set_trust(mp_flags *flags, mp_trust trust);

/* ---- who uses them ---- */

/* One more client uses them; what it says holds for all. MP_MEMORY; MP_INVALID
 * with a message where another client keeps them elsewhere. */
mp_err mp_flags_join(mp_flags *flags, const mp_flag_options *options,
                     char message[MP_MESSAGE]);

/* One less; after the last one, nobody asks the server any more. */
void mp_flags_leave(mp_flags *flags);

/* ---- what is asked for ---- */

/* True if this process does what was wanted last: it was started or stopped
 * here. Cheap enough for each evaluation; a forked child begins with false. */
bool mp_flags_attended(const mp_flags *flags);

/* The first time, reads the kept definitions, and so blocks as long as the
 * disk does. Has them kept up to date from then on, unless they were stopped.
 * The caller wakes the sender, then says so. */
void mp_flags_start(mp_flags *flags);
void mp_flags_attend(mp_flags *flags);

/* Nobody asks the server any more, but for mp_flags_refresh; until the second
 * is called, and mp_flags_start after it. */
void mp_flags_stop(mp_flags *flags);
void mp_flags_end_stop(mp_flags *flags);

/* Has the server asked at once; returns a number for mp_flags_await. The
 * caller wakes the sender. */
uint64_t mp_flags_refresh(mp_flags *flags);

/* Waits for what came of it, at most until `deadline_ms`. MP_TIMEOUT or
 * MP_NETWORK, with a message. */
mp_err mp_flags_await(mp_flags *flags, uint64_t refresh, int64_t deadline_ms,
                      char message[MP_MESSAGE]);

/* Waits until there are definitions. False: the deadline has passed. */
bool mp_flags_wait(mp_flags *flags, int64_t deadline_ms);

/* ---- what Mixpanel decides ---- */

/* Has Mixpanel asked for a context, which is JSON, if that is due: see
 * mp_remote_ask. `hold`: mp_flags_await_answer follows. *wake: the caller wakes
 * the sender. */
mp_err mp_flags_ask(mp_flags *flags, const char *context, size_t len, bool hold,
                    uint64_t *id, bool *wake);

/* See mp_remote_find. */
uint64_t mp_flags_find(mp_flags *flags, const char *context, size_t len);

void mp_flags_let_go(mp_flags *flags, uint64_t id);

/* See mp_remote_look. The second waits first, at most until `deadline_ms`,
 * while the answer is pending, and lets go of what mp_flags_ask holds. */
bool mp_flags_look(mp_flags *flags, uint64_t id, mp_remote_view *out);
bool mp_flags_await_answer(mp_flags *flags, uint64_t id, int64_t deadline_ms,
                           mp_remote_view *out);

/* How long a script waits for an answer. */
int64_t mp_flags_timeout_ms(mp_flags *flags);

/* ---- decisions ---- */

/* The definitions in force, with a reference for the caller; NULL: none. */
mp_flag_set *mp_flags_get(mp_flags *flags);

/* Counts a decision. */
void mp_flags_count(mp_flags *flags, mp_flag_reason reason,
                    mp_rule_result fault);

/* True if an exposure is to be reported now: see exposure.h. The second takes
 * that back. */
bool mp_flags_expose(mp_flags *flags, const mp_exposure *exposure,
                     int64_t now_ms);
void mp_flags_unexpose(mp_flags *flags, const mp_exposure *exposure);

/* Counts an exposure that was reported, or that could not be; `reason` may be
 * "". */
void mp_flags_count_exposure(mp_flags *flags);
void mp_flags_fail_exposure(mp_flags *flags, const char *code,
                            const char *reason);

void mp_flags_stats(mp_flags *flags, int64_t now_ms, mp_flag_stats *out);

/* ---- for whoever fetches: one thread at a time ---- */

/* Where definitions are kept, so that whoever fetches them may have to wait for
 * a disk, or not; both false: nothing was loaded yet, and nothing is to be
 * fetched. What is true stays true. */
bool mp_flags_on_disk(mp_flags *flags);
bool mp_flags_in_memory(mp_flags *flags);

/* What to fetch now, valid until its reply; else NULL, and in *next_ms when to
 * ask again. Blocks as long as the disk does. */
const mp_fetch *mp_flags_next(mp_flags *flags, int64_t now_ms,
                              int64_t *next_ms);

/* The same for a context that Mixpanel decides for: somebody may be waiting, so
 * it goes before records. NULL: none waits. Blocks for nothing. */
const mp_fetch *mp_flags_next_remote(mp_flags *flags, int64_t now_ms,
                                     int64_t wall_ms);

/* Takes the reply to a fetch. Definitions are compiled and kept; an answer is
 * kept for its context. What is no use leaves what was there. */
void mp_flags_handle_reply(mp_flags *flags, const mp_fetch *fetch,
                           const mp_reply *reply, int64_t now_ms,
                           int64_t wall_ms);

/* ---- fork ---- */

void mp_flags_before_fork(mp_flags *flags);
void mp_flags_in_parent(mp_flags *flags);

/* The child has the definitions of its parent and no sender yet. */
void mp_flags_in_child(mp_flags *flags, int64_t now_ms);

#endif
