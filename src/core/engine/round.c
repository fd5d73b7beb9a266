#include "core/engine/round.h"

#include "core/os/clock.h"

static mp_turns *turns_of(const mp_round *round) {
    return mp_projects_turns(round->projects, round->role);
}

/* Takes a place in the transport, if the project's host may have one. Nothing
 * is taken at the host before there is a request: the disk may hang until then.
 */
static bool take_place(const mp_round *round, mp_project *project) {
    return mp_turns_may_start(turns_of(round), project) &&
           mp_handover_take_place(round->handover, round->role);
}

static void start(const mp_round *round, mp_project *project,
                  mp_request *request) {
    mp_job *job = mp_job_new(project, request, round->role);
    if (job) {
        mp_turns_started(turns_of(round), project);
        round->start(round->user, job);
        return;
    }
    mp_handover_give_place(round->handover, round->role);
    mp_project_fail_request(project, request, mp_clock_mono_ms());
}

/* The next request of the project, with what is to be done before one is
 * looked for and when there is none. */
static mp_request *next_request(mp_project *project, mp_role role,
                                int64_t *next_ms) {
    int64_t now_ms = mp_clock_mono_ms();
    mp_project_prepare(project, now_ms);
    mp_request *request =
        mp_project_next_request(project, role, now_ms, next_ms);
    if (!request)
        *next_ms =
            mp_clock_earlier(*next_ms, mp_project_maintain(project, now_ms));
    return request;
}

/* Starts what the project has to send. Returns when it is due again. */
static int64_t start_all(const mp_round *round, mp_project *project) {
    int64_t next_ms;
    while (take_place(round, project)) {
        mp_request *request = next_request(project, round->role, &next_ms);
        if (!request) {
            mp_handover_give_place(round->handover, round->role);
            return next_ms;
        }
        start(round, project, request);
    }
    mp_turns_wait(turns_of(round), project);
    return mp_project_stand_by(project, mp_clock_mono_ms());
}

/* The same for definitions of flags alone, which are kept in a file. */
static int64_t start_definitions(const mp_round *round, mp_project *project) {
    int64_t next_ms = INT64_MAX;
    if (!take_place(round, project)) {
        mp_turns_wait(turns_of(round), project);
        return INT64_MAX;
    }
    mp_request *request =
        mp_project_next_definitions(project, mp_clock_mono_ms(), &next_ms);
    if (request)
        start(round, project, request);
    else
        mp_handover_give_place(round->handover, round->role);
    return next_ms;
}

static int64_t send(const mp_round *round, mp_project *project) {
    if (mp_project_config(project)->manual)
        return INT64_MAX;
    if (mp_project_role(project) == round->role)
        return start_all(round, project);
    if (round->role == MP_DISK && mp_project_keeps_flags(project))
        return start_definitions(round, project);
    return INT64_MAX;
}

/* Gives the reference back. */
static void take_turn(const mp_round *round, mp_project *project) {
    int64_t due_ms = INT64_MAX;
    if (round->role == MP_DISK)
        due_ms = mp_project_write_saves(project);
    due_ms = mp_clock_earlier(due_ms, send(round, project));
    mp_turns_end(turns_of(round), project, due_ms);
    mp_projects_sweep(round->projects, project);
    mp_project_release(project);
}

/* True if one of the role that waits would get a place. */
static bool goes_on(const mp_round *round, mp_role role) {
    return mp_turns_any_may_start(mp_projects_turns(round->projects, role)) &&
           mp_handover_has_place(round->handover, role);
}

/* Those that waited for a place go first. What ended, or found nothing to send,
 * may have left a place at a host to the other thread. */
void mp_round_take_turns(const mp_round *round) {
    mp_turns *turns = turns_of(round);
    mp_project *project;
    size_t n = mp_turns_begin(turns, mp_clock_mono_ms());
    mp_role other = round->role == MP_DISK ? MP_SENDER : MP_DISK;
    while (goes_on(round, round->role) &&
           (project = mp_turns_take_waiting(turns)))
        take_turn(round, project);
    while (n-- > 0 && (project = mp_turns_take(turns)))
        take_turn(round, project);
    if (!mp_turns_any_may_start(turns))
        mp_handover_waive_places(round->handover, round->role);
    if (goes_on(round, other))
        mp_handover_wake(round->handover, other);
}

int64_t mp_round_due(const mp_round *round) {
    if (goes_on(round, round->role)) /* since it waits */
        return INT64_MIN;
    return mp_turns_due(turns_of(round));
}

/* Another thread may be the one for the project by now. */
void mp_round_end(const mp_round *round, mp_job *job, const mp_reply *reply) {
    mp_project *project = job->project;
    mp_project_handle_reply(project, job->request, reply, mp_clock_mono_ms());
    mp_turns_mark(turns_of(round), project);
    mp_role role = mp_project_role(project);
    if (role != round->role) {
        mp_turns_mark(mp_projects_turns(round->projects, role), project);
        mp_handover_wake(round->handover, role);
    }
    mp_job_free(job);
}
