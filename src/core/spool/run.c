#include "core/spool/run.h"

#include "core/os/clock.h"
#include "core/os/file.h"
#include "core/os/locker.h"
#include "core/os/random.h"
#include "core/os/syserr.h"
#include "core/record/batch_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PROJECT_NAME = 32, /* hex digits */
    ATTEMPTS = 16      /* at a directory that others remove meanwhile */
};

static void say_why(char message[MP_MESSAGE], const char *what,
                    const char *name, const char *why) {
    snprintf(message, MP_MESSAGE, "spool: %s %.110s: %.100s", what, name, why);
}

void mp_report_newer(const mp_reporter *reporter, const char *name) {
    char message[MP_MESSAGE];
    say_why(message, "passed over", name,
            "a newer version of this module made it, and it is left as it is");
    reporter->report(reporter->user, message);
    if (reporter->newer)
        ++*reporter->newer;
}

static int say(char message[MP_MESSAGE], const char *what, const char *name,
               int err) {
    char text[MP_SYSERR];
    say_why(message, what, name, mp_syserr_text(err, text));
    return err;
}

/* Opens a directory; `make`: makes it first if need be. `what` is for the
 * message. */
static int enter(int at, const char *name, bool make, const mp_run_place *place,
                 int *dir, const char *what, char message[MP_MESSAGE]) {
    char why[MP_MESSAGE];
    *dir = -1;
    int err = make ? mp_file_mkdir(at, name) : 0;
    if (err == 0 || err == EEXIST)
        err = mp_file_open_dir(at, name, dir);
    if (err != 0)
        return say(message, what, name, err);
    err = mp_trust_check(*dir, place->trust, why);
    if (err != 0) {
        say_why(message, what, name, why);
        mp_file_close(*dir);
        *dir = -1;
    }
    return err;
}

/* Opens the project's directory and, if wanted, the spool's. */
static int enter_project(const mp_run_place *place, bool make, int *root,
                         int *dir, char message[MP_MESSAGE]) {
    *dir = -1;
    int err = enter(MP_FILE_HERE, place->path, make, place, root, "cannot use",
                    message);
    if (err != 0)
        return err;
    return enter(*root, place->project, make, place, dir,
                 "cannot use the directory", message);
}

static bool find_last(const char *name, void *user) {
    uint64_t *last = user, run;
    if (mp_batch_file_parse_run(name, &run) && run > *last)
        *last = run;
    return true;
}

/* Makes and locks a run's directory. Until it is locked it looks like that of
 * a dead run, which others remove: ENOENT or EWOULDBLOCK then. */
static int try_new(int project, mp_run *out) {
    char name[MP_BATCH_FILE_NAME];
    uint64_t last = 0;
    mp_file_list(project, find_last, &last); /* else the clock must do */
    out->id = mp_batch_file_new_run(mp_clock_wall_ms(), mp_random_bits(), last);
    mp_batch_file_run_name(out->id, name);
    int err = mp_file_mkdir(project, name);
    if (err == 0) {
        err = mp_file_lock_dir(project, name, &out->dir);
        if (err != 0 && err != EWOULDBLOCK)
            mp_file_rmdir(project, name);
    }
    return err;
}

int mp_run_new(const mp_run_place *place, mp_run *out,
               char message[MP_MESSAGE]) {
    int err = EBUSY;
    for (int i = 0; i < ATTEMPTS; i++) {
        int root, dir;
        err = enter_project(place, true, &root, &dir, message);
        bool entered = err == 0;
        if (entered)
            err = try_new(dir, out);
        mp_file_close(dir);
        mp_file_close(root);
        if (err == 0)
            return 0;
        if (err != ENOENT && err != EWOULDBLOCK && err != EEXIST) {
            out->dir = -1;
            return entered ? say(message, "cannot make and lock a directory in",
                                 place->path, err)
                           : err;
        }
    }
    out->dir = -1;
    return say(message, "cannot make a directory in", place->path, err);
}

int mp_run_anchor(const mp_run_place *place, const mp_run *run,
                  char message[MP_MESSAGE]) {
    char name[MP_BATCH_FILE_NAME];
    int root, dir;
    int err = enter_project(place, false, &root, &dir, message);
    bool entered = err == 0;
    mp_batch_file_run_name(run->id, name);
    if (entered)
        err = mp_file_sync_parent(dir, name);
    if (err == 0)
        err = mp_file_sync_parent(root, place->project);
    if (err == 0)
        err = mp_file_sync_parent(MP_FILE_HERE, place->path);
    mp_file_close(dir);
    mp_file_close(root);
    if (err == ENOENT) /* somebody removed them; there is nothing to sync */
        return 0;
    return entered && err != 0 ? say(message, "cannot sync", place->path, err)
                               : err;
}

