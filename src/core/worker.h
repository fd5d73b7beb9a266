/* The thread that carries the requests of all projects. It owns libcurl and
 * gzip for its whole life and sleeps in one place. */
#ifndef MP_WORKER_H
#define MP_WORKER_H

#include "projects.h"

#include <stdatomic.h>

typedef struct mp_worker mp_worker;

/* Starts the thread, all signals blocked. It sets *reached whenever a
 * request was answered. NULL: no memory or no thread. */
mp_worker *mp_worker_start(mp_projects *projects, atomic_bool *reached);

void mp_worker_wake(mp_worker *worker);

/* Aborts what is under way and ends the thread, waiting at most until
 * `deadline_ms` (mp_clock_mono_ms). True: it ended and is freed. False: it
 * is left to itself, and so is its memory. */
bool mp_worker_stop(mp_worker *worker, int64_t deadline_ms);

#endif
