#include "projects.h"

#include <pthread.h>
#include <stdlib.h>

typedef struct node {
    struct node *next;
    mp_project *project; /* a reference */
    uint32_t holders;
} node;

/* Order of locks: this one, then a project's. */
struct mp_projects {
    pthread_mutex_t lock;
    node *list;
};

mp_projects *mp_projects_new(void) {
    mp_projects *projects = calloc(1, sizeof *projects);
    if (projects && pthread_mutex_init(&projects->lock, NULL) != 0) {
        free(projects);
        return NULL;
    }
    return projects;
}

/* With the lock held: adds a project, newest last, so that each is asked in
 * the order of opening. */
static node *add(mp_projects *projects, mp_config *config,
                 mp_settings *settings) {
    node *fresh = calloc(1, sizeof *fresh);
    if (!fresh) {
        mp_config_free(config);
        mp_settings_release(settings);
        return NULL;
    }
    fresh->project = mp_project_new(config, settings);
    if (!fresh->project) {
        free(fresh);
        return NULL;
    }
    node **end = &projects->list;
    while (*end)
        end = &(*end)->next;
    *end = fresh;
    return fresh;
}

mp_project *mp_projects_open(mp_projects *projects, mp_config *config,
                             mp_settings *settings) {
    pthread_mutex_lock(&projects->lock);
    node *n = projects->list;
    while (n && !mp_config_same(mp_project_config(n->project), config))
        n = n->next;
    if (n) {
        mp_project_configure(n->project, settings);
        mp_config_free(config);
    } else {
        n = add(projects, config, settings);
    }
    if (n) {
        n->holders++;
        mp_project_retain(n->project);
    }
    pthread_mutex_unlock(&projects->lock);
    return n ? n->project : NULL;
}

void mp_projects_close(mp_projects *projects, mp_project *project) {
    pthread_mutex_lock(&projects->lock);
    for (node *n = projects->list; n; n = n->next)
        if (n->project == project)
            n->holders--;
    pthread_mutex_unlock(&projects->lock);
    mp_project_release(project);
    mp_projects_sweep(projects);
}

void mp_projects_sweep(mp_projects *projects) {
    node *gone = NULL;
    pthread_mutex_lock(&projects->lock);
    for (node **at = &projects->list; *at;) {
        node *n = *at;
        if (n->holders == 0 && mp_project_idle(n->project)) {
            *at = n->next;
            n->next = gone;
            gone = n;
        } else {
            at = &n->next;
        }
    }
    pthread_mutex_unlock(&projects->lock);
    while (gone) {
        node *next = gone->next;
        mp_project_release(gone->project);
        free(gone);
        gone = next;
    }
}

void mp_projects_each(mp_projects *projects,
                      bool (*visit)(mp_project *project, void *user),
                      void *user) {
    bool go_on = true;
    for (size_t i = 0; go_on; i++) {
        mp_project *project = NULL;
        pthread_mutex_lock(&projects->lock);
        node *n = projects->list;
        for (size_t k = 0; n && k < i; k++)
            n = n->next;
        if (n) {
            project = n->project;
            mp_project_retain(project);
        }
        pthread_mutex_unlock(&projects->lock);
        if (!project)
            return;
        go_on = visit(project, user);
        mp_project_release(project);
    }
}

void mp_projects_before_fork(mp_projects *projects) {
    pthread_mutex_lock(&projects->lock);
    for (node *n = projects->list; n; n = n->next)
        mp_project_before_fork(n->project);
}

void mp_projects_in_parent(mp_projects *projects) {
    for (node *n = projects->list; n; n = n->next)
        mp_project_in_parent(n->project);
    pthread_mutex_unlock(&projects->lock);
}

void mp_projects_in_child(mp_projects *projects) {
    for (node *n = projects->list; n; n = n->next)
        mp_project_in_child(n->project, (int)n->holders + 1);
    pthread_mutex_init(&projects->lock, NULL);
}
