/* A thread of the engine, that can be waited for at the end of the process. */
#ifndef MP_WORKER_H
#define MP_WORKER_H

#include "core/os/thread.h"
#include "core/os/wait.h"

typedef struct mp_worker {
    mp_thread thread;
    void (*run)(void *user);
    void *user;
    struct mp_worker *before; /* in a forked child: one abandoned earlier, which
                               * stays reachable */
    mp_wait wait;             /* for what follows */
    bool ended;               /* the thread touches nothing any more */
} mp_worker;

/* Runs `work` in a thread of that name. Returns 0 or an errno value, as
 * mp_thread_start does. The struct stays in its place. */
int mp_worker_start(mp_worker *worker, const char *name,
                    void (*work)(void *user), void *user);

/* Waits until the thread has ended, at most until `deadline_ms`
 * (mp_clock_mono_ms). False: it is left to itself. */
bool mp_worker_await(mp_worker *worker, int64_t deadline_ms);

/* In a forked child, where the thread is not: the struct is never touched
 * again. `before`: see above; NULL: none. */
void mp_worker_abandon(mp_worker *worker, mp_worker *before);

#endif
