#define _GNU_SOURCE
#include "nats/fork.h"

#include <pthread.h>
#include <time.h>

enum {
    FORK_WAIT_MS = 1000
};

/* Held by a fork from its begin to its end, in the child, too. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static unsigned forks;    /* that wait, or are on */
static uint64_t tickets;  /* given so far */
static uint64_t given_up; /* up to this one nobody is waited for any more */
static unsigned inside;   /* of the later ones */

uint64_t mp_nats_enter(void) {
    pthread_mutex_lock(&lock);
    while (forks > 0)
        pthread_cond_wait(&changed, &lock);
    uint64_t ticket = ++tickets;
    inside++;
    pthread_mutex_unlock(&lock);
    return ticket;
}

void mp_nats_leave(uint64_t ticket) {
    pthread_mutex_lock(&lock);
    if (ticket > given_up) {
        inside--;
        pthread_cond_broadcast(&changed);
    }
    pthread_mutex_unlock(&lock);
}

static void give_up(void) {
    given_up = tickets;
    inside = 0;
}

static void before_fork(void) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += FORK_WAIT_MS / 1000;
    pthread_mutex_lock(&lock);
    forks++;
    while (inside > 0)
        if (pthread_cond_timedwait(&changed, &lock, &until) != 0)
            give_up();
}

static void in_parent(void) {
    forks--;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static bool make_condition(void) {
    pthread_condattr_t how;
    if (pthread_condattr_init(&how) != 0)
        return false;
    bool ok = pthread_condattr_setclock(&how, CLOCK_MONOTONIC) == 0 &&
              pthread_cond_init(&changed, &how) == 0;
    pthread_condattr_destroy(&how);
    return ok;
}

/* Who was inside, or waited, is not here. */
static void in_child(void) {
    forks = 0;
    give_up();
    make_condition();
    pthread_mutex_unlock(&lock);
}

bool mp_nats_fork_watch(void) {
    return make_condition() &&
           pthread_atfork(before_fork, in_parent, in_child) == 0;
}
