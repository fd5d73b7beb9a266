/* The loop of the thread that sends.
 *
 * A round submits what the disk thread has ready, gives each project of its own
 * its turn (round.h), then sleeps in the transport. When the transport is full,
 * or its host has its share (hosts.h), a project waits, behind others that do,
 * for a place. Three things end the sleep: a transfer gets on; the earliest
 * time that a project named comes, when a batch has lingered or a backoff or an
 * age ends; or somebody wakes the thread. A push does so only if what it added
 * is due before that time (mp_project_must_wake), so that a stream of events
 * costs no system call each; flush, close, new settings and the stop always do,
 * and so does the disk thread for each request. While the permit of a project
 * with a request under way may end there is a fourth: that comes, or a tenth of
 * a second has passed, as the system's clock for sleeps stands still with the
 * machine. Before each step of the transport what has no permit any more is
 * broken off, so that a process that was stopped meanwhile sends nothing first.
 *
 * Who wakes the thread for a project has marked it before (turns.h), and the
 * transport remembers a wake that comes before the sleep, so none is lost. What
 * a round costs depends on the projects with a turn, never on how many there
 * are. */
#include "core/engine/sender.h"

#include "core/engine/round.h"
#include "core/engine/worker.h"
#include "core/os/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    LOOK_MS = 100 /* at permits */
};

struct mp_sender {
    mp_worker worker;
    mp_round round;
    atomic_bool *succeeded;
    atomic_bool stop;
    mp_transport *transport;
    mp_ring under_way; /* jobs that were submitted */
};

static const char no_permit[] = "the permit of the client has ended";

static mp_turns *turns_of(const mp_sender *sender) {
    return mp_projects_turns(sender->round.projects, MP_SENDER);
}

/* Its place at its host was given back. */
static void end(mp_sender *sender, mp_job *job, const mp_reply *reply) {
    mp_ring_remove(&job->under_way);
    mp_handover_give_place(sender->round.handover, job->role);
    if (job->role == MP_SENDER) {
        mp_round_end(&sender->round, job, reply);
    } else {
        mp_job_keep(job, reply);
        mp_handover_put_reply(sender->round.handover, job);
    }
}

static void end_reply(mp_sender *sender, mp_job *job, const mp_reply *reply) {
    mp_turns_ended(turns_of(sender), job->project, reply->status != 0);
    end(sender, job, reply);
}

static void fail(mp_sender *sender, mp_job *job, const char *why) {
    mp_reply none = {.status = 0};
    snprintf(none.failure, MP_MESSAGE, "%s", why);
    mp_turns_ended(turns_of(sender), job->project, false);
    end(sender, job, &none);
}

/* It may have come from a disk that took its time. */
static void submit(void *user, mp_job *job) {
    mp_sender *sender = user;
    mp_transport *transport = sender->transport;
    if (!mp_project_may_send(job->project, mp_clock_mono_ms()))
        fail(sender, job, no_permit);
    else if (transport->submit(transport, job->request, job) == MP_OK)
        mp_ring_add(&sender->under_way, &job->under_way);
    else
        fail(sender, job, "out of memory for a request");
}

static void submit_ready(mp_sender *sender) {
    mp_job *job;
    while ((job = mp_handover_take_ready(sender->round.handover)))
        submit(sender, job);
}

static void take_replies(mp_sender *sender) {
    mp_reply reply;
    mp_job *job;
    while ((job = sender->transport->take(sender->transport, &reply))) {
        if (reply.status >= 200 && reply.status < 300)
            atomic_store(sender->succeeded, true);
        end_reply(sender, job, &reply);
    }
}

static void break_off(mp_sender *sender, mp_job *job) {
    mp_reply reply;
    if (!sender->transport->abort(sender->transport, job, &reply))
        return;
    if (reply.status == 0)
        snprintf(reply.failure, MP_MESSAGE, "%s", no_permit);
    end_reply(sender, job, &reply);
}

/* Breaks off what has no permit any more. Returns when to look again;
 * INT64_MAX: none of the others will end. */
