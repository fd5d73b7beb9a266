#include "project.h"

#include "clock.h"
#include "gzip.h"
#include "request.h"
#include "rng.h"
#include "wait.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct mp_project {
    mp_config config;
    atomic_int refs;
    atomic_bool geolocate, reject_invalid; /* copies out of `settings` */

    mp_wait wait; /* its lock guards the rest but for `gzip`; it changes
                   * when records ended */
    mp_settings *settings;
    mp_lane *lanes[MP_LANES];
    mp_stats stats;
    uint64_t ticket;  /* of the last record accepted */
    int64_t looks_ms; /* when the carrier asks next without being woken */
    unsigned turn;    /* the lane that is asked first */

    mp_gzip *gzip; /* the carrier's */
};

/* A request under way. The request comes first: its address is the flight's. */
typedef struct flight {
    mp_request request;
    mp_lane_id lane;
    mp_batch *batch;
} flight;

/* ---- life ---- */

static bool is_custom(const char *base_url) {
    return strncmp(base_url, "https://api", 11) != 0 ||
           !strstr(base_url, ".mixpanel.com");
}

static void use_settings(mp_project *project, mp_settings *settings) {
    project->settings = settings;
    atomic_store_explicit(&project->geolocate, settings->geolocate,
                          memory_order_relaxed);
    atomic_store_explicit(&project->reject_invalid, settings->reject_invalid,
                          memory_order_relaxed);
}

mp_project *mp_project_new(mp_config *config, mp_settings *settings) {
    mp_project *project = calloc(1, sizeof *project);
    if (!project || mp_wait_init(&project->wait) != MP_OK) {
        free(project);
        mp_config_free(config);
        mp_settings_release(settings);
        return NULL;
    }
    project->config = *config;
    *config = (mp_config){0};
    atomic_init(&project->refs, 1);
    project->looks_ms = INT64_MAX;
    use_settings(project, settings);
    bool custom = is_custom(project->config.base_url);
    for (int i = 0; i < MP_LANES; i++) {
        project->lanes[i] =
            mp_lane_new((mp_lane_id)i, &project->stats, custom, mp_rng_seed());
        if (!project->lanes[i]) {
            mp_project_release(project);
            return NULL;
        }
    }
    return project;
}

void mp_project_retain(mp_project *project) {
    atomic_fetch_add_explicit(&project->refs, 1, memory_order_relaxed);
}

void mp_project_release(mp_project *project) {
    if (atomic_fetch_sub_explicit(&project->refs, 1, memory_order_acq_rel) > 1)
        return;
    for (int i = 0; i < MP_LANES; i++)
        mp_lane_free(project->lanes[i]);
    mp_gzip_free(project->gzip);
    mp_settings_release(project->settings);
    mp_config_free(&project->config);
    mp_wait_destroy(&project->wait);
    free(project);
}

const mp_config *mp_project_config(const mp_project *project) {
    return &project->config;
}

void mp_project_lock(mp_project *project) {
    pthread_mutex_lock(&project->wait.lock);
}

void mp_project_unlock(mp_project *project) {
    pthread_mutex_unlock(&project->wait.lock);
}

void mp_project_reborn(mp_project *project) {
    for (int i = 0; i < MP_LANES; i++)
        mp_lane_clear(project->lanes[i], mp_rng_seed());
    memset(&project->stats, 0, sizeof project->stats);
    project->ticket = 0;
    project->looks_ms = INT64_MAX;
    project->gzip = NULL; /* the parent's worker may be changing it */
    mp_wait_init(
        &project->wait); /* cannot fail on Linux: nothing is allocated */
}

/* ---- settings ---- */

mp_settings *mp_project_settings(mp_project *project) {
    mp_project_lock(project);
    mp_settings *settings = mp_settings_retain(project->settings);
    mp_project_unlock(project);
    return settings;
}

void mp_project_configure(mp_project *project, mp_settings *settings) {
    mp_project_lock(project);
    mp_settings *old = project->settings;
    use_settings(project, settings);
    mp_project_unlock(project);
    mp_settings_release(old);
}

bool mp_project_geolocate(const mp_project *project) {
    return atomic_load_explicit(&project->geolocate, memory_order_relaxed);
}

bool mp_project_reject_invalid(const mp_project *project) {
    return atomic_load_explicit(&project->reject_invalid, memory_order_relaxed);
}

int64_t mp_project_exit_timeout(mp_project *project) {
    mp_project_lock(project);
    int64_t timeout_ms = project->settings->exit_timeout_ms;
    mp_project_unlock(project);
    return timeout_ms;
}

/* ---- records in ---- */

static mp_segment *new_segments(uint32_t n) {
    mp_segment *list = NULL;
    while (n-- > 0) {
        mp_segment *segment = mp_segment_new();
        if (!segment) {
            while (list) {
                mp_segment *next = list->next;
                mp_segment_free(list);
                list = next;
            }
            return NULL;
        }
        segment->next = list;
        list = segment;
    }
    return list;
}

