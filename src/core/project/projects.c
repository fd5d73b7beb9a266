#include "core/project/projects.h"

#include "core/os/lock.h"

#include <stdlib.h>

enum {
    AT_ONCE = 16 /* projects that a walk takes out of the list at a time */
};

typedef struct node {
    struct node *next;
    uint64_t number;     /* rising along the list */
    mp_project *project; /* a reference */
    uint32_t holders;
} node;

/* Order of locks: this one, then a project's. */
struct mp_projects {
    mp_lock lock;
    node *list;
    uint64_t opened; /* projects so far */
};

mp_projects *mp_projects_new(void) {
    mp_projects *projects = calloc(1, sizeof *projects);
    if (projects && mp_lock_init(&projects->lock) != MP_OK) {
        free(projects);
        return NULL;
    }
    return projects;
}

/* With the lock held: adds a project, newest last. */
static node *add(mp_projects *projects, mp_config *config) {
    node *fresh = calloc(1, sizeof *fresh);
    if (!fresh) {
        mp_config_free(config);
        return NULL;
    }
    fresh->project = mp_project_new(config);
    if (!fresh->project) {
        free(fresh);
        return NULL;
    }
    fresh->number = ++projects->opened;
    node **end = &projects->list;
    while (*end)
        end = &(*end)->next;
    *end = fresh;
    return fresh;
}

/* With the lock held: of several projects with one directory the first that
 * is open adopts. */
static void choose_adopters(mp_projects *projects) {
    for (node *n = projects->list; n; n = n->next) {
        bool adopts = n->holders > 0 && mp_project_on_disk(n->project);
        for (const node *m = projects->list; m != n && adopts; m = m->next)
            adopts = m->holders == 0 ||
                     !mp_project_same_disk(m->project, n->project);
        mp_project_adopts(n->project, adopts);
    }
}

mp_project *mp_projects_open(mp_projects *projects, mp_config *config,
                             mp_overrides *client) {
    mp_lock_take(&projects->lock);
    node *n = projects->list;
    while (n && !mp_config_same(mp_project_config(n->project), config))
        n = n->next;
    if (n)
        mp_config_free(config);
    else
        n = add(projects, config);
    if (n && mp_project_add_client(n->project, client) != MP_OK)
        n = NULL; /* without a holder, the next sweep takes it */
    if (n) {
        n->holders++;
        mp_project_retain(n->project);
        choose_adopters(projects);
    }
    mp_lock_give(&projects->lock);
    return n ? n->project : NULL;
}

/* `disk`: also those whose end takes work on the disk. */
static void sweep(mp_projects *projects, bool disk) {
    node *gone = NULL;
    mp_lock_take(&projects->lock);
    for (node **at = &projects->list; *at;) {
        node *n = *at;
        if (n->holders == 0 && (disk || !mp_project_on_disk(n->project)) &&
            mp_project_idle(n->project)) {
            *at = n->next;
            n->next = gone;
            gone = n;
        } else {
            at = &n->next;
        }
    }
    mp_lock_give(&projects->lock);
    while (gone) {
        node *next = gone->next;
        mp_project_release(gone->project);
        free(gone);
        gone = next;
    }
}

void mp_projects_close(mp_projects *projects, mp_project *project) {
    mp_lock_take(&projects->lock);
    for (node *n = projects->list; n; n = n->next)
        if (n->project == project)
            n->holders--;
    choose_adopters(projects);
    mp_lock_give(&projects->lock);
    mp_project_release(project);
    sweep(projects, false);
}

void mp_projects_sweep(mp_projects *projects) {
    sweep(projects, true);
}

/* ---- walks ---- */

typedef struct stop {
    uint64_t number;
    mp_project *project; /* a reference */
} stop;

/* The next projects with numbers from `first` up to, without, `end`. */
static size_t gather(mp_projects *projects, uint64_t first, uint64_t end,
                     stop out[AT_ONCE]) {
    size_t n = 0;
    mp_lock_take(&projects->lock);
    for (node *at = projects->list; at && n < AT_ONCE; at = at->next) {
        if (at->number < first || at->number >= end)
            continue;
        mp_project_retain(at->project);
        out[n++] = (stop){at->number, at->project};
    }
    mp_lock_give(&projects->lock);
    return n;
}

/* Places in the list would not do to go on from: other threads remove what
 * lies before them. */
static uint64_t walk(mp_projects *projects, uint64_t first, uint64_t end,
                     bool (*visit)(mp_project *project, void *user),
                     void *user) {
    stop stops[AT_ONCE];
    uint64_t ended = 0;
    size_t n;
    do {
        n = gather(projects, first, end, stops);
        for (size_t i = 0; i < n; i++) {
            if (ended == 0 && !visit(stops[i].project, user))
                ended = stops[i].number;
            mp_project_release(stops[i].project);
            first = stops[i].number + 1;
        }
    } while (n == AT_ONCE && ended == 0);
    return ended;
}

uint64_t mp_projects_walk(mp_projects *projects, uint64_t first,
                          bool (*visit)(mp_project *project, void *user),
                          void *user) {
    uint64_t ended = walk(projects, first, UINT64_MAX, visit, user);
    return ended ? ended : walk(projects, 0, first, visit, user);
}

void mp_projects_each(mp_projects *projects,
                      bool (*visit)(mp_project *project, void *user),
                      void *user) {
    mp_projects_walk(projects, 0, visit, user);
}

/* ---- fork ---- */

void mp_projects_before_fork(mp_projects *projects) {
    mp_lock_take(&projects->lock);
    for (node *n = projects->list; n; n = n->next)
        mp_project_before_fork(n->project);
}

void mp_projects_in_parent(mp_projects *projects) {
    for (node *n = projects->list; n; n = n->next)
        mp_project_in_parent(n->project);
    mp_lock_give(&projects->lock);
}

void mp_projects_in_child(mp_projects *projects) {
    for (node *n = projects->list; n; n = n->next)
        mp_project_in_child(n->project, (int)n->holders + 1);
    mp_lock_after_fork_child(&projects->lock);
}
