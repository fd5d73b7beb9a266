/* What waits in runs of others, and how much dead ones may leave. */
#include "core/spool/spool_total.h"

#include "core/os/clock.h"
#include "core/os/file.h"
#include "core/spool/survey.h"

#include <errno.h>
#include <stdlib.h>

/* ---- evicting ---- */

static void count_off(mp_survey *survey, uint64_t bytes) {
    survey->excess -= bytes < survey->excess ? bytes : survey->excess;
}

/* Evicts a file of a run whose lock this process has, and frees it. */
static void evict_file(mp_slice *s, mp_batch_file *file) {
    uint64_t bytes = file->bytes;
    mp_evicted got;
    s->patience -= file->number > 0 ? MP_OPEN_COST : 0;
    mp_spool_evict(file, s->reporter, &got);
    s->out->evicted |= got.gone;
    s->out->records += got.records;
    s->out->quarantined += got.quarantined;
    if (got.gone)
        count_off(s->survey, bytes);
}

static void let_go(mp_slice *s) {
    mp_run_place place = mp_spool_place(s->spool);
    while (s->taken_n > 0)
        mp_run_end(&place, &s->taken[--s->taken_n]);
}

/* The directory of a run, whose lock this process has then; below 0: it cannot
 * have it. */
static int take_run(mp_slice *s, int place) {
    char name[MP_BATCH_FILE_NAME];
    mp_run run = {.id = s->survey->runs[place]};
    for (int i = 0; i < s->taken_n; i++)
        if (s->taken[i].id == run.id)
            return s->taken[i].dir;
    if (s->taken_n == MP_TAKEN_MOST)
        let_go(s);
    mp_batch_file_run_name(run.id, name);
    if (s->survey->ordered[place] && !mp_ordered_may(&s->ordered))
        return -1;
    if (mp_file_lock_dir(s->project, name, &run.dir) != 0)
        return -1;
    s->taken[s->taken_n++] = run;
    return run.dir;
}

static void evict_free(mp_slice *s, mp_batch_file *file) {
    mp_survey *survey = s->survey;
    uint64_t id = survey->runs[file->dir];
    mp_tree_remove(&survey->oldest, &file->age);
    file->dir = take_run(s, file->dir);
    if (file->dir >= 0) {
        evict_file(s, file);
        return;
    }
    if (!mp_held_has(&s->spool->held, id)) /* another process has it now */
        count_off(survey, file->bytes);
    mp_batch_file_free(file);
}

/* The oldest file of an adopted run that waits for room, and its bytes;
 * INT64_MAX: none does. */
static int64_t look_at_waiting(const mp_found *found, uint64_t *bytes) {
    char name[MP_BATCH_FILE_NAME];
    mp_file_info seen;
    if (!found->run)
        return INT64_MAX;
    mp_batch_file first = mp_found_first(found);
    mp_batch_file_name(&first, name);
    if (mp_file_look(first.dir, name, &seen) != 0)
        return 0; /* the next is the oldest then */
    *bytes = mp_spool_bytes(seen.bytes);
    return first.number > 0 ? seen.modified_ms : first.wall_ms;
}

/* False: out of memory. */
static bool evict_waiting(mp_slice *s, uint64_t bytes) {
    mp_found *found = &s->spool->found;
    mp_batch_file *file = mp_found_take(found);
    s->full = !file;
    if (!file)
        return false;
    if (!mp_found_has_any(found))
        mp_found_clear(found);
    file->bytes = bytes;
    evict_file(s, file);
    return true;
}

/* False: there is nothing that may go. */
static bool evict_oldest(mp_slice *s) {
    mp_survey *survey = s->survey;
    uint64_t bytes = 0;
    mp_batch_file *free_one =
        MP_TREE_THING(mp_tree_first(&survey->oldest), mp_batch_file, age);
    int64_t adopted_ms = s->adopter->oldest_ms(s->adopter->user);
    int64_t waiting_ms = look_at_waiting(&s->spool->found, &bytes);
    int64_t free_ms = free_one ? (int64_t)free_one->age.key : INT64_MAX;
    s->patience--;
    if (adopted_ms <= waiting_ms && adopted_ms <= free_ms) {
        if (adopted_ms == INT64_MAX)
            return false;
        count_off(survey, s->adopter->evict(s->adopter->user));
        s->out->evicted = true;
    } else if (waiting_ms <= free_ms) {
        return evict_waiting(s, bytes);
    } else {
        evict_free(s, free_one);
    }
    return true;
}

/* True: it is done. */
static bool evict(mp_slice *s) {
    bool some = true;
    while (s->survey->excess > 0 && mp_survey_has_patience(s) && some)
        some = evict_oldest(s);
    let_go(s);
    return s->survey->excess == 0 || !some;
}

/* ---- all of it ---- */

static int begin(mp_slice *s, const mp_run_place *place,
                 char message[MP_MESSAGE]) {
    mp_survey *survey = s->survey;
    int err = mp_run_list(place, &survey->runs, &survey->count, message);
    survey->ordered = calloc(survey->count + 1, sizeof *survey->ordered);
    s->full = !survey->ordered;
    survey->begun = true;
    return err;
}

/* Once all was looked at. True: there is nothing more to do. */
static bool judge(mp_slice *s, uint64_t most) {
    mp_survey *survey = s->survey;
    uint64_t excess = survey->dead > most ? survey->dead - most : 0;
    s->out->looked = true;
    s->out->elsewhere = survey->elsewhere;
    if (excess > 0 && survey->wanted == 0) {
        survey->wanted = excess;
        survey->elsewhere = (mp_elsewhere){0};
        survey->dead = 0;
        survey->next = 0;
        return false;
    }
    survey->excess = excess;
    survey->evicts = excess > 0;
    return excess == 0;
}

int mp_spool_bound(mp_spool *spool, uint64_t most, const mp_adopter *adopter,
                   const mp_reporter *reporter, mp_bound *out,
                   char message[MP_MESSAGE]) {
    mp_survey *survey = &spool->survey;
    mp_run_place place = mp_spool_place(spool);
    mp_slice s = {.spool = spool,
                  .survey = survey,
                  .adopter = adopter,
                  .reporter = reporter,
                  .ordered = {.spool = spool, .reporter = reporter},
                  .out = out,
                  .patience = MP_SLICE_FILES,
                  .until_ms = mp_clock_mono_ms() + MP_SLICE_MS,
                  .project = -1,
                  .dir = -1};
    int err = 0;
    bool done = false;
    *out = (mp_bound){0};
    if (!survey->begun)
        err = begin(&s, &place, message);
    if (err == 0 && survey->count > 0)
        err = mp_run_open_project(&place, &s.project, message);
    if (err == 0 && !survey->evicts && mp_survey_look(&s))
        done = judge(&s, most);
    if (err == 0 && survey->evicts)
        done = evict(&s);
    if (s.full)
        err = mp_spool_error(message, "cannot list", spool->path, ENOMEM);
    mp_file_close(s.project);
    if (done || err != 0)
        mp_spool_stop_looking(spool);
    out->more = !done && err == 0;
    return err == ENOENT ? 0 : err;
}
