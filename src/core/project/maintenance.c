/* What is done for a project at its time: keeps spares and, with a
 * spool, adopts and syncs; and what is left to do in the end. */
#include "core/project/project_state.h"

#include "core/os/clock.h"
#include "core/spool/spool_total.h"

#include <stdlib.h>

enum {
    ADOPTED = 256,      /* batches at a time */
    SYNCED = 32,        /* segments at a time */
    SPILLED = 16,       /* segments before another project gets a turn */
    NO_MEMORY_MS = 1000 /* before a spare is tried again */
};

/* Below it a clock is taken for one that was never set: 2025-01-01. */
static const int64_t WALL_LEAST_MS = INT64_C(1735689600000);

/* A clock that was never set, or was ahead, must not age a record. */
static int64_t mono_of(int64_t wall_ms) {
    int64_t age_ms = mp_clock_wall_ms() - wall_ms;
    if (wall_ms < WALL_LEAST_MS || age_ms < 0)
        age_ms = 0;
    return mp_clock_mono_ms() - age_ms;
}

/* Gives the first files of a list to their lanes, and returns the rest: there
 * may be very many, and a call of track waits for the lock meanwhile. */
static mp_batch_file *take_over(mp_project *project, mp_batch_file *list) {
    mp_project_lock(project);
    for (int n = 0; list && n < ADOPTED; n++) {
        mp_batch_file *next = list->next;
        mp_lane_adopt(project->lanes[list->lane], list);
        list = next;
    }
    mp_project_unlock(project);
    return list;
}

/* Half of spool_max_bytes: what is adopted must not make what is here already
 * go, nor itself. */
static uint64_t room_for_adopted(mp_project *project,
                                 const mp_settings *settings) {
    mp_project_lock(project);
    uint64_t most = settings->spool_max_bytes / 2,
             used = project->stats.spooled_bytes;
    mp_project_unlock(project);
    return most > used ? most - used : 0;
}

static void adopt(mp_project *project, const mp_settings *settings,
                  int64_t now_ms) {
    char message[MP_MESSAGE];
    mp_adopted got;
    uint64_t newer = 0;
    mp_reporter reporter = {mp_project_report_once, project, &newer};
    project->adopt_pause_ms = mp_project_next_look(project->adopt_pause_ms);
    if (mp_spool_adopt(project->spool, room_for_adopted(project, settings),
                       &reporter, &got, message) != 0)
        mp_project_report_once(project, message);
    if (got.left || got.more ||
        got.waits) /* there is room once some of it was sent */
        project->adopt_pause_ms = MP_LOOK_SOON_MS;
    project->adopt_ms = now_ms + (got.more ? 0 : project->adopt_pause_ms);
    for (mp_batch_file *s = got.list; s; s = s->next)
        s->last_ms = mono_of(s->wall_ms);
    while (got.list)
        got.list = take_over(project, got.list);
    mp_project_lock(project);
    project->stats.quarantined += got.quarantined;
    project->stats.foreign = got.foreign;
    project->stats.spool_looks += !got.more && !got.waits;
    if (newer > project->stats.newer) /* a look may not get to all of it */
        project->stats.newer = newer;
    /* another may adopt by now */
    project->adopting = (got.more || got.waits) && project->adopts;
    mp_wait_changed(&project->wait);
    mp_project_unlock(project);
}

/* With the lock held: the lanes that want a spare segment, a bit for each. */
static unsigned lanes_without_spare(const mp_project *project) {
    unsigned lanes = 0;
    for (int i = 0; i < project->lanes_n; i++)
        lanes |= mp_lane_wants_spare(project->lanes[i]) ? 1U << i : 0;
    return lanes;
}

/* False: there is no memory for it now. */
static bool give_spare(mp_project *project, mp_lane_id id, int64_t now_ms) {
    mp_lane *lane = project->lanes[id];
    uint32_t records;
    size_t bytes;
    mp_project_lock(project);
    mp_lane_expects(lane, &records, &bytes);
    mp_project_unlock(project);
    mp_segment *spare = mp_project_new_segment(project, id);
    if (spare)
        mp_segment_warm(spare, records, bytes);
    mp_project_lock(project);
    if (spare)
        mp_lane_give_spare(lane, spare);
    else
        project->spare_ms = now_ms + NO_MEMORY_MS;
    mp_project_unlock(project);
    return spare != NULL;
}

/* A busy lane has its next segment at hand, pages touched, so that no call that
 * tracks has to make one. */
static void give_spares(mp_project *project, int64_t now_ms) {
    mp_project_lock(project);
    unsigned lanes =
        now_ms >= project->spare_ms ? lanes_without_spare(project) : 0;
    mp_project_unlock(project);
    for (int i = 0; i < MP_LANES; i++)
        if (lanes >> i & 1 && !give_spare(project, (mp_lane_id)i, now_ms))
            return;
}

