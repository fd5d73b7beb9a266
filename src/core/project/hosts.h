/* How many requests are under way to each host, and which projects wait for a
 * place there: so that a host that never answered, or one with many projects,
 * leaves places to others. Thread: any. Locks: each function takes the one of
 * the hosts itself, which comes behind that of the turns; a link, and those of
 * one role that wait, change only with the lock of its turns held, too. */
#ifndef MP_HOSTS_H
#define MP_HOSTS_H

#include "core/base/ring.h"
#include "core/base/table.h"
#include "core/os/lock.h"
#include "core/project/project.h"

#include <stdbool.h>

enum {
    MP_HOST_SHARE = 2 /* one of so many parts of all places, at the most, while
                       * others wait */
};

/* Those of a host that wait for turns of one thread. */
typedef struct mp_host_queue {
    mp_ring listed;  /* among those for which somebody waits */
    mp_ring waiting; /* mp_turn.waiting of projects, the longest first */
} mp_host_queue;

/* Kept as long as the process: there are few. */
typedef struct mp_host {
    mp_link key;
    mp_host_queue queues[MP_THREADS];
    uint32_t under_way;
    bool answers; /* some request got a reply */
    char url[];   /* as mp_config.base_url */
} mp_host;

typedef struct mp_hosts {
    mp_lock lock;
    mp_table by_url;
    mp_ring all_waited[MP_THREADS]; /* hosts for which somebody waits, the next
                                     * first */
    uint64_t seed;
} mp_hosts;

/* False: there is no lock to be had. */
bool mp_hosts_init(mp_hosts *hosts);

/* The host of this URL. NULL: out of memory. */
mp_host *mp_hosts_get(mp_hosts *hosts, const char *url);

/* True if one more request may go there: one alone until the host first
 * answers; then as many as there are places, but no more than its share while
 * others could use a place and wait for it. NULL is allowed in these three, and
 * has no limit. The place is not kept for the caller, which may wait for a disk
 * before it has a request: when two threads ask at once, there may be one more.
 */
bool mp_hosts_may_start(mp_hosts *hosts, const mp_host *host);

/* One is under way; has ended, with a reply or without. */
void mp_hosts_started(mp_hosts *hosts, mp_host *host);
void mp_hosts_ended(mp_hosts *hosts, mp_host *host, bool answered);

/* Has a project, by its link, wait behind the others of its host. */
void mp_hosts_wait(mp_hosts *hosts, mp_role role, mp_host *host, mp_ring *link);

/* It does not wait any more, if it did. */
void mp_hosts_leave(mp_hosts *hosts, mp_ring *link);

/* Takes out and returns the link of this role that waits longest for the next
 * host, in turn, that has room. NULL: there is none. */
mp_ring *mp_hosts_take_waiting(mp_hosts *hosts, mp_role role);

/* True if it would get one. */
bool mp_hosts_any_may_start(mp_hosts *hosts, mp_role role);

/* Around fork; in the child nothing is under way, nobody waits. */
void mp_hosts_before_fork(mp_hosts *hosts);
void mp_hosts_in_parent(mp_hosts *hosts);
void mp_hosts_in_child(mp_hosts *hosts);

#endif
