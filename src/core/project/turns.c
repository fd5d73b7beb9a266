#include "core/project/turns.h"

#include "core/os/lock.h"
#include "core/project/project_state.h"

#include <stdlib.h>

struct mp_turns {
    mp_role role;
    mp_lock lock;
    mp_ring marked;  /* in the order in which things happened */
    mp_tree due;     /* by time */
    mp_ring busy;    /* all that have something to do */
    size_t n;        /* that are marked */
    mp_hosts *hosts; /* with those that wait for a place */
};

#define OF(link, member) MP_RING_THING(link, mp_turn, member)->project

static void start(mp_turns *turns) {
    turns->n = 0;
    turns->due = (mp_tree){NULL};
    mp_ring_init(&turns->marked);
    mp_ring_init(&turns->busy);
}

mp_turns *mp_turns_new(mp_role role, mp_hosts *hosts) {
    mp_turns *turns = calloc(1, sizeof *turns);
    if (turns && mp_lock_init(&turns->lock) != MP_OK) {
        free(turns);
        return NULL;
    }
    if (turns) {
        turns->role = role;
        turns->hosts = hosts;
        start(turns);
    }
    return turns;
}

void mp_turns_free(mp_turns *turns) {
    if (!turns)
        return;
    mp_lock_destroy(&turns->lock);
    free(turns);
}

/* ---- with the lock held ---- */

static mp_turn *turn_of(const mp_turns *turns, mp_project *project) {
    mp_turn *turn = &project->turns[turns->role];
    turn->project = project;
    return turn;
}

static void mark(mp_turns *turns, mp_turn *turn) {
    turns->n += !mp_ring_is_in(&turn->marked);
    mp_ring_add(&turns->marked, &turn->marked);
    mp_ring_add(&turns->busy, &turn->busy);
}

static void unmark(mp_turns *turns, mp_turn *turn) {
    turns->n -= mp_ring_is_in(&turn->marked);
    mp_ring_remove(&turn->marked);
}

/* Times may lie before the start of their clock. */
static uint64_t key_of(int64_t ms) {
    return (uint64_t)ms ^ UINT64_C(1) << 63;
}

static int64_t ms_of(uint64_t key) {
    return (int64_t)(key ^ UINT64_C(1) << 63);
}

/* INT64_MAX: it is not due. */
static void set_due(mp_turns *turns, mp_turn *turn, int64_t ms) {
    if (turn->is_due)
        mp_tree_remove(&turns->due, &turn->due);
    turn->is_due = ms != INT64_MAX;
    if (!turn->is_due)
        return;
    mp_ring_add(&turns->busy, &turn->busy);
    turn->due.key = key_of(ms);
    mp_tree_add(&turns->due, &turn->due);
}

static mp_turn *first_due(const mp_turns *turns) {
    return MP_TREE_THING(mp_tree_first(&turns->due), mp_turn, due);
}

/* ---- turns ---- */

void mp_turns_mark(mp_turns *turns, mp_project *project) {
    mp_project_touch(project);
    mp_lock_take(&turns->lock);
    mp_turn *turn = turn_of(turns, project);
    if (!turn->over)
        mark(turns, turn);
    mp_lock_give(&turns->lock);
}

void mp_turns_forget(mp_turns *turns, mp_project *project) {
    mp_lock_take(&turns->lock);
    mp_turn *turn = turn_of(turns, project);
    unmark(turns, turn);
    set_due(turns, turn, INT64_MAX);
    mp_hosts_leave(turns->hosts, &turn->waiting);
    mp_ring_remove(&turn->busy);
    turn->over = true;
    mp_lock_give(&turns->lock);
}

size_t mp_turns_begin(mp_turns *turns, int64_t now_ms) {
    mp_turn *turn;
    mp_lock_take(&turns->lock);
    while ((turn = first_due(turns)) && ms_of(turn->due.key) <= now_ms) {
        set_due(turns, turn, INT64_MAX);
        mark(turns, turn);
    }
    size_t n = turns->n;
    mp_lock_give(&turns->lock);
    return n;
}

mp_project *mp_turns_take(mp_turns *turns) {
    mp_lock_take(&turns->lock);
    mp_ring *link = mp_ring_first(&turns->marked);
    mp_project *project = link ? OF(link, marked) : NULL;
    if (project) {
        unmark(turns, turn_of(turns, project));
        mp_project_retain(project);
    }
    mp_lock_give(&turns->lock);
    return project;
}

mp_project *mp_turns_take_waiting(mp_turns *turns) {
    mp_lock_take(&turns->lock);
    mp_ring *link = mp_hosts_take_waiting(turns->hosts, turns->role);
    mp_project *project = link ? OF(link, waiting) : NULL;
    if (project)
        mp_project_retain(project);
    mp_lock_give(&turns->lock);
    return project;
}

