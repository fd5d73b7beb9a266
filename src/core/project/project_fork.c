/* A project around fork. */
#include "core/project/project_state.h"

#include "core/os/clock.h"
#include "core/os/random.h"

#include <string.h>

atomic_uint mp_project_forks;

/* For what follows, and for changes that a fork must not cut in two; before a
 * project's. */
static mp_lock renewing = MP_LOCK_INIT;
static mp_ring at_forks = {&at_forks, &at_forks};

/* True if no thread of the parent was at it during the fork: then one that has
 * the lock would be gone, and what it was changing half changed. */
static bool was_at_rest(mp_project *project) {
    return project->held ||
           mp_lock_take_until(&project->wait.lock, mp_clock_mono_ms());
}

/* What the parent had, which it delivers and tells itself. */
static void free_contents(mp_project *project) {
    for (int i = 0; i < project->lanes_n; i++)
        mp_lane_clear(project->lanes[i], mp_random_bits());
    mp_project_abandon_flights(project);
    mp_reports_clear(project->reports);
    mp_saves_clear(&project->saves);
}

/* The same where nothing may be looked at: it stays where it is, unused. */
static void leave_contents(mp_project *project) {
    project->lanes_n = 0;
    mp_reports_abandon(project->reports);
    project->saves = (mp_saves){.list = NULL};
}

/* References that threads of the parent hold are none here. */
static void start_anew(mp_project *project) {
    atomic_store_explicit(&project->refs, project->holders + 1,
                          memory_order_relaxed);
    memset(project->turns, 0, sizeof project->turns);
    if (was_at_rest(project))
        free_contents(project);
    else
        leave_contents(project);
    project->held = false;
    memset(&project->stats, 0, sizeof project->stats);
    project->seq = 0;
    mp_project_begin_run(project);
    project->looks_ms = INT64_MAX;
    mp_budget_restart(&project->budget, mp_clock_mono_ms());
    mp_project_disk_in_child(project);
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

/* ---- in the parent ---- */

void mp_project_begin_change(mp_project *project) {
    mp_project_touch(project); /* takes the same lock */
    mp_lock_take(&renewing);
    mp_project_lock(project);
}

void mp_project_end_change(mp_project *project) {
    mp_project_unlock(project);
    mp_lock_give(&renewing);
}

void mp_project_hold_at_forks(mp_project *project) {
    mp_ring_add(&at_forks, &project->at_forks);
}

void mp_project_forget_at_forks(mp_project *project) {
    mp_lock_take(&renewing);
    mp_ring_remove(&project->at_forks);
    mp_lock_give(&renewing);
}

void mp_project_hold(mp_project *project) {
    if (project->held || mp_project_is_of_parent(project))
        return;
    mp_lock_take(&project->sending);
    mp_project_lock(project);
    mp_flags *flags = mp_project_flags(project);
    if (flags)
        mp_flags_before_fork(flags);
    project->held = true;
}

void mp_project_let_go(mp_project *project) {
    if (!project->held || mp_project_is_of_parent(project))
        return;
    project->held = false;
    mp_flags *flags = mp_project_flags(project);
    if (flags)
        mp_flags_in_parent(flags);
    mp_project_unlock(project);
    mp_lock_give(&project->sending);
}

/* ---- around a fork ---- */

static mp_project *next_at_forks(const mp_project *last) {
    mp_ring *link = last ? mp_ring_next(&at_forks, &last->at_forks)
                         : mp_ring_first(&at_forks);
    return link ? MP_RING_THING(link, mp_project, at_forks) : NULL;
}

void mp_project_begin_fork(void) {
    mp_lock_take(&renewing);
    for (mp_project *p = next_at_forks(NULL); p; p = next_at_forks(p))
        mp_project_hold(p);
}

void mp_project_end_fork_in_parent(void) {
    for (mp_project *p = next_at_forks(NULL); p; p = next_at_forks(p))
        mp_project_let_go(p);
    mp_lock_give(&renewing);
}

/* Clients hold the flags themselves, and may use them without a look at the
 * project. */
void mp_project_end_fork_in_child(void) {
    atomic_fetch_add(&mp_project_forks, 1);
    mp_lock_after_fork_child(&renewing);
    for (mp_project *p = next_at_forks(NULL); p; p = next_at_forks(p))
        if (mp_project_flags(p))
            mp_project_touch(p);
}
