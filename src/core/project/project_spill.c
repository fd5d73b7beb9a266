/* Sealed batches of a project on disk: written, evicted, read back. */
#include "core/project/project_state.h"

#include "core/base/crash_point.h"
#include "core/os/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    RETRY_MS = 1000,      /* before a disk that failed is tried again */
    NOTICE_MS = 60 * 1000 /* between two reports of evictions */
};

/* ---- sealing ---- */

static int64_t wall_of(int64_t mono_ms) {
    int64_t age_ms = mp_clock_mono_ms() - mono_ms;
    return mp_clock_wall_ms() - (age_ms > 0 ? age_ms : 0);
}

/* The segment's batch on disk, which is the segment's from then on; NULL:
 * that failed, and was told. `body`: see mp_spool_seal. */
mp_batch_file *mp_project_seal(mp_project *project, mp_lane_id lane,
                               mp_segment *segment, const mp_buf *body) {
    char message[MP_MESSAGE];
    mp_batch_file *file;
    if (mp_spool_seal(project->spool, lane, segment, body,
                      wall_of(segment->last_ms), &file, message) != 0)
        mp_project_report_disk(project, message);
    if (file) {
        file->last_ms = segment->last_ms;
        file->adopted = segment->adopted;
    }
    return file;
}

/* RFC 1952, 2.3.1. A body is plain where gzip is not wanted or not allowed,
 * or memory was short. */
static bool is_gzip(const mp_buf *body) {
    return body->len > 2 && memcmp(body->data, "\x1f\x8b", 2) == 0;
}

bool mp_project_before_request(mp_project *project, mp_lane_id lane,
                               const mp_batch *batch, const mp_buf *body,
                               const mp_settings *settings) {
    char message[MP_MESSAGE];
    mp_segment *segment = batch->segment;
    mp_place *place = &segment->place;
    if (!project->spool)
        return false;
    if (!place->sealed) {
        bool whole = mp_batch_is_whole(batch) && is_gzip(body);
        place->sealed =
            mp_project_seal(project, lane, segment, whole ? body : NULL);
    }
    bool marks =
        mp_batch_has_non_idempotent(batch); /* all else may be sent twice */
    mp_in_doubt before =
        place->sealed ? place->sealed->in_doubt : (mp_in_doubt)place->in_doubt;
    if (marks && mp_spool_mark_start(segment, MP_IN_DOUBT_NON_IDEMPOTENT,
                                     settings->report_ambiguous, message) != 0)
        mp_project_report_disk(project, message);
    mp_crash_point("send");
    return marks && before != MP_IN_DOUBT_NON_IDEMPOTENT;
}

/* Its lane sends one batch at a time, so no other is in doubt. */
void mp_project_clear_in_doubt(mp_project *project, mp_segment *segment) {
    char message[MP_MESSAGE];
    if (mp_spool_mark_end(segment, MP_IN_DOUBT_NONE, message) != 0)
        mp_project_report_disk(project, message);
}

/* ---- out of memory onto the disk ---- */

/* With the lock held: a lane whose oldest sealed segment should leave memory,
 * or stands in no file yet, or not whole, or in one of many that are far too
 * large; -1: none. */
static int find_sealed(const mp_project *project, bool crowded) {
    for (int i = 0; i < project->lanes_n; i++) {
        const mp_segment *oldest = mp_lane_oldest_sealed(project->lanes[i]);
        if (oldest && (crowded || !mp_place_is_whole(&oldest->place) ||
                       mp_lane_wastes_disk(project->lanes[i])))
            return i;
    }
    return -1;
}

static bool is_crowded(const mp_project *project, unsigned share) {
    return project->stats.queue_bytes >
           project->settings->max_queue_bytes / share;
}

/* With the lock held: lets memory go whose records are on disk, and has the
 * rest sealed when even that is much. */
