/* What dead processes left: found, moved, sealed. */
#include "core/spool/spool_state.h"

#include "core/base/crash_point.h"
#include "core/os/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An adoption under way. */
typedef struct adoption {
    mp_spool *spool;
    const mp_run *own;
    const mp_reporter *reporter;
    mp_adopted *out;
    uint64_t room;                /* for as many bytes */
    mp_batch_file *sealed, *open; /* found in the run at hand */
    int dir;                      /* of that run */
} adoption;

static void report(const adoption *a, const char *message) {
    a->reporter->report(a->reporter->user, message);
}

static bool keep(mp_batch_file **list, const mp_batch_file *found) {
    mp_batch_file *copy = malloc(sizeof *copy);
    if (!copy)
        return false;
    *copy = *found;
    copy->next = *list;
    *list = copy;
    return true;
}

static bool ends_with(const char *name, const char *suffix) {
    size_t n = strlen(name), m = strlen(suffix);
    return n > m && strcmp(name + n - m, suffix) == 0;
}

/* Files that are no records: those for people go along as far as there is
 * room for them, what was not finished goes, what is not known stays. */
static void handle_other(const adoption *a, const char *name) {
    static const char *const rejected[] = {"rejected.jsonl",
                                           "rejected.old.jsonl"};
    char message[MP_MESSAGE];
    if (ends_with(name, ".new")) {
        mp_file_unlink(a->dir, name);
        return;
    }
    if (ends_with(name, ".bad")) {
        mp_file_rename(a->dir, name, a->own->dir, name);
        return;
    }
    for (size_t i = 0; i < sizeof rejected / sizeof *rejected; i++)
        if (strcmp(name, rejected[i]) == 0) {
            mp_file_info seen;
            if (mp_file_look(a->own->dir, name, &seen) == ENOENT)
                mp_file_rename(a->dir, name, a->own->dir, name);
            return;
        }
    mp_spool_error(message, "passed over", name, ENOTSUP);
    report(a, message);
}

static bool find(const char *name, void *user) {
    adoption *a = user;
    mp_batch_file found;
    bool kept = true;
    if (mp_batch_file_parse(name, &found)) {
        found.dir = a->dir;
        kept = keep(&a->sealed, &found);
    } else if (mp_batch_file_parse_open(name, &found)) {
        found.dir = a->dir;
        kept = keep(&a->open, &found);
    } else {
        handle_other(a, name);
    }
    return kept; /* out of memory, the rest waits for the next adoption */
}

