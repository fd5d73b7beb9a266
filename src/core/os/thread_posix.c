#define _GNU_SOURCE
#include "core/os/thread.h"

#include <sched.h>
#include <signal.h>
#include <stddef.h>

static void *begin(void *user) {
    mp_thread *thread = user;
    pthread_setname_np(pthread_self(), thread->name);
    thread->run(thread->user);
    return NULL;
}

/* The host's signals are for the host's threads, and a SIGPIPE here would end
 * the process. */
int mp_thread_start(mp_thread *thread, const char *name,
                    void (*run)(void *user), void *user) {
    sigset_t all, before;
    thread->name = name;
    thread->run = run;
    thread->user = user;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&thread->id, NULL, begin, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}

void mp_thread_join(mp_thread *thread) {
    pthread_join(thread->id, NULL);
}

void mp_thread_leave(mp_thread *thread) {
    pthread_detach(thread->id);
}

void mp_thread_yield(void) {
    sched_yield();
}