static void give_all(mp_lane *lane, mp_segment *list) {
    while (list) {
        mp_segment *next = list->next;
        mp_lane_give(lane, list);
        list = next;
    }
}

/* Sees to it, with the lock held and held again on return, that all records
 * have room. The lock is released while segments are made. */
static mp_err make_room(mp_project *project, mp_lane *lane,
                        const mp_record *records, size_t n) {
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += records[i].head_len + records[i].body_len + 2;
    for (;;) {
        if (project->stats.queue_bytes + bytes >
            project->settings->max_queue_bytes) {
            project->stats.refused_full++;
            return MP_QUEUE_FULL;
        }
        uint32_t missing = mp_lane_missing(lane, project->settings, records, n);
        if (missing == 0)
            return MP_OK;
        mp_project_unlock(project);
        mp_segment *fresh = new_segments(missing);
        mp_project_lock(project);
        if (!fresh)
            return MP_MEMORY;
        give_all(lane, fresh);
    }
}

mp_err mp_project_push(mp_project *project, mp_lane_id id,
                       const mp_record *records, size_t n, bool *wake) {
    mp_lane *lane = project->lanes[id];
    int64_t now_ms = mp_clock_mono_ms();
    bool full = false;
    mp_project_lock(project);
    mp_err err = make_room(project, lane, records, n);
    if (err == MP_OK) {
        for (size_t i = 0; i < n; i++) {
            full |= mp_lane_add(lane, project->settings, &records[i],
                                ++project->ticket, now_ms);
            project->stats.repaired += records[i].repaired;
        }
        project->stats.accepted += n;
    }
    int64_t due_ms = now_ms + project->settings->flush_interval_ms;
    *wake = err == MP_OK && n > 0 && (full || project->looks_ms > due_ms);
    if (*wake) /* and nobody else wakes it for the same reason */
        project->looks_ms = full ? now_ms : due_ms;
    mp_project_unlock(project);
    return err;
}

/* ---- waiting ---- */

uint64_t mp_project_mark(mp_project *project) {
    mp_project_lock(project);
    uint64_t ticket = project->ticket;
    mp_project_unlock(project);
    return ticket;
}

/* With the lock held. */
static uint64_t count_left(const mp_project *project, uint64_t ticket) {
    if (ticket >= project->ticket)
        return project->stats.queued + project->stats.in_flight;
    uint64_t left = 0;
    for (int i = 0; i < MP_LANES; i++)
        left += mp_lane_left(project->lanes[i], ticket);
    return left;
}

uint64_t mp_project_left(mp_project *project, uint64_t ticket) {
    mp_project_lock(project);
    uint64_t left = count_left(project, ticket);
    mp_project_unlock(project);
    return left;
}

void mp_project_hurry(mp_project *project, uint64_t ticket) {
    mp_project_lock(project);
    for (int i = 0; i < MP_LANES; i++)
        mp_lane_hurry(project->lanes[i], ticket);
    mp_project_unlock(project);
}

uint64_t mp_project_wait(mp_project *project, uint64_t ticket,
                         int64_t deadline_ms) {
    mp_project_lock(project);
    uint64_t left;
    while ((left = count_left(project, ticket)) > 0 &&
           mp_wait_until(&project->wait, deadline_ms))
        continue;
    mp_project_unlock(project);
    return left;
}

bool mp_project_idle(mp_project *project) {
    return mp_project_left(project, UINT64_MAX) == 0;
}

void mp_project_stats(mp_project *project, mp_stats *out) {
    int64_t now_ms = mp_clock_mono_ms(), oldest_ms = INT64_MAX;
    mp_project_lock(project);
    *out = project->stats;
    for (int i = 0; i < MP_LANES; i++) {
        int64_t ms = mp_lane_oldest(project->lanes[i]);
        if (ms < oldest_ms)
            oldest_ms = ms;
    }
    mp_project_unlock(project);
    out->oldest_ms = oldest_ms < now_ms ? now_ms - oldest_ms : 0;
}

/* ---- carrying ---- */

static void free_flight(flight *under_way) {
    mp_request_free(&under_way->request);
    free(under_way);
}

/* With the lock held: segments that the caller frees once it has released
 * the lock, since unmapping a megabyte takes longer than a push may wait. */
static mp_segment *collect_garbage(mp_project *project) {
    mp_segment *all = NULL;
    for (int i = 0; i < MP_LANES; i++) {
        mp_segment *garbage = mp_lane_garbage(project->lanes[i]);
        while (garbage) {
            mp_segment *next = garbage->next;
            garbage->next = all;
            all = garbage;
            garbage = next;
        }
    }
    return all;
}

