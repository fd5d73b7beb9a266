/* Carrying by the host: a request goes out under a number, and its reply
 * comes back under it. */
#include "core/project/project_state.h"

mp_request *mp_project_checkout(mp_project *project, int64_t now_ms,
                                int64_t wall_ms, uint64_t *number,
                                int64_t *next_ms) {
    mp_lock_take(&project->sending);
    mp_request *request =
        mp_project_next_request(project, now_ms, wall_ms, next_ms);
    if (request) {
        mp_flight *under_way = (mp_flight *)request;
        under_way->lent = true;
        under_way->next = project->checked_out;
        project->checked_out = under_way;
        *number = under_way->number;
    }
    mp_lock_give(&project->sending);
    return request;
}

/* With `sending` held. Points at NULL when there is none. */
static mp_flight **find(mp_project *project, uint64_t number) {
    mp_flight **at = &project->checked_out;
    while (*at && (*at)->number != number)
        at = &(*at)->next;
    return at;
}

void mp_project_release_request(mp_project *project, uint64_t number) {
    mp_lock_take(&project->sending);
    mp_flight **at = find(project, number);
    if (*at)
        (*at)->lent = false;
    mp_lock_give(&project->sending);
}

bool mp_project_complete(mp_project *project, uint64_t number,
                         const mp_reply *reply, int64_t now_ms) {
    mp_lock_take(&project->sending);
    mp_flight **at = find(project, number);
    mp_flight *under_way = *at && !(*at)->lent ? *at : NULL;
    if (under_way) {
        *at = under_way->next;
        mp_project_handle_reply(project, &under_way->request, reply, now_ms);
    }
    mp_lock_give(&project->sending);
    return under_way != NULL;
}
