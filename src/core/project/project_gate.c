/* What holds back the requests of a project. */
#include "core/project/project_state.h"

#include "core/os/clock.h"

enum {
    STAND_BY_MS = 1000 /* between two looks while nothing can be sent */
};

int64_t mp_project_opens(mp_project *project, int64_t now_ms) {
    return mp_project_may_send(project, now_ms)
               ? mp_budget_opens(&project->budget, now_ms)
               : INT64_MAX;
}

void mp_project_hold_back(mp_project *project) {
    for (int i = 0; i < project->lanes_n; i++)
        mp_lane_set_waits(project->lanes[i], true);
}

int64_t mp_project_await_permit(mp_project *project,
                                const mp_settings *settings, int64_t now_ms) {
    int64_t next_ms = INT64_MAX;
    mp_project_lock(project);
    for (int i = 0; i < project->lanes_n; i++)
        next_ms = mp_clock_earlier(
            next_ms, mp_lane_expire(project->lanes[i], settings, now_ms));
    project->looks_ms = next_ms;
    mp_project_hold_back(project);
    mp_segment *garbage = mp_project_garbage(project);
    mp_project_unlock(project);
    mp_project_free_segments(project, garbage);
    return next_ms;
}

void mp_project_permit(mp_project *project, int64_t until_ms) {
    mp_project_lock(project);
    atomic_store(&project->permitted_ms, until_ms);
    for (int i = 0; i < project->lanes_n; i++) /* it may be later than it was */
        mp_lane_set_waits(project->lanes[i], false);
    mp_project_unlock(project);
}

int64_t mp_project_permitted_until(const mp_project *project) {
    return atomic_load(&project->permitted_ms);
}

int64_t mp_project_stand_by(mp_project *project, int64_t now_ms) {
    mp_project_prepare(project, now_ms);
    mp_project_lock(project);
    int64_t next_ms = project->spool ? now_ms + STAND_BY_MS : INT64_MAX;
    project->looks_ms = next_ms;
    mp_project_hold_back(project);
    mp_segment *garbage = mp_project_garbage(project);
    mp_project_unlock(project);
    mp_project_free_segments(project, garbage);
    return mp_clock_earlier(next_ms, mp_project_maintain(project, now_ms));
}