/* Moves the file into this process's run. */
static bool move(const adoption *a, mp_batch_file *file) {
    char name[MP_BATCH_FILE_NAME], message[MP_MESSAGE];
    mp_batch_file_name(file, name);
    mp_crash_point("adopt");
    int err = mp_file_rename(file->dir, name, a->own->dir, name);
    if (err == 0)
        file->dir = a->own->dir;
    else if (err != ENOENT) {
        mp_spool_error(message, "cannot move", name, err);
        report(a, message);
    }
    return err == 0;
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

static void take(adoption *a, mp_batch_file *file, const mp_file_info *seen) {
    file->bytes = mp_spool_bytes(seen->bytes);
    keep_adopted(a, file);
}

static void quarantine(const adoption *a, const mp_batch_file *file) {
    char message[MP_MESSAGE];
    if (mp_spool_quarantine(file, message) != 0)
        report(a, message);
    a->out->quarantined++;
}

static bool has_twin(const adoption *a, const mp_batch_file *open) {
    for (const mp_batch_file *s = a->sealed; s; s = s->next)
        if (s->lane == open->lane && s->run == open->run && s->seq == open->seq)
            return true;
    return false;
}

/* Makes a sealed batch of the records of an open segment. When that fails
 * the file stays what it is, and is the batch unless it is damaged. */
static void seal(adoption *a, mp_batch_file *open, mp_segment *segment,
                 bool damaged) {
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
    if (sealed) {
        keep_adopted(a, sealed);
        if (damaged)
            quarantine(a, open);
        free(open);
    } else if (damaged) {
        free(open); /* for another adoption, when there is room */
    } else {
        take(a, open, &seen);
    }
}

static void report_damage(const adoption *a, const mp_batch_file *open,
                          uint32_t others) {
    char name[MP_BATCH_FILE_NAME], message[MP_MESSAGE];
    mp_batch_file_name(open, name);
    snprintf(message, sizeof message,
             "spool: %.110s is damaged: %u records of it were read, %u pieces "
             "were not; it is kept as *.bad",
             name, open->count, others);
    report(a, message);
}

static void remove_open(const adoption *a, mp_batch_file *open) {
    char message[MP_MESSAGE];
    if (mp_spool_remove(open, message) != 0)
        report(a, message);
    free(open);
}

/* Takes over the batch, which goes to the caller's list or is freed. */
static void adopt_open(adoption *a, mp_batch_file *open) {
    char message[MP_MESSAGE];
    mp_segment *segment;
    uint32_t others;
    int err = mp_spool_recover(open, &segment, &others, message);
    if (err != 0) {
        report(a, message);
        if (err == EBADMSG && move(a, open))
            quarantine(a, open);
        free(open);
        return;
    }
    if (segment->count == 0 && others == 0) {
        remove_open(a, open);
    } else if (!move(a, open)) {
        free(open);
    } else if (segment->count == 0) {
        report_damage(a, open, others);
        quarantine(a, open);
        free(open);
    } else {
        if (others > 0)
            report_damage(a, open, others);
        seal(a, open, segment, others > 0);
    }
    mp_segment_free(segment);
}

static void adopt_sealed(adoption *a, mp_batch_file *file) {
    char name[MP_BATCH_FILE_NAME];
    mp_file_info seen;
    mp_batch_file_name(file, name);
    if (move(a, file) && mp_file_look(file->dir, name, &seen) == 0)
        take(a, file, &seen);
    else
        free(file);
}

static int by_acceptance(const void *a, const void *b) {
    const mp_batch_file *x = *(mp_batch_file *const *)a,
                        *y = *(mp_batch_file *const *)b;
    return mp_batch_file_before(x, y) ? -1 : mp_batch_file_before(y, x);
}

/* Out of memory the list stays as it is: each run's files together. */
static void sort(mp_batch_file **list) {
    size_t n = 0, i = 0;
    for (const mp_batch_file *s = *list; s; s = s->next)
        n++;
    mp_batch_file **all = n > 1 ? malloc(n * sizeof(mp_batch_file *)) : NULL;
    if (!all)
        return;
    for (mp_batch_file *s = *list; s; s = s->next)
        all[i++] = s;
    qsort(all, n, sizeof(mp_batch_file *), by_acceptance);
    for (i = 0; i < n; i++)
        all[i]->next = i + 1 < n ? all[i + 1] : NULL;
    *list = all[0];
    free(all);
}

/* Takes over as many of the list as there is room for. */
static void adopt_list(adoption *a, mp_batch_file **list,
                       void (*adopt_one)(adoption *a, mp_batch_file *file)) {
    sort(list);
    while (*list) {
        mp_batch_file *file = *list;
        *list = file->next;
        if (has_room(a))
            adopt_one(a, file);
        else
            free(file);
    }
}

/* Removes open segments whose batch is there: their process died before it
 * could. */
static void remove_twins(adoption *a) {
    char ignored[MP_MESSAGE];
    uint32_t others;
    for (mp_batch_file **at = &a->open; *at;) {
        mp_batch_file *open = *at, seen = *open;
        mp_segment *segment;
        bool twin = a->sealed &&
                    mp_spool_recover(&seen, &segment, &others, ignored) == 0;
        if (twin) {
            mp_segment_free(segment);
            twin = has_twin(a, &seen);
        }
        if (twin) {
            *at = open->next;
            remove_open(a, open);
        } else {
            at = &open->next;
        }
    }
}

static void visit(const mp_run *dead, void *user) {
    adoption *a = user;
    char message[MP_MESSAGE];
    a->dir = dead->dir;
    if (!has_room(a))
        return;
    int err = mp_spool_anchor(a->spool, a->own, message);
    if (err != 0) {
        report(a, message); /* what is moved there might be lost */
        return;
    }
    err = mp_file_list(dead->dir, find, a);
    if (err != 0) {
        mp_spool_error(message, "cannot list", a->spool->path, err);
        report(a, message);
    }
    remove_twins(a);
    adopt_list(a, &a->sealed, adopt_sealed);
    adopt_list(a, &a->open, adopt_open); /* they hold what came last */
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
    adoption a = {
        .spool = spool, .reporter = reporter, .room = room, .out = out};
    mp_run_place place = mp_spool_place(spool);
    a.own = find_own(spool, &err, message);
    if (err == 0)
        err = mp_run_visit_dead(&place, visit, &a, reporter, &out->foreign,
                                message);
    sort(&out->list);
    return err;
}