static int find_crowded(mp_project *project) {
    bool crowded = is_crowded(project, 4);
    int lane = find_sealed(project, crowded);
    for (int i = 0; i < project->lanes_n && lane < 0 && crowded; i++)
        while (mp_lane_unload(project->lanes[i]))
            continue;
    for (int i = 0; i < project->lanes_n && lane < 0 && is_crowded(project, 2);
         i++) {
        mp_lane_seal(project->lanes[i]);
        lane = find_sealed(project, true);
    }
    return lane;
}

/* Writes the oldest sealed segment of a lane to disk. False: nothing to do,
 * or it failed. */
bool mp_project_spill(mp_project *project, int64_t now_ms) {
    mp_project_lock(project);
    int lane = now_ms >= project->store_ms ? find_crowded(project) : -1;
    mp_segment *segment =
        lane >= 0 ? mp_lane_spill(project->lanes[lane]) : NULL;
    mp_project_unlock(project);
    if (!segment)
        return false;
    mp_batch_file *file = segment->place.sealed;
    if (!file)
        file = mp_project_seal(project, (mp_lane_id)lane, segment, NULL);
    segment->place.sealed = NULL;
    mp_project_lock(project);
    mp_lane_spilled(project->lanes[lane], file);
    if (file)
        mp_wait_changed(&project->wait); /* fewer are in memory only */
    else
        project->store_ms = now_ms + RETRY_MS;
    mp_project_unlock(project);
    return file != NULL;
}

/* The oldest batch on disk and, in *lane, whose it is. */
static mp_batch_file *find_oldest(const mp_project *project, mp_lane **lane) {
    mp_batch_file *oldest = NULL;
    for (int i = 0; i < project->lanes_n; i++) {
        mp_batch_file *s = mp_lane_oldest_file(project->lanes[i]);
        if (s && (!oldest || s->last_ms < oldest->last_ms)) {
            oldest = s;
            *lane = project->lanes[i];
        }
    }
    return oldest;
}

void mp_project_report_evicted(mp_project *project, mp_evictions *evictions,
                               mp_fate fate, int64_t now_ms) {
    if (evictions->unreported == 0 ||
        (evictions->reported_ms != 0 &&
         now_ms < evictions->reported_ms + NOTICE_MS))
        return;
    mp_report report = mp_fate_report(fate, "", evictions->unreported, 0, NULL);
    mp_reports_add(project->reports, &report);
    evictions->unreported = 0;
    evictions->reported_ms = now_ms;
}

static void report_evicted(mp_project *project, uint64_t count,
                           int64_t now_ms) {
    project->evicted.unreported += count;
    mp_project_report_evicted(project, &project->evicted, MP_FATE_EVICTED,
                              now_ms);
}

static bool is_too_much(mp_project *project, const mp_settings *settings,
                        int64_t now_ms) {
    mp_project_lock(project);
    bool too_much = project->stats.spooled_bytes > settings->spool_max_bytes;
    if (!too_much)
        report_evicted(project, 0, now_ms);
    mp_project_unlock(project);
    return too_much;
}

uint32_t mp_project_evict_file(mp_project *project, mp_lane *lane,
                               mp_batch_file *file) {
    char message[MP_MESSAGE];
    uint32_t count = file->count;
    mp_project_lock(project);
    mp_lane_evict(lane, file);
    mp_wait_changed(&project->wait);
    mp_project_unlock(project);
    if (mp_spool_remove(file, message) != 0)
        mp_project_report_disk(project, message);
    mp_batch_file_free(file);
    return count;
}

void mp_project_evict(mp_project *project, const mp_settings *settings,
                      int64_t now_ms) {
    while (is_too_much(project, settings, now_ms)) {
        mp_lane *lane = NULL;
        mp_batch_file *file = find_oldest(project, &lane);
        uint32_t count = mp_project_evict_file(project, lane, file);
        mp_project_lock(project);
        report_evicted(project, count, now_ms);
        mp_project_unlock(project);
    }
}

/* ---- and back ---- */

static void lose(mp_project *project, mp_lane *lane, mp_batch_file *file,
                 mp_fate fate) {
    mp_project_lock(project);
    mp_lane_lose(lane, fate);
    mp_wait_changed(&project->wait);
    mp_project_unlock(project);
    mp_batch_file_free(file);
}

