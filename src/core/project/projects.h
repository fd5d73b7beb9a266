/* The open projects of the process. Thread: any. Locks: each function takes the
 * lock of the list itself, and it comes before a project's; those around fork
 * keep it. */
#ifndef MP_PROJECTS_H
#define MP_PROJECTS_H

#include "core/project/project.h"

typedef struct mp_projects mp_projects;

mp_projects *mp_projects_new(void); /* NULL: out of memory */

/* The project of this config, there already or new, with what this client
 * says of its settings in force and one holder more. Takes over the config
 * and, if it goes well, `client`. NULL: out of memory. */
mp_project *mp_projects_open(mp_projects *projects, mp_config *config,
                             mp_overrides *client);

/* One holder less. Does not wait for the disk: a project with a spool is freed
 * by a later mp_projects_sweep. */
void mp_projects_close(mp_projects *projects, mp_project *project);

/* Forgets the projects that have neither a holder nor a record left. Blocks as
 * long as the disk does. */
void mp_projects_sweep(mp_projects *projects);

/* Calls `visit` for each project until it returns false; no lock is held
 * meanwhile. Projects are numbered; the walk begins with number `first` or
 * the next there is, and comes round to those before. Returns the number of
 * the project for which `visit` returned false, so that the next walk may
 * begin there; else 0, which is before every number. */
uint64_t mp_projects_walk(mp_projects *projects, uint64_t first,
                          bool (*visit)(mp_project *project, void *user),
                          void *user);

/* A walk that begins with the oldest project. */
void mp_projects_each(mp_projects *projects,
                      bool (*visit)(mp_project *project, void *user),
                      void *user);

/* Around fork: takes every lock there is, and gives it back in the parent;
 * in the child every project starts anew. */
void mp_projects_before_fork(mp_projects *projects);
void mp_projects_in_parent(mp_projects *projects);
void mp_projects_in_child(mp_projects *projects);

#endif