static mp_host *host_of(const mp_project *project) {
    return atomic_load_explicit(&project->host, memory_order_relaxed);
}

/* NULL: out of memory. */
static mp_host *find_host(mp_turns *turns, mp_project *project) {
    mp_host *host = host_of(project);
    if (!host) {
        host = mp_hosts_get(turns->hosts, project->config.base_url);
        atomic_store_explicit(&project->host, host, memory_order_relaxed);
    }
    return host;
}

bool mp_turns_may_start(mp_turns *turns, mp_project *project) {
    return mp_hosts_may_start(turns->hosts, find_host(turns, project));
}

void mp_turns_started(mp_turns *turns, mp_project *project) {
    mp_hosts_started(turns->hosts, host_of(project));
}

void mp_turns_ended(mp_turns *turns, mp_project *project, bool answered) {
    mp_hosts_ended(turns->hosts, host_of(project), answered);
}

bool mp_turns_any_may_start(mp_turns *turns) {
    return mp_hosts_any_may_start(turns->hosts, turns->role);
}

void mp_turns_wait(mp_turns *turns, mp_project *project) {
    mp_lock_take(&turns->lock);
    mp_turn *turn = turn_of(turns, project);
    mp_host *host = find_host(turns, project);
    if (!turn->over && !host)
        mark(turns, turn); /* out of memory: with the next round */
    if (!turn->over && host) {
        mp_hosts_wait(turns->hosts, turns->role, host, &turn->waiting);
        mp_ring_add(&turns->busy, &turn->busy);
    }
    mp_lock_give(&turns->lock);
}

/* Whoever gives it something to do behind the look at the project, marks it. */
void mp_turns_end(mp_turns *turns, mp_project *project, int64_t due_ms) {
    bool idle =
        due_ms == INT64_MAX && mp_project_idle_for(project, turns->role);
    mp_lock_take(&turns->lock);
    mp_turn *turn = turn_of(turns, project);
    if (!turn->over)
        set_due(turns, turn, due_ms);
    bool has_more =
        mp_ring_is_in(&turn->marked) || mp_ring_is_in(&turn->waiting);
    if (idle && !has_more && !turn->stays)
        mp_ring_remove(&turn->busy);
    mp_lock_give(&turns->lock);
}

int64_t mp_turns_due(mp_turns *turns) {
    mp_lock_take(&turns->lock);
    const mp_turn *first = first_due(turns);
    int64_t ms = first ? ms_of(first->due.key) : INT64_MAX;
    if (turns->n > 0)
        ms = INT64_MIN;
    mp_lock_give(&turns->lock);
    return ms;
}

/* ---- all that have something to do ---- */

/* The one behind `last`, which keeps its place among them, or the first if that
 * is NULL or was closed; with a reference. NULL: there is none. */
static mp_project *next_busy(mp_turns *turns, mp_project *last) {
    mp_lock_take(&turns->lock);
    const mp_turn *turn = last ? turn_of(turns, last) : NULL;
    bool goes_on = turn && mp_ring_is_in(&turn->busy);
    mp_ring *link = goes_on ? mp_ring_next(&turns->busy, &turn->busy)
                            : mp_ring_first(&turns->busy);
    mp_project *project = link ? OF(link, busy) : NULL;
    if (project) {
        turn_of(turns, project)->stays = true;
        mp_project_retain(project);
    }
    mp_lock_give(&turns->lock);
    return project;
}

void mp_turns_each(mp_turns *turns,
                   bool (*visit)(mp_project *project, void *user), void *user) {
    mp_project *project = next_busy(turns, NULL);
    while (project) {
        bool goes_on = visit(project, user);
        mp_project *next = goes_on ? next_busy(turns, project) : NULL;
        mp_project_release(project);
        project = next;
    }
}

/* ---- fork ---- */

static void each_busy(mp_turns *turns, void (*visit)(mp_project *project)) {
    mp_ring *link = mp_ring_first(&turns->busy);
    for (; link; link = mp_ring_next(&turns->busy, link))
        visit(OF(link, busy));
}

void mp_turns_before_fork(mp_turns *turns) {
    mp_lock_take(&turns->lock);
}

void mp_turns_hold_busy(mp_turns *turns) {
    each_busy(turns, mp_project_hold);
}

void mp_turns_in_parent(mp_turns *turns) {
    each_busy(turns, mp_project_let_go);
    mp_lock_give(&turns->lock);
}

void mp_turns_in_child(mp_turns *turns) {
    start(turns);
    mp_lock_after_fork_child(&turns->lock);
}