/* Segments to be synced, each with a reference. */
typedef struct unsynced {
    mp_segment *segments[SYNCED];
    size_t used[SYNCED];
    mp_lane_id lanes[SYNCED];
    size_t n;
    mp_lane_id lane;
} unsynced;

static void collect_unsynced(mp_segment *segment, void *user) {
    unsynced *all = user;
    if (all->n == SYNCED || !segment->place.open || segment->place.sealed ||
        segment->place.torn || segment->synced == segment->used ||
        (all->n > 0 && all->segments[all->n - 1] == segment))
        return;
    mp_segment_retain(segment);
    all->segments[all->n] = segment;
    all->used[all->n] = segment->used;
    all->lanes[all->n++] = all->lane;
}

/* With the lock held. */
static void find_unsynced(mp_project *project, unsynced *all) {
    all->n = 0;
    for (int i = 0; i < project->lanes_n; i++) {
        all->lane = (mp_lane_id)i;
        mp_lane_each_segment(project->lanes[i], collect_unsynced, all);
    }
}

static void release_synced(mp_project *project, const unsynced *all,
                           const bool good[]) {
    for (size_t i = 0; i < all->n; i++) {
        if (good[i])
            all->segments[i]->synced = all->used[i];
        if (mp_segment_release(all->segments[i]))
            mp_lane_retire(project->lanes[all->lanes[i]], all->segments[i]);
    }
}

/* With the lock held: what a sync could not bring to the disk is not there,
 * whatever the next one says, so the records go into another file. */
static void give_up_file(mp_project *project, mp_segment *segment,
                         mp_lane_id lane) {
    segment->place.torn = true;
    if (mp_lane_last_segment(project->lanes[lane]) == segment)
        mp_lane_seal(project->lanes[lane]);
}

static void sync(mp_project *project, const mp_settings *settings,
                 int64_t now_ms) {
    char message[MP_MESSAGE];
    unsynced all;
    bool good[SYNCED] = {false};
    mp_project_lock(project);
    find_unsynced(project, &all);
    mp_project_unlock(project);
    for (size_t i = 0; i < all.n; i++) {
        good[i] = mp_spool_sync(project->spool, all.segments[i], message) == 0;
        if (!good[i])
            mp_project_report_disk(project, message);
    }
    mp_project_lock(project);
    for (size_t i = 0; i < all.n; i++)
        if (!good[i])
            give_up_file(project, all.segments[i], all.lanes[i]);
    release_synced(project, &all, good);
    mp_project_unlock(project);
    project->sync_ms = now_ms + settings->sync_interval_ms;
}

static void keep_rejected(mp_project *project) {
    char message[MP_MESSAGE];
    mp_project_lock(project);
    mp_buf lines = project->rejected;
    project->rejected = (mp_buf){.limit = MP_PROJECT_REJECTED};
    project->rejecting = lines.len > 0;
    mp_project_unlock(project);
    if (lines.len > 0 && mp_spool_reject(project->spool, &lines, message) != 0)
        mp_project_report_disk(project, message);
    if (lines.len > 0) {
        mp_project_lock(project);
        project->rejecting = false;
        mp_wait_changed(&project->wait);
        mp_project_unlock(project);
    }
    mp_buf_free(&lines);
}

/* What is done for the dead, by the project that adopts. */
static void look_for_dead(mp_project *project, int64_t now_ms) {
    mp_project_lock(project);
    bool adopts = project->adopts;
    mp_settings *settings = mp_settings_retain(project->settings);
    mp_project_unlock(project);
    if (adopts && now_ms >= project->adopt_ms)
        adopt(project, settings, now_ms);
    if (adopts)
        mp_project_bound(project, settings, now_ms);
    mp_settings_release(settings);
}

void mp_project_prepare(mp_project *project, int64_t now_ms) {
    if (project->spool)
        look_for_dead(project, now_ms);
    give_spares(project, now_ms);
}

/* True: some segments were spilled. There may be more, and what stands on disk
 * only is found by asking its lane. */
static bool spill(mp_project *project, int64_t now_ms) {
    int n = 0;
    while (n < SPILLED && mp_project_spill(project, now_ms))
        n++;
    return n > 0;
}

/* With the lock held: when any of this is due. */
static int64_t next_due(mp_project *project, const mp_settings *settings,
                        int64_t now_ms) {
    int64_t next_ms = INT64_MAX;
    unsynced waiting = {.n = 0};
    if (settings->fsync)
        find_unsynced(project, &waiting);
    release_synced(project, &waiting, (bool[SYNCED]){false});
    if (waiting.n > 0)
        next_ms = project->sync_ms;
    if (lanes_without_spare(project) != 0)
        next_ms = mp_clock_earlier(
            next_ms, project->spare_ms > now_ms ? project->spare_ms : now_ms);
    if (project->store_ms > now_ms)
        next_ms = mp_clock_earlier(next_ms, project->store_ms);
    if (project->adopts)
        next_ms = mp_clock_earlier(
            next_ms, mp_clock_earlier(project->adopt_ms, project->bound_ms));
    return next_ms;
}

