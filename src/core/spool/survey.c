#include "core/spool/survey.h"

#include "core/os/clock.h"
#include "core/os/file.h"

#include <stdlib.h>

enum {
    RUN_COST = 4 /* to open one run and list it, in files */
};

bool mp_survey_has_patience(const mp_slice *s) {
    return s->patience > 0 && mp_clock_mono_ms() < s->until_ms;
}

static bool find(const char *name, void *user) {
    mp_slice *s = user;
    mp_survey *survey = s->survey;
    mp_batch_file file;
    if (!mp_batch_file_parse(name, &file) &&
        /* what a living process tracks waits for that process */
        (survey->whose == MP_RUN_OTHERS ||
         !mp_batch_file_parse_open(name, &file)))
        return true;
    s->full = !mp_found_add(&survey->waiting, &file);
    return !s->full;
}

/* Removes what would be counted twice, and delivered in spite of being
 * evicted. */
static void remove_twins(mp_slice *s) {
    mp_found *waiting = &s->survey->waiting;
    for (mp_batch_file *file = waiting->open; file; file = file->next)
        s->patience--;
    mp_spool_remove_twins(waiting, s->reporter);
}

/* Removes what holds no record and takes as much room as a megabyte of them. */
static void remove_empty(mp_slice *s) {
    char ignored[MP_MESSAGE];
    for (mp_batch_file **at = &s->survey->waiting.open; *at;) {
        mp_batch_file *file = *at;
        bool empty = false;
        empty = mp_spool_look_open(file, &empty) && empty &&
                mp_spool_remove(file, ignored) == 0;
        s->patience--;
        if (empty) {
            *at = file->next;
            mp_batch_file_free(file);
        } else {
            at = &file->next;
        }
    }
}

/* Opens the directory of a run, locked if nobody has it, and says whose it is.
 * False: it is this process's own, gone, or not to be touched. */
static bool open_run(mp_slice *s, uint64_t id) {
    char name[MP_BATCH_FILE_NAME], ignored[MP_MESSAGE];
    mp_spool *spool = s->spool;
    mp_whose whose = MP_RUN_OTHERS;
    mp_batch_file_run_name(id, name);
    s->dir = -1;
    if (mp_spool_is_own(spool, id))
        return false;
    if (mp_held_has(&spool->held, id))
        whose = MP_RUN_OURS;
    else if (mp_ordered_admits(&s->ordered, s->project, name) &&
             mp_file_lock_dir(s->project, name, &s->dir) == 0)
        whose = MP_RUN_FREE;
    s->survey->whose = whose;
    if (whose != MP_RUN_FREE &&
        mp_file_open_dir(s->project, name, &s->dir) != 0) {
        s->dir = -1;
        return false;
    }
    if (whose == MP_RUN_FREE &&
        mp_trust_check(s->dir, mp_spool_place(spool).trust, ignored) != 0) {
        mp_file_unlock_dir(s->dir); /* the adoption reports it */
        s->dir = -1;
        return false;
    }
    return true;
}

static void close_run(mp_slice *s, bool locked) {
    if (locked)
        mp_file_unlock_dir(s->dir);
    else
        mp_file_close(s->dir);
    s->dir = -1;
}

/* Finds the files of the next run. Its lock is not kept meanwhile: it would
 * keep others, and this process too, from adopting it in its turn. */
static void list_next(mp_slice *s) {
    mp_survey *survey = s->survey;
    uint64_t id = survey->runs[survey->next++];
    close_run(s, false);
    survey->counted = false;
    s->patience -= RUN_COST;
    if (!open_run(s, id))
        return;
    survey->waiting.dir = s->dir;
    mp_file_list(s->dir, find, s);
    survey->ordered[survey->next - 1] = mp_found_is_ordered(&survey->waiting);
    if (survey->whose == MP_RUN_FREE)
        remove_empty(s);
    if (survey->whose == MP_RUN_FREE && survey->wanted > 0)
        remove_twins(s);
    close_run(s, survey->whose == MP_RUN_FREE);
}

/* True for files of the run at hand, an adopted one, that wait for room: of
 * sealed ones those that come at or behind the first that does. */
static bool is_found(const mp_slice *s, const mp_batch_file *file) {
    const mp_survey *survey = s->survey;
    const mp_found *found = &s->spool->found;
    if (!found->run || found->run->run.id != survey->runs[survey->next - 1])
        return false;
    if (file->number > 0)
        return mp_found_has_open(found, file->number);
    if (!mp_found_has_any(found))
        return false;
    mp_batch_file first = mp_found_first(found);
    return !mp_batch_file_before(file, &first);
}

/* Takes over the file. */
static void keep_oldest(mp_survey *survey, mp_batch_file *file) {
    mp_node *newest;
    file->age.key = file->wall_ms > 0 ? (uint64_t)file->wall_ms : 0;
    file->dir = (int)survey->next - 1;
    mp_tree_add(&survey->oldest, &file->age);
    survey->kept += file->bytes;
    while ((newest = mp_tree_last(&survey->oldest, UINT64_MAX))) {
        mp_batch_file *last = MP_TREE_THING(newest, mp_batch_file, age);
        if (survey->kept - last->bytes < survey->wanted)
            break;
        mp_tree_remove(&survey->oldest, newest);
        survey->kept -= last->bytes;
        mp_batch_file_free(last);
    }
}

static void count_elsewhere(mp_survey *survey, const mp_batch_file *file) {
    survey->elsewhere.runs += !survey->counted;
    survey->elsewhere.files++;
    survey->elsewhere.bytes += file->bytes;
    survey->counted = true;
}

/* Opens the directory of the run at hand again, unlocked. */
static bool reopen(mp_slice *s) {
    char name[MP_BATCH_FILE_NAME];
    if (s->dir >= 0)
        return true;
    mp_batch_file_run_name(s->survey->runs[s->survey->next - 1], name);
    if (mp_file_open_dir(s->project, name, &s->dir) != 0)
        s->dir = -1;
    return s->dir >= 0;
}

static void look_at_next(mp_slice *s) {
    char name[MP_BATCH_FILE_NAME];
    mp_survey *survey = s->survey;
    mp_batch_file *file = mp_found_take(&survey->waiting);
    mp_file_info seen;
    s->patience--;
    s->full = !file;
    if (!file)
        return;
    mp_batch_file_name(file, name);
    if (!reopen(s) || mp_file_look(s->dir, name, &seen) != 0) {
        mp_batch_file_free(file); /* it was delivered, or adopted */
        return;
    }
    file->bytes = mp_spool_bytes(seen.bytes);
    if (file->number > 0)
        file->wall_ms = seen.modified_ms;
    if (survey->whose != MP_RUN_OURS || is_found(s, file))
        count_elsewhere(survey, file);
    if (survey->whose != MP_RUN_OTHERS)
        survey->dead += file->bytes;
    if (survey->whose == MP_RUN_FREE && survey->wanted > 0)
        keep_oldest(survey, file);
    else
        mp_batch_file_free(file);
}

bool mp_survey_look(mp_slice *s) {
    mp_survey *survey = s->survey;
    while (
        mp_survey_has_patience(s) && !s->full &&
        (mp_found_has_any(&survey->waiting) || survey->next < survey->count)) {
        if (mp_found_has_any(&survey->waiting))
            look_at_next(s);
        else
            list_next(s);
    }
    close_run(s, false);
    return !s->full && !mp_found_has_any(&survey->waiting) &&
           survey->next >= survey->count;
}
