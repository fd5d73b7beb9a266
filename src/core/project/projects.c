#include "core/project/projects.h"

#include "core/os/lock.h"
#include "core/os/random.h"
#include "core/project/project_state.h"

#include <stdlib.h>

/* Order of locks: this one, those of the turns, the sender's first, then that
 * of project_fork.c and a project's; that of the hosts comes behind the turns.
 */
struct mp_projects {
    mp_lock lock;
    mp_table by_key; /* those with one directory have one hash */
    uint64_t seed;
    mp_ring on_disk;
    uint64_t opened; /* projects so far */
    mp_hosts hosts;
    mp_turns *turns[MP_THREADS];
};

static bool make_turns(mp_projects *projects) {
    bool made = mp_hosts_init(&projects->hosts);
    for (int i = 0; made && i < MP_THREADS; i++) {
        projects->turns[i] = mp_turns_new((mp_role)i, &projects->hosts);
        made = projects->turns[i] != NULL;
    }
    return made;
}

static void free_turns(mp_projects *projects) {
    for (int i = 0; i < MP_THREADS; i++)
        mp_turns_free(projects->turns[i]);
}

mp_projects *mp_projects_new(void) {
    mp_projects *projects = calloc(1, sizeof *projects);
    if (!projects || !make_turns(projects) ||
        mp_lock_init(&projects->lock) != MP_OK) {
        if (projects)
            free_turns(projects);
        free(projects);
        return NULL;
    }
    projects->seed = mp_random_bits();
    mp_ring_init(&projects->on_disk);
    return projects;
}

mp_turns *mp_projects_turns(mp_projects *projects, mp_role role) {
    return projects->turns[role];
}

unsigned mp_projects_mark(mp_projects *projects, mp_project *project) {
    mp_project_touch(project);
    mp_role role = mp_project_role(project);
    unsigned marked = MP_THREAD(role);
    if (mp_project_needs_disk(project))
        marked |= MP_THREAD(MP_DISK);
    for (int i = 0; i < MP_THREADS; i++)
        if (marked & MP_THREAD(i))
            mp_turns_mark(projects->turns[i], project);
    return marked;
}

unsigned mp_projects_mark_records(mp_projects *projects, mp_project *project) {
    mp_role role = mp_project_role(project);
    mp_turns_mark(projects->turns[role], project);
    return MP_THREAD(role);
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
    listed->in = true;
    if (mp_project_on_disk(project))
        mp_ring_add(&projects->on_disk, &listed->on_disk);
    return project;
}

static void take_out(mp_projects *projects, mp_project *project) {
    mp_table_remove(&projects->by_key, &project->listed.key);
    project->listed.in = false;
    mp_ring_remove(&project->listed.on_disk);
    for (int i = 0; i < MP_THREADS; i++)
        mp_turns_forget(projects->turns[i], project);
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

/* Of several projects with one directory the first that is open adopts; or one
 * that is closed, as at the end of a script, while it still has records.
 * Returns as mp_projects_mark. */
static unsigned choose_adopter(mp_projects *projects, mp_project *project) {
    if (!mp_project_on_disk(project))
        return 0;
    mp_project *adopter = find_adopter(projects, project);
    mp_project_adopts(project, project == adopter ||
                                   (!adopter && !mp_project_idle(project)));
    if (!adopter || adopter == project)
        return 0;
    mp_project_adopts(adopter, true);
    return mp_projects_mark(projects, adopter);
}

/* ---- life ---- */

static mp_project *get_or_add(mp_projects *projects, mp_config *config,
                              bool *is_new) {
    uint64_t hash = mp_config_hash(config, projects->seed);
    mp_project *project = find(projects, config, hash);
    *is_new = !project;
    if (!project)
        return add(projects, config, hash);
    mp_config_free(config);
    return project;
}

mp_project *mp_projects_open(mp_projects *projects, mp_config *config,
                             mp_overrides *client, unsigned *threads) {
    mp_project *unused = NULL;
    *threads = 0;
    mp_lock_take(&projects->lock);
    bool is_new;
    mp_project *project = get_or_add(projects, config, &is_new);
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
        *threads = choose_adopter(projects, project);
        if (!is_new || mp_project_on_disk(project))
            *threads |= mp_projects_mark(projects, project);
    }
    mp_lock_give(&projects->lock);
    if (unused)
        mp_project_release(unused);
    return project;
}

/* With the lock held: true if it is in the list and nothing needs it there. */
static bool is_over(mp_project *project) {
    return project->holders == 0 && project->listed.in &&
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
        mp_projects_mark(projects, project);
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

/* With a reference; NULL: `last` was the last. There are no turns any more, so
 * none leaves the list. */
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
    for (int i = 0; i < MP_THREADS; i++)
        mp_turns_before_fork(projects->turns[i]);
    mp_project_begin_fork();
    for (int i = 0; i < MP_THREADS; i++)
        mp_turns_hold_busy(projects->turns[i]);
    mp_hosts_before_fork(&projects->hosts);
}

void mp_projects_in_parent(mp_projects *projects) {
    mp_hosts_in_parent(&projects->hosts);
    for (int i = 0; i < MP_THREADS; i++)
        mp_turns_in_parent(projects->turns[i]);
    mp_project_end_fork_in_parent();
    mp_lock_give(&projects->lock);
}

void mp_projects_in_child(mp_projects *projects) {
    for (int i = 0; i < MP_THREADS; i++)
        mp_turns_in_child(projects->turns[i]);
    mp_hosts_in_child(&projects->hosts);
    mp_project_end_fork_in_child();
    mp_lock_after_fork_child(&projects->lock);
}
