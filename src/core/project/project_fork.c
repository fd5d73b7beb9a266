/* A project around fork. */
#include "core/project/project_state.h"

#include "core/os/clock.h"
#include "core/os/random.h"

#include <string.h>

atomic_uint mp_project_forks;

static mp_lock renewing = MP_LOCK_INIT; /* before a project's */

/* References that threads of the parent hold are none here. */
static void start_anew(mp_project *project) {
    atomic_store_explicit(&project->refs, project->holders + 1,
                          memory_order_relaxed);
    project->turn = (mp_turn){.over = false};
    for (int i = 0; i < MP_LANES; i++)
        mp_lane_clear(project->lanes[i], mp_random_bits());
    mp_project_abandon_flights(project);
    memset(&project->stats, 0, sizeof project->stats);
    project->seq = 0;
    project->looks_ms = INT64_MAX;
    mp_project_disk_in_child(project);
    mp_reports_clear(project->reports);
    mp_saves_clear(&project->saves); /* the parent writes them */
    project->checks_wanted = project->sent = project->checks_done = 0;
    project->start_reported = false;
    mp_trace_abandon(&project->trace);
    mp_flags *flags = mp_project_flags(project);
    if (flags)
        mp_flags_in_child(flags, mp_clock_mono_ms());
    mp_wait_after_fork_child(&project->wait);
    mp_lock_after_fork_child(&project->sending);
}

void mp_project_renew(mp_project *project) {
    mp_lock_take(&renewing);
    if (mp_project_is_of_parent(project)) {
        start_anew(project);
        atomic_store_explicit(&project->forks, atomic_load(&mp_project_forks),
                              memory_order_release);
    }
    mp_lock_give(&renewing);
}

void mp_project_before_fork(mp_project *project) {
    mp_lock_take(&project->sending);
    mp_project_lock(project);
    mp_flags *flags = mp_project_flags(project);
    if (flags)
        mp_flags_before_fork(flags);
}

void mp_project_in_parent(mp_project *project) {
    mp_flags *flags = mp_project_flags(project);
    if (flags)
        mp_flags_in_parent(flags);
    mp_project_unlock(project);
    mp_lock_give(&project->sending);
}

void mp_project_begin_fork(void) {
    mp_lock_take(&renewing);
}

void mp_project_end_fork_in_parent(void) {
    mp_lock_give(&renewing);
}

void mp_project_end_fork_in_child(void) {
    atomic_fetch_add(&mp_project_forks, 1);
    mp_lock_after_fork_child(&renewing);
}
