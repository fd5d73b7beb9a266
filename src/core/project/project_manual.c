/* Requests of a project that its host carries. */
#include "core/project/project_state.h"

#include "core/os/clock.h"

enum {
    NO_MEMORY_MS = 1000 /* before the host asks again */
};

static void take_sending(mp_project *project) {
    mp_project_touch(project);
    mp_lock_take(&project->sending);
}

const mp_handout *mp_project_checkout(mp_project *project, int64_t now_ms,
                                      int64_t *next_ms) {
    const mp_handout *handout = NULL;
    take_sending(project);
    mp_project_prepare(project, now_ms);
    mp_request *request =
        mp_project_next_request(project, MP_HOST, now_ms, next_ms);
    if (!request)
        *next_ms =
            mp_clock_earlier(*next_ms, mp_project_maintain(project, now_ms));
    if (request) {
        mp_flight *flight = (mp_flight *)request;
        handout = mp_transport_manual_submit(&project->manual, request,
                                             flight->number, flight);
    }
    if (request && !handout) {
        mp_project_fail_request(project, request, now_ms);
        *next_ms = now_ms + NO_MEMORY_MS;
    }
    mp_lock_give(&project->sending);
    return handout;
}

void mp_project_release_request(mp_project *project, uint64_t number) {
    take_sending(project);
    mp_transport_manual_release(&project->manual, number);
    mp_lock_give(&project->sending);
}

bool mp_project_complete(mp_project *project, uint64_t number,
                         const mp_reply *reply, int64_t now_ms) {
    take_sending(project);
    mp_flight *flight = mp_transport_manual_take(&project->manual, number);
    if (flight)
        mp_project_handle_reply(project, &flight->request, reply, now_ms);
    mp_lock_give(&project->sending);
    return flight != NULL;
}