static int64_t look_at_permits(mp_sender *sender) {
    int64_t next_ms = INT64_MAX;
    mp_ring *link = mp_ring_first(&sender->under_way), *next;
    for (; link; link = next) {
        next = mp_ring_next(&sender->under_way, link);
        mp_job *job = MP_RING_THING(link, mp_job, under_way);
        int64_t until_ms = mp_project_permitted_until(job->project);
        if (until_ms == INT64_MAX)
            continue;
        int64_t now_ms = mp_clock_mono_ms();
        if (now_ms >= until_ms)
            break_off(sender, job);
        else
            next_ms = mp_clock_earlier(
                next_ms, mp_clock_earlier(until_ms, now_ms + LOOK_MS));
    }
    return next_ms;
}

static int64_t time_to_sleep(mp_sender *sender, int64_t look_ms) {
    int64_t due_ms = mp_clock_earlier(mp_round_due(&sender->round), look_ms);
    int64_t now_ms = mp_clock_mono_ms();
    if (due_ms == INT64_MAX)
        return INT64_MAX;
    return due_ms > now_ms ? due_ms - now_ms : 0;
}

static void make_round(mp_sender *sender) {
    mp_transport *transport = sender->transport;
    submit_ready(sender);
    mp_round_take_turns(&sender->round);
    int64_t look_ms = look_at_permits(sender);
    if (!transport->run(transport)) {
        transport->sleep(transport, time_to_sleep(sender, look_ms));
        look_at_permits(sender);
        transport->run(transport);
    }
    take_replies(sender);
}

/* Of what has a permit the system must not go on sending beyond its end, when
 * nobody is there to break it off. */
static void abort_permitted(mp_sender *sender) {
    mp_reply reply;
    mp_ring *link = mp_ring_first(&sender->under_way), *next;
    for (; link; link = next) {
        next = mp_ring_next(&sender->under_way, link);
        mp_job *job = MP_RING_THING(link, mp_job, under_way);
        if (mp_project_permitted_until(job->project) != INT64_MAX &&
            sender->transport->abort(sender->transport, job, &reply))
            end_reply(sender, job, &reply);
    }
}

/* What is under way counts as queued again: nobody knows whether it came. */
static void abort_all(mp_sender *sender) {
    mp_reply reply;
    mp_job *job;
    abort_permitted(sender);
    while ((job = sender->transport->abort(sender->transport, NULL, &reply)))
        end_reply(sender, job, &reply);
    mp_handover_close(sender->round.handover, "the process ends");
    sender->transport->close(sender->transport);
}

static void run(void *user) {
    mp_sender *sender = user;
    mp_handover_open(sender->round.handover, sender->transport);
    while (!atomic_load(&sender->stop))
        make_round(sender);
    abort_all(sender);
}

/* ---- for the supervisor ---- */

int mp_sender_start(mp_projects *projects, mp_transport *transport,
                    mp_handover *handover, atomic_bool *succeeded,
                    mp_sender **out) {
    *out = NULL;
    mp_sender *sender = calloc(1, sizeof *sender);
    if (!sender)
        return ENOMEM;
    mp_ring_init(&sender->under_way);
    sender->round = (mp_round){projects, handover, MP_SENDER, submit, sender};
    sender->transport = transport;
    sender->succeeded = succeeded;
    int err = mp_worker_start(&sender->worker, "mixpanel-send", run, sender);
    if (err != 0) {
        free(sender);
        return err;
    }
    *out = sender;
    return 0;
}

void mp_sender_wake(mp_sender *sender) {
    sender->transport->wake(sender->transport);
}

void mp_sender_begin_stop(mp_sender *sender) {
    atomic_store(&sender->stop, true);
    mp_sender_wake(sender);
}

bool mp_sender_stop(mp_sender *sender, int64_t deadline_ms) {
    mp_sender_begin_stop(sender);
    bool ended = mp_worker_await(&sender->worker, deadline_ms);
    if (!ended)
        sender->transport->lock_out(sender->transport);
    return ended;
}

/* ---- fork ---- */

void mp_sender_before_fork(mp_sender *sender) {
    sender->transport->before_fork(sender->transport);
}

void mp_sender_in_parent(mp_sender *sender) {
    sender->transport->in_parent(sender->transport);
}

void mp_sender_in_child(mp_sender *sender, mp_sender *before) {
    mp_worker_abandon(&sender->worker, before ? &before->worker : NULL);
    sender->transport->in_child(sender->transport);
}