static void free_segments(mp_segment *list) {
    while (list) {
        mp_segment *next = list->next;
        mp_segment_free(list);
        list = next;
    }
}

/* Events and imports share max_in_flight; profiles and groups go one by one
 * for the sake of their order, which their lanes see to. */
static uint32_t slots_for(const mp_project *project, mp_lane_id id) {
    if (id == MP_LANE_PEOPLE || id == MP_LANE_GROUPS)
        return 1;
    uint32_t used = mp_lane_in_flight(project->lanes[MP_LANE_EVENTS]) +
                    mp_lane_in_flight(project->lanes[MP_LANE_IMPORT]);
    uint32_t most = project->settings->max_in_flight;
    return most > used ? most - used : 0;
}

/* With the lock held: the next batch of any lane, asked in turn. */
static mp_batch *next_batch(mp_project *project, int64_t now_ms,
                            int64_t wall_ms, mp_lane_id *id, int64_t *next_ms) {
    *next_ms = INT64_MAX;
    for (unsigned i = 0; i < MP_LANES; i++) {
        *id = (mp_lane_id)((project->turn + i) % MP_LANES);
        int64_t ms;
        mp_batch *batch =
            mp_lane_next(project->lanes[*id], project->settings, now_ms,
                         wall_ms, slots_for(project, *id), &ms);
        if (batch) {
            project->turn = *id + 1;
            return batch;
        }
        if (ms < *next_ms)
            *next_ms = ms;
    }
    return NULL;
}

/* NULL: none wanted, or out of memory. */
static mp_gzip *compressor(mp_project *project, const mp_settings *settings) {
    if (project->gzip && mp_gzip_level(project->gzip) != settings->gzip) {
        mp_gzip_free(project->gzip);
        project->gzip = NULL;
    }
    if (!project->gzip && settings->gzip > 0)
        project->gzip = mp_gzip_new(settings->gzip);
    return project->gzip;
}

static flight *make_flight(mp_project *project, mp_lane_id lane,
                           mp_batch *batch, const mp_settings *settings) {
    flight *under_way = calloc(1, sizeof *under_way);
    if (!under_way)
        return NULL;
    under_way->lane = lane;
    under_way->batch = batch;
    if (mp_request_make(&under_way->request, batch, lane, &project->config,
                        settings, compressor(project, settings)) == MP_OK)
        return under_way;
    free_flight(under_way);
    return NULL;
}

/* A busy lane gets its next segment from here, pages touched, so that no
 * call that tracks has to make one. */
static mp_segment *warm_segment(void) {
    mp_segment *segment = mp_segment_new();
    if (segment)
        memset(segment->data, 0, MP_SEGMENT_BYTES);
    return segment;
}

mp_request *mp_project_next(mp_project *project, int64_t now_ms,
                            int64_t wall_ms, int64_t *next_ms) {
    mp_lane_id id;
    mp_project_lock(project);
    mp_batch *batch = next_batch(project, now_ms, wall_ms, &id, next_ms);
    project->looks_ms = batch ? now_ms : *next_ms;
    bool wants_spare = batch && mp_lane_wants_spare(project->lanes[id]);
    mp_settings *settings = mp_settings_retain(project->settings);
    mp_segment *garbage = collect_garbage(project);
    mp_project_unlock(project);
    free_segments(garbage);

    mp_segment *spare = wants_spare ? warm_segment() : NULL;
    flight *under_way =
        batch ? make_flight(project, id, batch, settings) : NULL;
    mp_settings_release(settings);
    if (!batch)
        return NULL;
    mp_project_lock(project);
    if (spare)
        mp_lane_give(project->lanes[id], spare);
    if (under_way) {
        project->stats.requests++;
        project->stats.bytes_raw += under_way->request.raw_bytes;
        project->stats.bytes_sent += under_way->request.body.len;
    } else {
        mp_lane_undo(project->lanes[id], batch, now_ms);
        *next_ms = now_ms;
    }
    mp_project_unlock(project);
    return under_way ? &under_way->request : NULL;
}

void mp_project_answer(mp_project *project, mp_request *request,
                       const mp_reply *reply, int64_t now_ms) {
    flight *under_way = (flight *)request;
    mp_batch *batch = under_way->batch;
    mp_lane_id id = under_way->lane;
    mp_answer answer;
    /* Out of memory the answer says less, and is still safe to follow. */
    mp_answer_read(&answer, reply, batch->count,
                   mp_request_names_records(id, batch));
    mp_project_lock(project);
    mp_lane_done(project->lanes[id], project->settings, batch, &answer,
                 reply->retry_after_ms, now_ms);
    mp_segment *garbage = collect_garbage(project);
    pthread_cond_broadcast(&project->wait.changed);
    mp_project_unlock(project);
    free_segments(garbage);
    mp_answer_free(&answer);
    free_flight(under_way);
}
