/* A round of turns: each project to which something happened, or which is due,
 * is asked for requests until it has none or there is no place for one.
 *
 * Thread: that of the role. */
#ifndef MP_ROUND_H
#define MP_ROUND_H

#include "core/engine/handover.h"
#include "core/project/projects.h"

typedef struct mp_round {
    mp_projects *projects;
    mp_handover *handover;
    mp_role role;
    void (*start)(void *user, mp_job *job); /* takes over the job */
    void *user;
} mp_round;

/* In the turns of MP_DISK, state files are written, too. */
void mp_round_take_turns(const mp_round *round);

/* When the next one is due; INT64_MIN: at once; INT64_MAX: at no time. */
int64_t mp_round_due(const mp_round *round);

/* Ends a job of the role with what came. */
void mp_round_end(const mp_round *round, mp_job *job, const mp_reply *reply);

#endif
