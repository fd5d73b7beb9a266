/* What dead processes left: found, sealed, taken over. */
#include "core/spool/ordered.h"

#include "core/base/crash_point.h"
#include "core/os/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SEALED_MOST = 256, /* batches a call: each is a name and a look at it */
    OPEN_COST = 16 /* as many is one open segment, which is read and sealed */
};

/* An adoption under way. */
typedef struct adoption {
    mp_spool *spool;
    const mp_run *own;
    const mp_reporter *reporter;
    mp_adopted *out;
    uint64_t room; /* for as many bytes */
    int patience;  /* for as many batches */
    mp_held *run;  /* at hand */
    int dir;       /* of it */
    mp_ordered ordered;
} adoption;

static void report(const adoption *a, const char *message) {
    a->reporter->report(a->reporter->user, message);
}

static bool ends_with(const char *name, const char *suffix) {
    size_t n = strlen(name), m = strlen(suffix);
    return n > m && strcmp(name + n - m, suffix) == 0;
}

/* Moves a file for people into the run of this process, so that the directory
 * of the dead one can go. */
static void bring_along(const adoption *a, const char *name) {
    char message[MP_MESSAGE];
    int err = mp_spool_anchor(a->spool, a->own, message);
    if (err == 0)
        mp_file_rename(a->dir, name, a->own->dir, name);
    else
        report(a, message); /* what is moved there might be lost */
}

/* Files that are no records: those for people go along as far as there is
 * room for them, what was not finished goes, what is not known stays. */
static void handle_other(const adoption *a, const char *name) {
    static const char *const rejected[] = {"rejected.jsonl",
                                           "rejected.old.jsonl"};
    char message[MP_MESSAGE];
    if (mp_batch_file_is_newer(name)) {
        mp_report_newer(a->reporter, name);
        return;
    }
    if (ends_with(name, ".new")) {
        mp_file_unlink(a->dir, name);
        return;
    }
    if (ends_with(name, ".bad")) {
        bring_along(a, name);
        return;
    }
    for (size_t i = 0; i < sizeof rejected / sizeof *rejected; i++)
        if (strcmp(name, rejected[i]) == 0) {
            mp_file_info seen;
            if (mp_file_look(a->own->dir, name, &seen) == ENOENT)
                bring_along(a, name);
            return;
        }
    mp_spool_error(message, "passed over", name, ENOTSUP);
    report(a, message);
}

static bool find(const char *name, void *user) {
    adoption *a = user;
    mp_batch_file file;
    if (mp_batch_file_parse(name, &file) ||
        mp_batch_file_parse_open(name, &file)) /* out of memory, the rest waits
                                                * for the next adoption */
        return mp_found_add(&a->spool->found, &file);
    handle_other(a, name);
    return true;
}

static void keep_adopted(adoption *a, mp_batch_file *file) {
    file->adopted = true;
    file->next = a->out->list;
    a->out->list = file;
    a->room = file->bytes < a->room ? a->room - file->bytes : 0;
}

/* False: what comes next must wait, or others would be evicted for it. */
static bool has_room(const adoption *a) {
    a->out->left |= a->room == 0;
    return a->room > 0;
}

/* False: what comes next is for another call, since others wait for this
 * thread. */
static bool has_patience(adoption *a, int cost) {
    a->out->more |= a->patience <= 0;
    a->patience -= cost;
    return !a->out->more;
}

static void quarantine(const adoption *a, const mp_batch_file *file) {
    char message[MP_MESSAGE];
    if (mp_spool_quarantine(file, message) != 0)
        report(a, message);
    a->out->quarantined++;
}

/* Makes a sealed batch of the records of an open segment. When that fails
 * the file stays what it is, and is the batch unless it is damaged. Returns
 * the batch; NULL: none. */
static mp_batch_file *seal(adoption *a, mp_batch_file *open,
                           mp_segment *segment, bool damaged) {
    char name[MP_BATCH_FILE_NAME], message[MP_MESSAGE];
    mp_file_info seen;
    mp_batch_file *sealed;
    mp_batch_file_name(open, name);
    if (mp_file_look(open->dir, name, &seen) != 0)
        seen = (mp_file_info){0};
    mp_spool_locate(segment, open);
    segment->place.open = !damaged;
    open->wall_ms = seen.modified_ms;
    if (mp_spool_seal(a->spool, open->lane, segment, NULL, open->wall_ms,
                      &sealed, message) != 0)
        report(a, message);
    if (!sealed && !damaged)
        return open;
    if (sealed && damaged)
        quarantine(a, open);
    mp_batch_file_free(open); /* what is damaged stays for another adoption
                               * where there is no room */
    return sealed;
}

/* Reads an open segment, and takes the batch over. Returns what became of it;
 * NULL: there is nothing to adopt. */
static mp_batch_file *recover(adoption *a, mp_batch_file *open) {
    char message[MP_MESSAGE];
    mp_segment *segment;
    mp_batch_file *file = NULL;
    mp_lines lines = {0}; /* whose they are is asked when they are sent */
    mp_crash_point("adopt");
    int err = mp_spool_recover(open, &segment, &lines, message);
    uint32_t others = lines.others;
    if (err == ENOTSUP) {
        char name[MP_BATCH_FILE_NAME];
        mp_batch_file_name(open, name);
        mp_report_newer(a->reporter, name);
        mp_batch_file_free(open);
        return NULL;
    }
    if (err != 0) {
        report(a, message);
        if (err == EBADMSG)
            quarantine(a, open);
        mp_batch_file_free(open);
        return NULL;
    }
    if (others > 0)
        mp_spool_report_damage(open, others, a->reporter);
    if (segment->count > 0) {
        file = seal(a, open, segment, others > 0);
    } else if (others > 0) {
        quarantine(a, open);
        mp_batch_file_free(open);
    } else {
        mp_spool_remove_open(open, a->reporter);
    }
    mp_spool_forget(segment);
    return file;
}

