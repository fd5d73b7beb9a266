/* Threads of the module. */
#ifndef MP_THREAD_H
#define MP_THREAD_H

#include <pthread.h>

/* The starter owns it, and keeps it at its address until mp_thread_join returns
 * or, after mp_thread_leave, until `run` returns. */
typedef struct mp_thread {
    pthread_t id;
    const char *name;
    void (*run)(void *user);
    void *user;
} mp_thread;

/* Starts a thread that calls `run` and gets none of the host's signals. The
 * name, a literal of at most 15 bytes, is what debuggers and ps show. Returns
 * 0 or an errno value: EAGAIN when there may be no more threads. */
int mp_thread_start(mp_thread *thread, const char *name,
                    void (*run)(void *user), void *user);

/* Waits until it has ended. Of this and mp_thread_leave, one is called. */
void mp_thread_join(mp_thread *thread);

/* Says that the thread will not be joined. */
void mp_thread_leave(mp_thread *thread);

/* Lets others run. */
void mp_thread_yield(void);

#endif
