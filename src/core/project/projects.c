#include "core/project/projects.h"

#include "core/os/lock.h"
#include "core/os/random.h"
#include "core/project/project_state.h"

#include <stdlib.h>

/* Order of locks: this one, a project's, that of the turns. */
struct mp_projects {
    mp_lock lock;
    mp_table by_key; /* those with one directory have one hash */
    uint64_t seed;
    mp_ring all, on_disk;
    uint64_t opened; /* projects so far */
    mp_turns *turns;
    mp_project *flagged; /* during a fork: those with flags */
};

mp_projects *mp_projects_new(void) {
    mp_projects *projects = calloc(1, sizeof *projects);
    mp_turns *turns = mp_turns_new();
    if (!projects || !turns || mp_lock_init(&projects->lock) != MP_OK) {
        free(projects);
        mp_turns_free(turns);
        return NULL;
    }
    projects->turns = turns;
    projects->seed = mp_random_bits();
    mp_ring_init(&projects->all);
    mp_ring_init(&projects->on_disk);
    return projects;
}

mp_turns *mp_projects_turns(mp_projects *projects) {
    return projects->turns;
}

/* ---- the list, with its lock held ---- */

static mp_project *find(const mp_projects *projects, const mp_config *config,
                        uint64_t hash) {
    mp_link *link = mp_table_first(&projects->by_key, hash);
    while (link &&
           !mp_config_same(
               &MP_TABLE_THING(link, mp_project, listed.key)->config, config))
        link = mp_table_next(link);
    return MP_TABLE_THING(link, mp_project, listed.key);
}

static mp_project *add(mp_projects *projects, mp_config *config,
                       uint64_t hash) {
    mp_project *project = mp_project_new(config);
    if (!project)
        return NULL;
    mp_listed *listed = &project->listed;
    if (mp_table_add(&projects->by_key, &listed->key, hash) != MP_OK) {
        mp_project_release(project);
        return NULL;
    }
    listed->number = ++projects->opened;
    mp_ring_add(&projects->all, &listed->all);
    if (mp_project_on_disk(project))
        mp_ring_add(&projects->on_disk, &listed->on_disk);
    return project;
}

static void take_out(mp_projects *projects, mp_project *project) {
    mp_table_remove(&projects->by_key, &project->listed.key);
    mp_ring_remove(&project->listed.all);
    mp_ring_remove(&project->listed.on_disk);
    mp_turns_forget(projects->turns, project);
}

/* The first of the projects with that directory that is open; NULL: none. */
static mp_project *find_adopter(const mp_projects *projects,
                                const mp_project *like) {
    mp_project *first = NULL;
    mp_link *link = mp_table_first(&projects->by_key, like->listed.key.hash);
    for (; link; link = mp_table_next(link)) {
        mp_project *p = MP_TABLE_THING(link, mp_project, listed.key);
        if (p->holders > 0 && mp_project_same_disk(p, like) &&
            (!first || p->listed.number < first->listed.number))
            first = p;
    }
    return first;
}

/* Of several projects with one directory the first that is open adopts. */
static void choose_adopter(mp_projects *projects, mp_project *project) {
    if (!mp_project_on_disk(project))
        return;
    mp_project *adopter = find_adopter(projects, project);
    mp_project_adopts(project, project == adopter);
    if (!adopter || adopter == project)
        return;
    mp_project_adopts(adopter, true);
    mp_turns_mark(projects->turns, adopter);
}

/* ---- life ---- */

static mp_project *get_or_add(mp_projects *projects, mp_config *config) {
    uint64_t hash = mp_config_hash(config, projects->seed);
    mp_project *project = find(projects, config, hash);
    if (!project)
        return add(projects, config, hash);
    mp_config_free(config);
    return project;
}