/* Takes over a batch, which goes to the caller's list or is freed. */
static void adopt_file(adoption *a, mp_batch_file *file) {
    char name[MP_BATCH_FILE_NAME], message[MP_MESSAGE];
    mp_file_info seen;
    mp_batch_file_name(file, name);
    mp_crash_point("adopt");
    int err = mp_file_look(file->dir, name, &seen);
    if (err == 0) {
        file->bytes = mp_spool_bytes(seen.bytes);
        keep_adopted(a, file);
        return;
    }
    if (err != ENOENT) {
        mp_spool_error(message, "cannot look at", name, err);
        report(a, message);
    }
    mp_batch_file_free(file);
}

/* Seals open segments: where one belongs among the other files of its run only
 * its contents say, so that this comes before any of them is taken. True: none
 * is left. */
static bool place_open(adoption *a) {
    mp_found *found = &a->spool->found;
    while (found->open && has_room(a) && has_patience(a, OPEN_COST)) {
        mp_batch_file *file = mp_found_take_open(found);
        a->out->left |= !file; /* out of memory: it is tried again soon */
        if (!file)
            return false;
        file = recover(a, file);
        if (file)
            mp_found_place(found, file);
    }
    return !found->open;
}

/* Takes over as much of what was found as there is room and time for, oldest
 * first. */
static void adopt_found(adoption *a) {
    mp_found *found = &a->spool->found;
    a->run = found->run;
    if (!place_open(a))
        return;
    while (mp_found_has_placed(found) && has_room(a) && has_patience(a, 1)) {
        mp_batch_file *file = mp_found_take(found);
        a->out->left |= !file;
        if (!file)
            return;
        adopt_file(a, file);
    }
    if (!mp_found_has_placed(found))
        found->run = NULL;
}

static bool wants(void *user) {
    adoption *a = user;
    if (!mp_held_has_room(&a->spool->held))
        a->out->left = true;
    return !a->spool->found.run && has_room(a) && has_patience(a, 0) &&
           !a->out->left;
}

static bool admits(int project, const char *name, void *user) {
    adoption *a = user;
    return mp_ordered_admits(&a->ordered, project, name);
}

static void locked(int project, const mp_run *run, const char *name,
                   void *user) {
    adoption *a = user;
    mp_ordered_locked(&a->ordered, project, name, run->id);
}

/* With what was found in the run at hand: true unless it must not be adopted.
 */
static bool keeps_order(adoption *a) {
    char message[MP_MESSAGE];
    if (!mp_found_is_ordered(&a->spool->found))
        return true;
    if (!mp_ordered_may(&a->ordered)) /* it came after `admits` */
        return false;
    a->run->ordered = true;
    int err = mp_run_mark(a->dir);
    if (err != 0) {
        mp_spool_error(message, "cannot mark a run in", a->spool->path, err);
        report(a, message);
    }
    return true;
}

static bool visit(const mp_run *dead, void *user) {
    adoption *a = user;
    char message[MP_MESSAGE];
    mp_found *found = &a->spool->found;
    a->dir = dead->dir;
    a->run = mp_held_keep(&a->spool->held, dead);
    found->run = a->run;
    found->dir = dead->dir;
    int err = mp_file_list(dead->dir, find, a);
    if (err != 0) {
        mp_spool_error(message, "cannot list", a->spool->path, err);
        report(a, message);
    }
    if (!keeps_order(a))
        mp_spool_drop_found(a->spool);
    if (!mp_found_has_any(found)) {
        found->run = NULL;
        mp_held_forget(&a->spool->held, a->run);
        return false;
    }
    mp_spool_remove_twins(found, a->reporter);
    mp_found_sort(found);
    adopt_found(a);
    return true;
}

/* The run in use, or a new one if somebody removed its directory: what is
 * moved there would be refused like something that is gone. */
static const mp_run *find_own(mp_spool *spool, int *err,
                              char message[MP_MESSAGE]) {
    mp_file_info seen;
    const mp_run *own = mp_spool_run(spool, NULL, err, message);
    if (own && mp_file_stat(own->dir, &seen) == 0 && seen.gone)
        own = mp_spool_run(spool, own, err, message);
    return own;
}

int mp_spool_adopt(mp_spool *spool, uint64_t room, const mp_reporter *reporter,
                   mp_adopted *out, char message[MP_MESSAGE]) {
    int err;
    *out = (mp_adopted){0};
    adoption a = {.spool = spool,
                  .reporter = reporter,
                  .room = room,
                  .patience = SEALED_MOST,
                  .ordered = {.spool = spool, .reporter = reporter},
                  .out = out};
    const mp_run_visitor visitor = {wants, admits, locked, visit, &a};
    mp_run_place place = mp_spool_place(spool);
    mp_spool_release_adopted(spool);
    a.own = find_own(spool, &err, message);
    if (err == 0 && spool->found.run)
        adopt_found(&a);
    if (err == 0 && wants(&a))
        err = mp_run_visit_dead(&place, &visitor, reporter, &spool->foreign,
                                message);
    out->foreign = spool->foreign;
    out->left |= a.ordered.dying;
    mp_spool_release_adopted(spool); /* those of which nothing can be read */
    mp_batch_file_sort(&out->list);
    return err;
}
