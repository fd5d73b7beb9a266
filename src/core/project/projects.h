/* The open projects of the process. Thread: any. Locks: each function takes the
 * lock of the list itself, and it comes before a project's; those around fork
 * keep it. */
#ifndef MP_PROJECTS_H
#define MP_PROJECTS_H

#include "core/project/project.h"
#include "core/project/turns.h"

typedef struct mp_projects mp_projects;

mp_projects *mp_projects_new(void); /* NULL: out of memory */

/* Who of them that thread visits. */
mp_turns *mp_projects_turns(mp_projects *projects, mp_role role);

/* Something happened to the project, which gets a turn of each thread that may
 * have to do something about it. The caller wakes these, which are returned. */
unsigned mp_projects_mark(mp_projects *projects, mp_project *project);

/* The same where records came, and nothing else. */
unsigned mp_projects_mark_records(mp_projects *projects, mp_project *project);

/* The project of this config, there already or new, with what this client
 * says of its settings in force and one holder more. Takes over the config
 * and, if it goes well, `client`. NULL: out of memory. Ensures: it gets a
 * turn, if there is anything to do; *threads: as mp_projects_mark. */
mp_project *mp_projects_open(mp_projects *projects, mp_config *config,
                             mp_overrides *client, unsigned *threads);

/* One holder less. Does not wait for the disk: a project with a spool is freed
 * by a later mp_projects_sweep, for which it gets a turn; and so does another
 * that adopts in its place. */
void mp_projects_close(mp_projects *projects, mp_project *project);

/* Forgets the project if it has neither a holder nor a record left. Blocks as
 * long as the disk does. */
void mp_projects_sweep(mp_projects *projects, mp_project *project);

/* For the end of the process: calls mp_project_finish for each that was used in
 * this process. */
void mp_projects_finish(mp_projects *projects);

/* Around fork: takes every lock but those of projects that have nothing to do,
 * and gives it back in the parent; in the child each project starts anew when
 * it is first used. */
void mp_projects_before_fork(mp_projects *projects);
void mp_projects_in_parent(mp_projects *projects);
void mp_projects_in_child(mp_projects *projects);

#endif