mp_project *mp_projects_open(mp_projects *projects, mp_config *config,
                             mp_overrides *client) {
    mp_project *unused = NULL;
    mp_lock_take(&projects->lock);
    mp_project *project = get_or_add(projects, config);
    if (project)
        mp_project_touch(project);
    if (project && mp_project_add_client(project, client) != MP_OK) {
        if (project->holders == 0 && mp_project_idle(project))
            take_out(projects, unused = project);
        project = NULL;
    }
    if (project) {
        project->holders++;
        mp_project_retain(project);
        choose_adopter(projects, project);
        mp_turns_mark(projects->turns, project);
    }
    mp_lock_give(&projects->lock);
    if (unused)
        mp_project_release(unused);
    return project;
}

/* With the lock held: true if it is in the list and nothing needs it there. */
static bool is_over(mp_project *project) {
    return project->holders == 0 && mp_ring_is_in(&project->listed.all) &&
           mp_project_idle(project);
}

void mp_projects_close(mp_projects *projects, mp_project *project) {
    bool on_disk = mp_project_on_disk(project), over = false;
    mp_lock_take(&projects->lock);
    mp_project_touch(project);
    project->holders--;
    choose_adopter(projects, project);
    if (!on_disk && is_over(project)) {
        over = true;
        take_out(projects, project);
    } else {
        mp_turns_mark(projects->turns, project);
    }
    mp_lock_give(&projects->lock);
    if (over)
        mp_project_release(project);
    mp_project_release(project);
}

void mp_projects_sweep(mp_projects *projects, mp_project *project) {
    mp_lock_take(&projects->lock);
    bool over = is_over(project);
    if (over)
        take_out(projects, project);
    mp_lock_give(&projects->lock);
    if (over)
        mp_project_release(project);
}

/* With a reference; NULL: `last` was the last. The sender has ended, so none
 * leaves the list. */
static mp_project *next_on_disk(mp_projects *projects, mp_project *last) {
    mp_lock_take(&projects->lock);
    mp_ring *link =
        last ? mp_ring_next(&projects->on_disk, &last->listed.on_disk)
             : mp_ring_first(&projects->on_disk);
    mp_project *next =
        link ? MP_RING_THING(link, mp_project, listed.on_disk) : NULL;
    if (next)
        mp_project_retain(next);
    mp_lock_give(&projects->lock);
    return next;
}

void mp_projects_finish(mp_projects *projects) {
    mp_project *project = next_on_disk(projects, NULL);
    while (project) {
        if (!mp_project_is_of_parent(project))
            mp_project_finish(project);
        mp_project *next = next_on_disk(projects, project);
        mp_project_release(project);
        project = next;
    }
}

/* ---- fork ---- */

void mp_projects_before_fork(mp_projects *projects) {
    mp_lock_take(&projects->lock);
    mp_project_begin_fork();
    projects->flagged = NULL;
    mp_ring *link = mp_ring_first(&projects->all);
    for (; link; link = mp_ring_next(&projects->all, link)) {
        mp_project *p = MP_RING_THING(link, mp_project, listed.all);
        if (mp_project_is_of_parent(p))
            continue;
        mp_project_before_fork(p);
        if (!mp_project_flags(p))
            continue;
        p->next_flagged = projects->flagged;
        projects->flagged = p;
    }
    mp_turns_before_fork(projects->turns);
}

void mp_projects_in_parent(mp_projects *projects) {
    mp_turns_in_parent(projects->turns);
    mp_ring *link = mp_ring_first(&projects->all);
    for (; link; link = mp_ring_next(&projects->all, link)) {
        mp_project *p = MP_RING_THING(link, mp_project, listed.all);
        if (!mp_project_is_of_parent(p))
            mp_project_in_parent(p);
    }
    mp_project_end_fork_in_parent();
    mp_lock_give(&projects->lock);
}

/* Clients hold the flags themselves, and may use them without a look at the
 * project. */
void mp_projects_in_child(mp_projects *projects) {
    mp_turns_in_child(projects->turns);
    mp_project_end_fork_in_child();
    mp_lock_after_fork_child(&projects->lock);
    for (mp_project *p = projects->flagged; p; p = p->next_flagged)
        mp_project_touch(p);
}
