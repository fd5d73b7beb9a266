/* What passes between the thread that sends and the one that works on disk:
 * requests one way, their replies the other; and the places of the transport,
 * which both must have before they ask a project for a request, so that no more
 * is made than can be sent.
 *
 * Thread: either, but where it says otherwise. Locks: each function takes the
 * one of the handover itself, which comes behind all others. */
#ifndef MP_HANDOVER_H
#define MP_HANDOVER_H

#include "core/base/ring.h"
#include "core/project/project.h"
#include "core/transport/transport.h"

/* A request under way and whose it is. One thread owns it at a time. */
typedef struct mp_job mp_job;
struct mp_job {
    mp_job *next;
    mp_ring under_way;   /* the sender's */
    mp_project *project; /* a reference */
    mp_request *request;
    mp_role role;   /* who made it, and handles its reply */
    mp_reply reply; /* once it came; it points into `bytes` */
    char *bytes;
};

/* Takes a reference to the project. NULL: out of memory. */
mp_job *mp_job_new(mp_project *project, mp_request *request, mp_role role);

/* Copies what came. Out of memory, it is as if the reply was lost. */
void mp_job_keep(mp_job *job, const mp_reply *reply);

/* Gives back all but the request. */
void mp_job_free(mp_job *job);

typedef struct mp_handover mp_handover;

mp_handover *mp_handover_new(void); /* NULL: out of memory */

/* ---- places ---- */

/* False: there is none, and whoever gives one back leaves it to this role and
 * wakes its thread. */
bool mp_handover_take_place(mp_handover *handover, mp_role role);

/* Gives back a place that this role took. One for which the other waits is
 * left to that. */
void mp_handover_give_place(mp_handover *handover, mp_role role);

/* True if this role would get one. */
bool mp_handover_has_place(mp_handover *handover, mp_role role);

/* No project of this role waits for a place: those left to it are free. */
void mp_handover_waive_places(mp_handover *handover, mp_role role);

/* ---- for the sender ---- */

/* There is a sender from now on, with this transport. */
void mp_handover_open(mp_handover *handover, mp_transport *transport);

/* There is none any more: nothing is submitted, nothing more is handed over,
 * and what was ready ends without a reply, for this reason. */
void mp_handover_close(mp_handover *handover, const char *why);

/* The next request to send; NULL: none is ready. */
mp_job *mp_handover_take_ready(mp_handover *handover);

/* Hands over a reply, which mp_job_keep has. */
void mp_handover_put_reply(mp_handover *handover, mp_job *job);

/* ---- for the disk thread ---- */

/* Hands over a request, for which there is a place. False: there is no sender
 * any more, and the job stays the caller's. */
bool mp_handover_put_ready(mp_handover *handover, mp_job *job);

/* The next reply; NULL: none came. */
mp_job *mp_handover_take_reply(mp_handover *handover);

/* Waits for a reply, a wake, or the time `until_ms`. */
void mp_handover_sleep(mp_handover *handover, int64_t until_ms);

/* Waits until there is no sender, or until the time `until_ms`. */
void mp_handover_await_close(mp_handover *handover, int64_t until_ms);

/* Thread: any. Ends the present sleep of the role's thread, or the next; does
 * nothing if there is none. */
void mp_handover_wake(mp_handover *handover, mp_role role);

#endif