void mp_run_end(const mp_run_place *place, mp_run *run) {
    char name[MP_BATCH_FILE_NAME], ignored[MP_MESSAGE];
    int root, dir;
    if (run->dir < 0)
        return;
    mp_batch_file_run_name(run->id, name);
    /* Each fails while there is something in the directory. */
    if (enter_project(place, false, &root, &dir, ignored) == 0 &&
        mp_file_rmdir(dir, name) == 0)
        mp_file_rmdir(root, place->project);
    mp_file_unlock_dir(run->dir);
    mp_file_close(dir);
    mp_file_close(root);
    run->dir = -1;
}

/* ---- the lock of the profiles ---- */

static const char profiles_lock[] = "profiles.lock";

int mp_run_lock_profiles(const mp_run_place *place, int *lock,
                         char message[MP_MESSAGE]) {
    int root, dir;
    *lock = -1;
    int err = enter_project(place, false, &root, &dir, message);
    bool entered = err == 0;
    for (int i = 0; i < ATTEMPTS && entered; i++) { /* others remove it */
        err = mp_file_mkdir(dir, profiles_lock);
        if (err == 0 || err == EEXIST)
            err = mp_file_lock_dir(dir, profiles_lock, lock);
        if (err != ENOENT)
            break;
    }
    mp_file_close(dir);
    mp_file_close(root);
    if (err != 0)
        *lock = -1;
    return entered && err != 0 && err != EWOULDBLOCK
               ? say(message, "cannot lock", profiles_lock, err)
               : err;
}

void mp_run_unlock_profiles(const mp_run_place *place, int *lock) {
    char ignored[MP_MESSAGE];
    int root, dir;
    if (*lock < 0)
        return;
    if (enter_project(place, false, &root, &dir, ignored) == 0)
        mp_file_rmdir(dir, profiles_lock);
    mp_file_unlock_dir(*lock);
    mp_file_close(dir);
    mp_file_close(root);
    *lock = -1;
}

/* ---- dead runs ---- */

/* Names of directories, sorted. */
typedef struct names {
    uint64_t *runs;
    size_t count, room;
    bool full;                   /* out of memory */
    const mp_reporter *reporter; /* NULL: nobody is told of newer ones */
} names;

static bool collect_run(const char *name, void *user) {
    names *all = user;
    uint64_t run;
    if (all->reporter && mp_batch_file_is_newer(name))
        mp_report_newer(all->reporter, name);
    if (!mp_batch_file_parse_run(name, &run))
        return true;
    if (all->count == all->room) {
        size_t room = all->room ? 2 * all->room : 64;
        uint64_t *grown = realloc(all->runs, room * sizeof *grown);
        if (!grown) {
            all->full = true;
            return false;
        }
        all->runs = grown;
        all->room = room;
    }
    all->runs[all->count++] = run;
    return true;
}