/* Memory of a burst is for the next one, if that comes soon. A host with its
 * own thread is not made to come for it. */
static int64_t expire_spares(mp_project *project, int64_t now_ms) {
    int64_t next_ms = INT64_MAX;
    mp_project_lock(project);
    for (int i = 0; i < project->lanes_n; i++)
        next_ms = mp_clock_earlier(
            next_ms, mp_lane_expire_spares(project->lanes[i], now_ms));
    if (project->config.manual)
        next_ms = INT64_MAX;
    project->looks_ms = mp_clock_earlier(project->looks_ms, next_ms);
    mp_segment *garbage = mp_project_garbage(project);
    mp_project_unlock(project);
    mp_project_free_segments(project, garbage);
    return next_ms;
}

/* What waits for room here is for whoever adopts in this project's place. */
static void release_adopted(mp_project *project) {
    mp_project_lock(project);
    bool adopts = project->adopts;
    mp_project_unlock(project);
    if (!adopts) {
        mp_spool_drop_found(project->spool);
        mp_spool_stop_looking(project->spool);
    }
    mp_spool_release_adopted(project->spool);
}

int64_t mp_project_maintain(mp_project *project, int64_t now_ms) {
    int64_t spares_ms = expire_spares(project, now_ms);
    if (!project->spool)
        return spares_ms;
    mp_settings *settings = mp_project_settings(project);
    release_adopted(project);
    bool again = spill(project, now_ms);
    mp_project_evict(project, settings, now_ms);
    if (settings->fsync && now_ms >= project->sync_ms)
        sync(project, settings, now_ms);
    keep_rejected(project);
    mp_project_lock(project);
    int64_t next_ms =
        mp_clock_earlier(spares_ms, next_due(project, settings, now_ms));
    if (again)
        next_ms = mp_clock_earlier(next_ms, now_ms);
    project->looks_ms = mp_clock_earlier(project->looks_ms, next_ms);
    mp_segment *garbage = mp_project_garbage(project);
    mp_project_unlock(project);
    mp_project_free_segments(project, garbage);
    mp_settings_release(settings);
    return next_ms;
}

/* ---- the end ---- */

typedef struct ending {
    mp_project *project;
    mp_lane_id lane;
} ending;

/* What is in no file, or in one that cannot be trusted to be there, goes into
 * another. */
static bool needs_file(mp_project *project, mp_segment *segment) {
    char message[MP_MESSAGE];
    const mp_place *place = &segment->place;
    if (!mp_place_is_whole(place) ||
        (place->open && !mp_spool_is_there(segment)))
        return true;
    return project->settings->fsync && place->open &&
           mp_spool_sync(project->spool, segment, message) != 0;
}

static void finish_segment(mp_segment *segment, void *user) {
    const ending *end = user;
    mp_project *project = end->project;
    char message[MP_MESSAGE];
    mp_place *place = &segment->place;
    if (segment->count == 0)
        mp_spool_discard(segment, message);
    else if (needs_file(project, segment))
        place->sealed = mp_project_seal(project, end->lane, segment, NULL);
}

void mp_project_finish(mp_project *project) {
    if (!project->spool)
        return;
    keep_rejected(project);
    for (int i = 0; i < project->lanes_n; i++) {
        ending end = {project, (mp_lane_id)i};
        mp_project_free_segments(project, mp_lane_garbage(project->lanes[i]));
        mp_lane_each_segment(project->lanes[i], finish_segment, &end);
    }
    mp_spool_end(project->spool);
}

static void find_volatile(mp_segment *segment, void *user) {
    bool *found = user;
    *found |= segment->count > 0 && !mp_place_is_whole(&segment->place);
}

/* With the lock held. */
static bool has_volatile(const mp_project *project) {
    bool found = !project->spool;
    for (int i = 0; i < project->lanes_n && !found; i++)
        mp_lane_each_segment(project->lanes[i], find_volatile, &found);
    return found;
}

bool mp_project_safe_until(mp_project *project, int64_t deadline_ms) {
    if (project->stats.in_flight > 0 || project->adopting)
        return false;
    if (mp_project_opens(project, mp_clock_mono_ms()) > deadline_ms)
        return !has_volatile(project);
    for (int i = 0; i < project->lanes_n; i++) {
        mp_lane *lane = project->lanes[i];
        if (!mp_lane_empty(lane) && mp_lane_backoff_until(lane) <= deadline_ms)
            return false;
    }
    return !has_volatile(project);
}

bool mp_project_is_kept(mp_project *project) {
    mp_project_lock(project);
    bool kept = !has_volatile(project);
    mp_project_unlock(project);
    return kept;
}
