#include "core/engine/handover.h"

#include "core/os/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct list {
    mp_job *first, *last;
} list;

struct mp_handover {
    mp_wait wait; /* its lock guards the rest */
    list ready, replies;
    mp_transport *transport;   /* NULL: there is no sender */
    bool woken;                /* the disk thread */
    uint32_t free;             /* places */
    uint32_t left[MP_THREADS]; /* places that are left to a role */
    bool wants[MP_THREADS];    /* a role waits for a place */
};

/* ---- jobs ---- */

mp_job *mp_job_new(mp_project *project, mp_request *request, mp_role role) {
    mp_job *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    job->project = project;
    job->request = request;
    job->role = role;
    mp_project_retain(project);
    return job;
}

void mp_job_keep(mp_job *job, const mp_reply *reply) {
    size_t etag = reply->etag ? strlen(reply->etag) + 1 : 0;
    job->reply = *reply;
    job->reply.body = job->reply.etag = NULL;
    if (reply->len + etag == 0)
        return;
    job->bytes = malloc(reply->len + etag);
    if (!job->bytes) {
        job->reply = (mp_reply){.sent = true, .begun = true};
        snprintf(job->reply.failure, MP_MESSAGE, "out of memory for a reply");
        return;
    }
    if (reply->len > 0)
        memcpy(job->bytes, reply->body, reply->len);
    job->reply.body = job->bytes;
    if (etag > 0)
        job->reply.etag = memcpy(job->bytes + reply->len, reply->etag, etag);
}

void mp_job_free(mp_job *job) {
    mp_project_release(job->project);
    free(job->bytes);
    free(job);
}

/* ---- with the lock held ---- */

static void add(list *jobs, mp_job *job) {
    job->next = NULL;
    if (jobs->last)
        jobs->last->next = job;
    else
        jobs->first = job;
    jobs->last = job;
}

static mp_job *take(list *jobs) {
    mp_job *job = jobs->first;
    if (!job)
        return NULL;
    jobs->first = job->next;
    if (!jobs->first)
        jobs->last = NULL;
    return job;
}

static bool has_place(const mp_handover *handover, mp_role role) {
    return handover->transport &&
           (handover->left[role] > 0 || handover->free > 0);
}

static void wake(mp_handover *handover, mp_role role) {
    if (role == MP_DISK) {
        handover->woken = true;
        mp_wait_changed(&handover->wait);
    } else if (handover->transport) {
        handover->transport->wake(handover->transport);
    }
}

/* So that each role gets one in turn when both wait. */
static void give(mp_handover *handover, mp_role from) {
    mp_role other = from == MP_DISK ? MP_SENDER : MP_DISK;
    if (!handover->wants[other]) {
        handover->free++;
        return;
    }
    handover->wants[other] = false;
    handover->left[other]++;
    wake(handover, other);
}

/* ---- life ---- */

mp_handover *mp_handover_new(void) {
    mp_handover *handover = calloc(1, sizeof *handover);
    if (handover && mp_wait_init(&handover->wait) != MP_OK) {
        free(handover);
        return NULL;
    }
    return handover;
}

void mp_handover_open(mp_handover *handover, mp_transport *transport) {
    mp_lock_take(&handover->wait.lock);
    handover->transport = transport;
    handover->free = transport->places;
    if (handover->wants[MP_DISK])
        wake(handover, MP_DISK);
    mp_lock_give(&handover->wait.lock);
}

void mp_handover_close(mp_handover *handover, const char *why) {
    mp_job *job;
    mp_lock_take(&handover->wait.lock);
    while ((job = take(&handover->ready))) {
        snprintf(job->reply.failure, MP_MESSAGE, "%s", why);
        add(&handover->replies, job);
    }
    handover->transport = NULL;
    wake(handover, MP_DISK);
    mp_lock_give(&handover->wait.lock);
}

/* ---- places ---- */

bool mp_handover_take_place(mp_handover *handover, mp_role role) {
    mp_lock_take(&handover->wait.lock);
    bool taken = has_place(handover, role);
    if (taken && handover->left[role] > 0)
        handover->left[role]--;
    else if (taken)
        handover->free--;
    handover->wants[role] = !taken;
    mp_lock_give(&handover->wait.lock);
    return taken;
}

void mp_handover_give_place(mp_handover *handover, mp_role role) {
    mp_lock_take(&handover->wait.lock);
    give(handover, role);
    mp_lock_give(&handover->wait.lock);
}

bool mp_handover_has_place(mp_handover *handover, mp_role role) {
    mp_lock_take(&handover->wait.lock);
    bool has = has_place(handover, role);
    mp_lock_give(&handover->wait.lock);
    return has;
}

void mp_handover_waive_places(mp_handover *handover, mp_role role) {
    mp_lock_take(&handover->wait.lock);
    handover->wants[role] = false;
    for (; handover->left[role] > 0; handover->left[role]--)
        give(handover, role);
    mp_lock_give(&handover->wait.lock);
}

/* ---- jobs from one to the other ---- */

mp_job *mp_handover_take_ready(mp_handover *handover) {
    mp_lock_take(&handover->wait.lock);
    mp_job *job = take(&handover->ready);
    mp_lock_give(&handover->wait.lock);
    return job;
}

void mp_handover_put_reply(mp_handover *handover, mp_job *job) {
    mp_lock_take(&handover->wait.lock);
    add(&handover->replies, job);
    wake(handover, MP_DISK);
    mp_lock_give(&handover->wait.lock);
}

bool mp_handover_put_ready(mp_handover *handover, mp_job *job) {
    mp_lock_take(&handover->wait.lock);
    bool open = handover->transport != NULL;
    if (open) {
        add(&handover->ready, job);
        wake(handover, MP_SENDER);
    }
    mp_lock_give(&handover->wait.lock);
    return open;
}

mp_job *mp_handover_take_reply(mp_handover *handover) {
    mp_lock_take(&handover->wait.lock);
    mp_job *job = take(&handover->replies);
    mp_lock_give(&handover->wait.lock);
    return job;
}

/* ---- sleep ---- */

void mp_handover_sleep(mp_handover *handover, int64_t until_ms) {
    mp_lock_take(&handover->wait.lock);
    while (!handover->woken && mp_wait_until(&handover->wait, until_ms))
        continue;
    handover->woken = false;
    mp_lock_give(&handover->wait.lock);
}

void mp_handover_await_close(mp_handover *handover, int64_t until_ms) {
    mp_lock_take(&handover->wait.lock);
    while (handover->transport && mp_wait_until(&handover->wait, until_ms))
        continue;
    mp_lock_give(&handover->wait.lock);
}

void mp_handover_wake(mp_handover *handover, mp_role role) {
    mp_lock_take(&handover->wait.lock);
    wake(handover, role);
    mp_lock_give(&handover->wait.lock);
}