static int by_start(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void visit_run(const mp_run_place *place, int project, uint64_t id,
                      const mp_run_visitor *visitor,
                      const mp_reporter *reporter) {
    char name[MP_BATCH_FILE_NAME], message[MP_MESSAGE], why[MP_MESSAGE];
    char text[MP_SYSERR];
    mp_run dead = {.id = id};
    mp_batch_file_run_name(id, name);
    if (!visitor->admits(project, name, visitor->user))
        return;
    int err = mp_file_lock_dir(project, name, &dead.dir);
    if (err == EWOULDBLOCK) /* alive, or adopted */
        visitor->locked(project, &dead, name, visitor->user);
    if (err == EWOULDBLOCK || err == ENOENT)
        return;
    snprintf(why, sizeof why, "%s", mp_syserr_text(err, text));
    bool kept = false;
    if (err == 0) {
        err = mp_trust_check(dead.dir, place->trust, why);
        kept = err == 0 && visitor->visit(&dead, visitor->user);
        if (err == 0 && !kept)
            mp_file_rmdir(project, name); /* unless something is left */
        if (!kept)
            mp_file_unlock_dir(dead.dir);
    }
    if (err != 0) {
        say_why(message, "passed over the directory", name, why);
        reporter->report(reporter->user, message);
    }
}

/* Counts the projects other than the one named. */
typedef struct count {
    const char *project;
    uint64_t others;
} count;

static bool count_project(const char *name, void *user) {
    count *seen = user;
    if (strlen(name) == PROJECT_NAME &&
        strspn(name, "0123456789abcdef") == PROJECT_NAME &&
        strcmp(name, seen->project) != 0)
        seen->others++;
    return true;
}

/* Opens the project's directory and finds its runs, in the order of their
 * starts. ENOENT: nothing was ever left here; else there is a message. */
static int find_runs(const mp_run_place *place, int *root, int *dir,
                     names *found, uint64_t *foreign,
                     char message[MP_MESSAGE]) {
    count seen = {place->project, 0};
    int err = enter_project(place, false, root, dir, message);
    if (*root >= 0 && mp_file_list(*root, count_project, &seen) == 0)
        *foreign = seen.others;
    if (err != 0)
        return err;
    err = mp_file_list(*dir, collect_run, found);
    if (err == 0 && found->full)
        err = ENOMEM;
    if (err != 0)
        say(message, "cannot list", place->path, err);
    if (found->count > 0)
        qsort(found->runs, found->count, sizeof *found->runs, by_start);
    return err;
}

/* Says what spool_owner = "any" lets pass. */
static void tell_trust(const mp_run_place *place, int root, int dir,
                       const mp_reporter *reporter) {
    char message[MP_MESSAGE], why[MP_MESSAGE];
    const char *name = place->path;
    int err = mp_trust_check(root, MP_TRUST_OWNER, why);
    if (err == 0) {
        err = mp_trust_check(dir, MP_TRUST_OWNER, why);
        name = place->project;
    }
    if (err != EPERM)
        return;
    say_why(message, "uses all the same", name, why);
    reporter->report(reporter->user, message);
}

int mp_run_visit_dead(const mp_run_place *place, const mp_run_visitor *visitor,
                      const mp_reporter *reporter, uint64_t *foreign,
                      char message[MP_MESSAGE]) {
    int root, dir;
    names found = {.reporter = reporter};
    int err = find_runs(place, &root, &dir, &found, foreign, message);
    if (dir >= 0 && place->trust == MP_TRUST_ANY)
        tell_trust(place, root, dir, reporter);
    for (size_t i = 0; i < found.count && visitor->wants(visitor->user); i++)
        visit_run(place, dir, found.runs[i], visitor, reporter);
    if (found.count > 0)
        mp_file_rmdir(root, place->project); /* unless something is left */
    free(found.runs);
    mp_file_close(dir);
    mp_file_close(root);
    return err == ENOENT ? 0 : err;
}

/* ---- all runs ---- */

int mp_run_list(const mp_run_place *place, uint64_t **runs, size_t *n,
                char message[MP_MESSAGE]) {
    int root, dir;
    uint64_t ignored;
    names found = {0};
    int err = find_runs(place, &root, &dir, &found, &ignored, message);
    mp_file_close(dir);
    mp_file_close(root);
    *runs = found.runs;
    *n = found.count;
    return err == ENOENT ? 0 : err;
}

int mp_run_open_project(const mp_run_place *place, int *dir,
                        char message[MP_MESSAGE]) {
    int root;
    int err = enter_project(place, false, &root, dir, message);
    mp_file_close(root);
    return err;
}

static void see_run(int project, uint64_t id,
                    void (*visit)(const mp_run_seen *run, void *user),
                    void *user) {
    char name[MP_BATCH_FILE_NAME];
    mp_run_seen seen = {.id = id};
    mp_batch_file_run_name(id, name);
    seen.err = mp_file_lock_dir(project, name, &seen.dir);
    if (seen.err == EWOULDBLOCK)
        seen.pid = mp_locker_pid(project, name);
    if (seen.err == EWOULDBLOCK && seen.pid == 0) /* it was only looked at? */
        seen.err = mp_file_lock_dir(project, name, &seen.dir);
    if (seen.err == 0)
        mp_file_unlock_dir(seen.dir);
    seen.alive = seen.err == EWOULDBLOCK;
    if (seen.alive || seen.err == 0)
        seen.err = mp_file_open_dir(project, name, &seen.dir);
    if (seen.err == ENOENT) /* just adopted */
        return;
    if (seen.err != 0)
        seen.dir = -1;
    visit(&seen, user);
    mp_file_close(seen.dir);
}

int mp_run_visit_all(const mp_run_place *place,
                     void (*visit)(const mp_run_seen *run, void *user),
                     void *user, uint64_t *foreign, char message[MP_MESSAGE]) {
    int root, dir;
    names found = {0};
    int err = find_runs(place, &root, &dir, &found, foreign, message);
    for (size_t i = 0; i < found.count; i++)
        see_run(dir, found.runs[i], visit, user);
    free(found.runs);
    if (err == ENOENT && root >= 0)
        err = 0;
    mp_file_close(dir);
    mp_file_close(root);
    return err;
}
