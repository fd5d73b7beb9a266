/* What dead processes left: found, sealed, taken over. */
#include "core/spool/ordered.h"

#include "core/base/crash_point.h"
#include "core/base/text.h"
#include "core/os/file.h"

#include <errno.h>
#include <string.h>

/* An adoption under way. */
typedef struct adoption {
    mp_spool *spool;
    const mp_run *own;
    const mp_reporter *reporter;
    mp_adopted *out;
    uint64_t room; /* for as many bytes */
    int patience;  /* for as many batches */
    mp_ordered ordered;
} adoption;

static void report(const adoption *a, const char *message) {
    a->reporter->report(a->reporter->user, message);
}

/* Moves a file for people into the run of this process, so that the directory
 * of the dead one can go. */
static void bring_along(const adoption *a, const char *name) {
    char message[MP_MESSAGE];
    int err = mp_spool_anchor(a->spool, a->own, message);
    if (err == 0)
        mp_file_rename(a->spool->found.dir, name, a->own->dir, name);
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
    if (mp_text_ends(name, ".new")) {
        mp_file_unlink(a->spool->found.dir, name);
        return;
    }
    if (mp_text_ends(name, ".bad")) {
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

static bool quarantine(const adoption *a, const mp_batch_file *file) {
    char message[MP_MESSAGE];
    bool set_aside = mp_spool_quarantine(file, message) == 0;
    if (!set_aside)
        report(a, message);
    a->out->quarantined += set_aside;
    return set_aside;
}

/* Sets a damaged open segment aside, and says so. */
static void set_aside(const adoption *a, const mp_batch_file *open,
                      uint32_t others) {
    if (quarantine(a, open))
        mp_spool_report_damage(open, others, a->reporter);
}

/* Makes a sealed batch of the records of an open segment. When that fails
 * the file stays what it is, and is the batch unless it is damaged. Returns
 * the batch; NULL: none. */
static mp_batch_file *seal(const adoption *a, mp_batch_file *open,
                           mp_segment *segment, uint32_t others) {
    char name[MP_BATCH_FILE_NAME], message[MP_MESSAGE];
    mp_file_info seen;
    mp_batch_file *sealed;
    mp_batch_file_name(open, name);
    if (mp_file_look(open->dir, name, &seen) != 0)
        seen = (mp_file_info){0};
    mp_spool_locate(segment, open);
    segment->place.open = others == 0;
    open->wall_ms = seen.modified_ms;
    if (mp_spool_seal(a->spool, open->lane, segment, NULL, open->wall_ms,
                      &sealed, message) != 0)
        report(a, message);
    if (!sealed && others == 0)
        return open;
    if (!sealed)
        a->out->left = true; /* for another adoption, when there is room */
    else if (others > 0)
        set_aside(a, open, others);
    mp_batch_file_free(open);
    return sealed;
}

/* Of an open segment that was read. */
static mp_batch_file *recover(const adoption *a, mp_batch_file *open,
                              mp_segment *segment, uint32_t others) {
    if (segment->count > 0 && !mp_found_has_twin(&a->spool->found, open))
        return seal(a, open, segment, others);
    if (segment->count == 0 && others > 0) {
        set_aside(a, open, others);
        mp_batch_file_free(open);
    } else {
        mp_spool_remove_open(open, a->reporter);
    }
    return NULL;
}

/* True if what comes behind an open segment that cannot be read must wait. */
static bool is_waited_for(mp_batch_file *open, int err) {
    return mp_endpoints[open->lane].ordered &&
           (mp_spool_is_shortage(err) ||
            ++open->failures <= MP_BATCH_FILE_TRIES);
}

/* An open segment was not read for that reason. */
static void pass_over(adoption *a, mp_batch_file *open, int err,
                      const char *message) {
    char name[MP_BATCH_FILE_NAME];
    mp_batch_file_name(open, name);
    if (err == ENOTSUP)
        mp_report_newer(a->reporter, name);
    else
        report(a, message);
    if (err == EBADMSG)
        quarantine(a, open);
    else if (err != ENOTSUP && err != ENOENT && is_waited_for(open, err))
        a->out->waits = true;
    if (a->out->waits)
        mp_found_put_back(&a->spool->found, open);
    else
        mp_batch_file_free(open);
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

/* Takes over the first open segment. False: out of memory, or it is waited for.
 */
static bool place_first(adoption *a) {
    char message[MP_MESSAGE];
    mp_segment *segment;
    mp_lines lines = {0}; /* whose they are is asked when they are sent */
    mp_found *found = &a->spool->found;
    mp_batch_file *file = mp_found_take_open(found);
    a->out->left |= !file; /* out of memory: it is tried again soon */
    if (!file)
        return false;
    mp_crash_point("adopt");
    int err = mp_spool_recover(file, &segment, &lines, message);
    if (err != 0) {
        pass_over(a, file, err, message);
        return !a->out->waits;
    }
    file = recover(a, file, segment, lines.others);
    mp_spool_forget(segment);
    if (file && !file->users) /* sealed elsewhere: its run was removed */
        keep_adopted(a, file);
    else if (file)
        mp_found_place(found, file);
    return true;
}

/* Seals open segments: where one belongs among the other files of its run only
 * its contents say, so that this comes before any of them is taken. True: none
 * is left. */
static bool place_open(adoption *a) {
    const mp_found *found = &a->spool->found;
    while (found->open && has_room(a) && has_patience(a, MP_OPEN_COST))
        if (!place_first(a))
            return false;
    return !found->open;
}

/* Takes over as much of what was found as there is room and time for, oldest
 * first. */
static void adopt_found(adoption *a) {
    mp_found *found = &a->spool->found;
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
        mp_found_clear(found);
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
static bool keeps_order(adoption *a, mp_held *run) {
    char message[MP_MESSAGE];
    if (!mp_found_is_ordered(&a->spool->found))
        return true;
    if (!mp_ordered_may(&a->ordered)) /* it came after `admits` */
        return false;
    run->ordered = true;
    int err = mp_run_mark(run->run.dir);
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
    mp_held *run = mp_held_keep(&a->spool->held, dead);
    found->run = run;
    found->dir = dead->dir;
    int err = mp_file_list(dead->dir, find, a);
    if (err != 0) {
        mp_spool_error(message, "cannot list", a->spool->path, err);
        report(a, message);
    }
    if (!keeps_order(a, run))
        mp_spool_drop_found(a->spool);
    if (!mp_found_has_any(found)) {
        mp_found_clear(found);
        mp_held_forget(&a->spool->held, run);
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
                  .patience = MP_SLICE_FILES,
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
