/* The directories of a spool: <spool>/<project>/<run>/.
 *
 * A run is one process at work for one project. The process locks the run's
 * directory, and the lock ends with the process; the process that gets the lock
 * owns what is in the run. A directory that is not to be trusted is refused,
 * and so is a symbolic link. Thread: any. Locks: as file.h, since each function
 * blocks as long as the disk does. */
#ifndef MP_RUN_H
#define MP_RUN_H

#include "core/spool/trust.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mp_run {
    uint64_t id;
    int dir; /* locked; below 0: none */
} mp_run;

/* Is told what went wrong, and where. `message` is valid during the call. */
typedef struct mp_reporter {
    void (*report)(void *user, const char *message);
    void *user;
    uint64_t *newer; /* counts what a newer version of this module made; may
                      * be NULL */
} mp_reporter;

/* Reports that such a thing is left as it is, and counts it. */
void mp_report_newer(const mp_reporter *reporter, const char *name);

/* The project's directory of a spool. The texts are the caller's. */
typedef struct mp_run_place {
    const char *path;    /* of the spool */
    const char *project; /* the name of its directory there */
    mp_trust trust;
} mp_run_place;

/* Makes a run of this process, and the directories above it but for the
 * parent of the spool. Returns 0 or an errno value, with a message. */
int mp_run_new(const mp_run_place *place, mp_run *out,
               char message[MP_MESSAGE]);

/* Brings the names of the run's directory and of those above it to the disk. */
int mp_run_anchor(const mp_run_place *place, const mp_run *run,
                  char message[MP_MESSAGE]);

/* Removes its directory if nothing is left in it, and gives up the lock. */
void mp_run_end(const mp_run_place *place, mp_run *run);

/* The lock of the project's profiles, <project>/profiles.lock: of all processes
 * only its holder adopts runs with records whose order matters, oldest first,
 * so that what updates one profile or group arrives in order, whichever runs it
 * is in. Returns 0, EWOULDBLOCK if another has it, or an errno value, with a
 * message. A lock below 0 is none. */
int mp_run_lock_profiles(const mp_run_place *place, int *lock,
                         char message[MP_MESSAGE]);
void mp_run_unlock_profiles(const mp_run_place *place, int *lock);

/* The locks of a process that dies go one by one, in an order that only the
 * kernel knows. So the holder of the profiles marks each dead run with such
 * records that it adopts: a run that is locked and marked keeps the next holder
 * from those behind it. The mark is a file; `dir`: of the run. */
int mp_run_mark(int dir);
void mp_run_unmark(int dir);
bool mp_run_is_marked(int project, const char *name);
bool mp_run_is_mark(const char *name);

typedef struct mp_run_visitor {
    bool (*wants)(void *user); /* one more; asked before each */
    /* False: this one's lock is not even tried, or others who try it meanwhile
     * would take its process for a living one. */
    bool (*admits)(int project, const char *name, void *user);
    /* Its lock is another's, or the visitor's own. */
    void (*locked)(int project, const mp_run *run, const char *name,
                   void *user);
    /* With its lock held. True: the lock is the visitor's; else it is given
     * up, and the directory removed if nothing is left in it. */
    bool (*visit)(const mp_run *dead, void *user);
    void *user;
} mp_run_visitor;

/* Visits the runs of the project whose process is dead, in the order of their
 * starts. `foreign`: how many other projects have runs here. Tells what had to
 * be passed over. Returns 0 or an errno value, with a message. */
int mp_run_visit_dead(const mp_run_place *place, const mp_run_visitor *visitor,
                      const mp_reporter *reporter, uint64_t *foreign,
                      char message[MP_MESSAGE]);

/* The runs of the project in the order of their starts, for free(). Returns 0
 * or an errno value, with a message. */
int mp_run_list(const mp_run_place *place, uint64_t **runs, size_t *n,
                char message[MP_MESSAGE]);

/* Opens the project's directory, for mp_file_close. */
int mp_run_open_project(const mp_run_place *place, int *dir,
                        char message[MP_MESSAGE]);

/* What is known of a run without owning it. */
typedef struct mp_run_seen {
    uint64_t id;
    int dir;     /* open for reading, and not locked; below 0: see `err` */
    int err;     /* why it cannot be read; 0: it can */
    bool alive;  /* its process holds the lock */
    int64_t pid; /* of that process; 0: not known */
} mp_run_seen;

/* Calls `visit` for each run of the project, in the order of their starts,
 * and changes nothing: a lock is tried and given back at once. Returns 0 or an
 * errno value, with a message; ENOENT: there is no such spool. A project that
 * has nothing in it has no run. */
int mp_run_visit_all(const mp_run_place *place,
                     void (*visit)(const mp_run_seen *run, void *user),
                     void *user, uint64_t *foreign, char message[MP_MESSAGE]);

#endif
