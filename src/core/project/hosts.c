#include "core/project/hosts.h"

#include "core/base/hash.h"
#include "core/os/random.h"
#include "core/transport/transport.h"

#include <stdlib.h>
#include <string.h>

static void forget_waiting(mp_hosts *hosts) {
    for (int i = 0; i < MP_THREADS; i++)
        mp_ring_init(&hosts->all_waited[i]);
}

static void start_anew(mp_host *host) {
    host->under_way = 0;
    host->answers = false;
    for (int i = 0; i < MP_THREADS; i++) {
        host->queues[i].listed = (mp_ring){NULL, NULL};
        mp_ring_init(&host->queues[i].waiting);
    }
}

bool mp_hosts_init(mp_hosts *hosts) {
    *hosts = (mp_hosts){.seed = mp_random_bits()};
    forget_waiting(hosts);
    return mp_lock_init(&hosts->lock) == MP_OK;
}

/* ---- with the lock held ---- */

static mp_host *find(const mp_hosts *hosts, const char *url, uint64_t hash) {
    mp_link *link = mp_table_first(&hosts->by_url, hash);
    while (link && strcmp(MP_TABLE_THING(link, mp_host, key)->url, url) != 0)
        link = mp_table_next(link);
    return MP_TABLE_THING(link, mp_host, key);
}

static mp_host *add(mp_hosts *hosts, const char *url, uint64_t hash) {
    size_t size = strlen(url) + 1;
    mp_host *host = calloc(1, sizeof *host + size);
    if (!host || mp_table_add(&hosts->by_url, &host->key, hash) != MP_OK) {
        free(host);
        return NULL;
    }
    memcpy(host->url, url, size);
    start_anew(host);
    return host;
}

static mp_host *next_waited(const mp_hosts *hosts, mp_role role,
                            const mp_host *last) {
    const mp_ring *all = &hosts->all_waited[role];
    mp_ring *link = last ? mp_ring_next(all, &last->queues[role].listed)
                         : mp_ring_first(all);
    if (!link)
        return NULL;
    mp_host_queue *queue = MP_RING_THING(link, mp_host_queue, listed);
    return MP_RING_THING(queue - role, mp_host, queues);
}

static mp_ring *first_waiting(const mp_host *host, mp_role role) {
    return mp_ring_first(&host->queues[role].waiting);
}

/* True if it could use a place, whatever others want. */
static bool has_room(const mp_host *host) {
    return host->under_way <
           (host->answers ? MP_TRANSPORT_PLACES / MP_HOST_SHARE : 1);
}

static bool others_wait(const mp_hosts *hosts, const mp_host *host) {
    for (int i = 0; i < MP_THREADS; i++) {
        mp_role role = (mp_role)i;
        mp_host *other = NULL;
        while ((other = next_waited(hosts, role, other)))
            if (other != host && first_waiting(other, role) && has_room(other))
                return true;
    }
    return false;
}

static bool may_start(const mp_hosts *hosts, const mp_host *host) {
    return !host || has_room(host) ||
           (host->answers && !others_wait(hosts, host));
}

/* ---- limits ---- */

mp_host *mp_hosts_get(mp_hosts *hosts, const char *url) {
    uint64_t hash = mp_hash(hosts->seed, url, strlen(url) + 1);
    mp_lock_take(&hosts->lock);
    mp_host *host = find(hosts, url, hash);
    if (!host)
        host = add(hosts, url, hash);
    mp_lock_give(&hosts->lock);
    return host;
}

bool mp_hosts_may_start(mp_hosts *hosts, const mp_host *host) {
    mp_lock_take(&hosts->lock);
    bool may = may_start(hosts, host);
    mp_lock_give(&hosts->lock);
    return may;
}

void mp_hosts_started(mp_hosts *hosts, mp_host *host) {
    if (!host)
        return;
    mp_lock_take(&hosts->lock);
    host->under_way++;
    mp_lock_give(&hosts->lock);
}

void mp_hosts_ended(mp_hosts *hosts, mp_host *host, bool answered) {
    if (!host)
        return;
    mp_lock_take(&hosts->lock);
    if (host->under_way > 0)
        host->under_way--;
    host->answers |= answered;
    mp_lock_give(&hosts->lock);
}

/* ---- those that wait ---- */

void mp_hosts_wait(mp_hosts *hosts, mp_role role, mp_host *host,
                   mp_ring *link) {
    mp_lock_take(&hosts->lock);
    mp_ring_add(&host->queues[role].waiting, link);
    mp_ring_add(&hosts->all_waited[role], &host->queues[role].listed);
    mp_lock_give(&hosts->lock);
}

void mp_hosts_leave(mp_hosts *hosts, mp_ring *link) {
    mp_lock_take(&hosts->lock);
    mp_ring_remove(link);
    mp_lock_give(&hosts->lock);
}

/* With the lock held: the next of them; NULL: there is none. Forgets hosts for
 * which nobody waits any more. */
static mp_host *next_to_start(mp_hosts *hosts, mp_role role) {
    mp_host *host = next_waited(hosts, role, NULL), *next;
    for (; host; host = next) {
        next = next_waited(hosts, role, host);
        if (!first_waiting(host, role))
            mp_ring_remove(&host->queues[role].listed);
        else if (may_start(hosts, host))
            return host;
    }
    return NULL;
}

mp_ring *mp_hosts_take_waiting(mp_hosts *hosts, mp_role role) {
    mp_ring *link = NULL;
    mp_lock_take(&hosts->lock);
    mp_host *host = next_to_start(hosts, role);
    if (host) {
        link = first_waiting(host, role);
        mp_ring_remove(link);
        mp_ring_remove(&host->queues[role].listed);
    }
    if (host && first_waiting(host, role))
        mp_ring_add(&hosts->all_waited[role], &host->queues[role].listed);
    mp_lock_give(&hosts->lock);
    return link;
}

bool mp_hosts_any_may_start(mp_hosts *hosts, mp_role role) {
    mp_lock_take(&hosts->lock);
    bool any = next_to_start(hosts, role) != NULL;
    mp_lock_give(&hosts->lock);
    return any;
}

/* ---- fork ---- */

void mp_hosts_before_fork(mp_hosts *hosts) {
    mp_lock_take(&hosts->lock);
}

void mp_hosts_in_parent(mp_hosts *hosts) {
    mp_lock_give(&hosts->lock);
}

void mp_hosts_in_child(mp_hosts *hosts) {
    for (size_t i = 0; i < hosts->by_url.size; i++) {
        mp_link *link = hosts->by_url.buckets[i];
        for (; link; link = link->next)
            start_anew(MP_TABLE_THING(link, mp_host, key));
    }
    forget_waiting(hosts);
    mp_lock_after_fork_child(&hosts->lock);
}