/* What is damaged is set aside; or it is gone already. */
static void give_up(mp_project *project, mp_lane *lane, mp_batch_file *file,
                    int err, const char *why) {
    char message[MP_MESSAGE];
    mp_project_report_disk(project, why);
    if (err == ENOENT) {
        lose(project, lane, file, MP_FATE_REMOVED);
        return;
    }
    bool set_aside = mp_spool_quarantine(file, message) == 0;
    if (!set_aside)
        mp_project_report_disk(project, message);
    mp_project_lock(project);
    project->stats.quarantined += set_aside;
    mp_project_unlock(project);
    lose(project, lane, file, MP_FATE_QUARANTINED);
}

/* Only what was read and is wrong is set aside. Any other failure may pass: it
 * says that the file cannot be read now, not what is in it. */
static bool is_proof(int err) {
    return err == EBADMSG || err == ENOENT;
}

static void put_off(mp_project *project, mp_lane *lane, int err,
                    int64_t now_ms) {
    mp_project_lock(project);
    if (err == 0 || mp_spool_is_shortage(err))
        mp_lane_put_back(lane, now_ms + RETRY_MS);
    else
        mp_lane_put_off(lane, now_ms);
    mp_project_unlock(project);
}

static bool is_expired(const mp_batch_file *file, const mp_settings *settings,
                       int64_t now_ms) {
    return settings->max_age_ms > 0 &&
           file->last_ms <= now_ms - settings->max_age_ms;
}

static int load(mp_project *project, mp_batch_file *file, mp_segment **out,
                char message[MP_MESSAGE]) {
    int err = mp_spool_load(project->spool, file, out, message);
    if (err != 0)
        return err;
    (*out)->born_ms = (*out)->last_ms = file->last_ms;
    mp_segment_shift_times(*out, file->wall_ms - file->last_ms);
    return 0;
}

/* Reads what may share a request with the records of the segment. A batch that
 * cannot be read now says so when it is the first one. */
static void gather(mp_project *project, mp_lane *lane, mp_segment *segment,
                   const mp_settings *settings, int64_t now_ms) {
    char message[MP_MESSAGE];
    bool joins = true;
    while (joins) {
        mp_segment *other = NULL;
        mp_project_lock(project);
        mp_batch_file *file =
            mp_lane_wanted_too(lane, settings, segment, now_ms);
        mp_project_unlock(project);
        if (!file)
            return;
        int err = load(project, file, &other, message);
        mp_project_lock(project);
        joins = err == 0 && mp_lane_joins(lane, segment, other, now_ms);
        if (!joins)
            mp_lane_unwanted(lane, file);
        mp_project_unlock(project);
        if (joins)
            mp_segment_join(segment, other);
        if (other)
            mp_spool_forget(other);
    }
}

void mp_project_fetch(mp_project *project, mp_lane_id id, mp_batch_file *file,
                      const mp_settings *settings, int64_t now_ms) {
    char message[MP_MESSAGE];
    mp_lane *lane = project->lanes[id];
    mp_segment *segment = NULL;
    if (is_expired(file, settings, now_ms)) {
        if (mp_spool_remove(file, message) != 0)
            mp_project_report_disk(project, message);
        lose(project, lane, file, MP_FATE_EXPIRED);
        return;
    }
    int err = load(project, file, &segment, message);
    if (is_proof(err)) {
        give_up(project, lane, file, err, message);
        return;
    }
    bool cut = err == 0 && segment->count < file->count;
    if (err != 0 || cut)
        mp_project_report_disk(project, message);
    if (err == 0)
        gather(project, lane, segment, settings, now_ms);
    mp_project_lock(project);
    bool restored = err == 0 && mp_lane_restore(lane, settings, segment);
    project->stats.quarantined += restored && cut;
    mp_project_unlock(project);
    if (!restored)
        put_off(project, lane, err, now_ms);
    if (!restored && segment)
        mp_spool_forget(segment);
    else if (restored && !segment->place.sealed)
        mp_batch_file_free(file); /* it was the file of an open segment */
}
