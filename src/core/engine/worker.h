/* The thread that carries the requests of all projects. It owns libcurl and
 * gzip for its whole life and sleeps in one place. */
#ifndef MP_WORKER_H
#define MP_WORKER_H

#include "core/project/projects.h"

#include <stdatomic.h>

typedef struct mp_worker mp_worker;

/* Starts the thread, all signals blocked. It sets *succeeded whenever a
 * request did. NULL: no memory or no thread. */
mp_worker *mp_worker_start(mp_projects *projects, atomic_bool *succeeded);

/* Does nothing once the thread was stopped. */
void mp_worker_wake(mp_worker *worker);

/* Aborts what is under way and ends the thread, waiting at most until
 * `deadline_ms` (mp_clock_mono_ms). False: it is left to itself, locked out of
 * libcurl, which may take seconds more if it is busy in there. The struct
 * stays: other threads may be about to wake it. */
bool mp_worker_stop(mp_worker *worker, int64_t deadline_ms);

/* Around fork. The first waits until the thread is outside of libcurl, whose
 * locks, and those of the TLS library, would otherwise stay locked in the
 * child for ever; but not longer than a second. */
void mp_worker_before_fork(mp_worker *worker);
void mp_worker_in_parent(mp_worker *worker);

/* In the child: the worker is abandoned and never freed. It keeps the one that
 * was abandoned before it, for those who look for leaks; NULL: none was. */
void mp_worker_in_child(mp_worker *worker, mp_worker *before);

#endif
