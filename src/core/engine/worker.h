/* The thread that sends the requests of all projects. It sleeps in one place,
 * the transport's. */
#ifndef MP_WORKER_H
#define MP_WORKER_H

#include "core/project/projects.h"
#include "core/transport/transport.h"

#include <stdatomic.h>

typedef struct mp_worker mp_worker;

/* Starts the thread, which uses the transport from then on; the struct stays
 * the caller's. It sets *succeeded whenever a request did. Returns 0 or
 * an errno value, as mp_thread_start does. */
int mp_worker_start(mp_projects *projects, mp_transport *transport,
                    atomic_bool *succeeded, mp_worker **out);

/* Does nothing once the thread was stopped. */
void mp_worker_wake(mp_worker *worker);

/* Aborts what is under way and ends the thread, waiting at most until
 * `deadline_ms` (mp_clock_mono_ms). False: it is left to itself, and to lock it
 * out of the transport may have taken seconds more. The struct stays: other
 * threads may be about to wake it. */
bool mp_worker_stop(mp_worker *worker, int64_t deadline_ms);

/* Around fork: see transport.h. */
void mp_worker_before_fork(mp_worker *worker);
void mp_worker_in_parent(mp_worker *worker);

/* In the child: the worker is abandoned and never freed. It keeps the one that
 * was abandoned before it, for those who look for leaks; NULL: none was. */
void mp_worker_in_child(mp_worker *worker, mp_worker *before);

#endif
