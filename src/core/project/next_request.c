/* Which request comes next, and what its reply changes. */
#include "core/project/project_state.h"

#include "core/os/clock.h"
#include "core/wire/request.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    NO_MEMORY_MS = 1000 /* before a check is tried again */
};

/* Lanes without order share max_in_flight; those with order send one request
 * at a time, which they see to themselves. */
static uint32_t slots_for(const mp_project *project, mp_lane_id id) {
    if (mp_endpoints[id].ordered)
        return 1;
    uint32_t used = 0;
    for (int i = 0; i < project->lanes_n; i++)
        if (!mp_endpoints[i].ordered)
            used += mp_lane_in_flight(project->lanes[i]);
    uint32_t most = project->settings->max_in_flight;
    return most > used ? most - used : 0;
}

/* What comes next: a check, a batch, or a batch on disk to be read first;
 * else none of them. */
typedef struct choice {
    bool is_check;
    uint64_t check;
    mp_lane_id id;
    mp_batch *batch;
    mp_batch_file *wanted;
} choice;

/* With the lock held: a backlog on its way leaves half of the memory to what
 * comes in. */
static bool may_read(const mp_project *project, mp_lane_id id) {
    return mp_lane_in_flight(project->lanes[id]) == 0 ||
           project->stats.queue_bytes <= project->settings->max_queue_bytes / 2;
}

static void ask_lane(mp_project *project, choice *next, int64_t now_ms,
                     int64_t *next_ms) {
    mp_lane *lane = project->lanes[next->id];
    mp_lane_limit(lane, mp_budget_most_records(&project->budget),
                  mp_budget_most_bytes(&project->budget));
    next->batch = mp_lane_next(lane, project->settings, now_ms,
                               slots_for(project, next->id), next_ms);
    if (!next->batch && may_read(project, next->id))
        next->wanted = mp_lane_wanted(lane);
}

/* The next batch of any lane, asked in turn. One whose batch must be read first
 * had its turn by that: else it would never be read while others always have
 * some in memory. Those with order wait until what dead processes left is
 * there, since it goes first. */
static void ask_lanes(mp_project *project, choice *next, int64_t now_ms,
                      int64_t *next_ms) {
    unsigned first = project->next_lane;
    *next_ms = INT64_MAX;
    for (int i = 0; i < project->lanes_n; i++) {
        next->id = (mp_lane_id)((first + (unsigned)i) % MP_LANES);
        if (project->adopting && mp_endpoints[next->id].ordered)
            continue;
        int64_t ms;
        ask_lane(project, next, now_ms, &ms);
        if (next->batch || next->wanted) {
            project->next_lane = next->id + 1;
            return;
        }
        *next_ms = mp_clock_earlier(*next_ms, ms);
    }
}

static uint64_t without_outcome(const mp_project *project) {
    return project->stats.queued + project->stats.in_flight +
           project->stats.spooled;
}

/* Out of memory for a compressor the body goes as it is. Over a bus it is
 * always compressed. */
static mp_err make_request(mp_project *project, mp_request *request,
                           const mp_batch *batch, mp_settings *settings) {
    int level = settings->gzip;
    if (project->config.bus && level == 0)
        level = MP_GZIP_MIN;
    mp_gzip *gzip = level > 0 ? mp_gzip_borrow(level) : NULL;
    mp_err err =
        mp_request_make(request, batch, &project->config, settings, gzip);
    mp_gzip_give_back(gzip);
    return err;
}

/* Makes the request for a batch, or a check if there is none. NULL: out
 * of memory. */
static mp_flight *make_flight(mp_project *project, mp_lane_id lane,
                              mp_batch *batch, mp_settings *settings) {
    mp_flight *under_way = calloc(1, sizeof *under_way);
    if (!under_way)
        return NULL;
    under_way->lane = lane;
    under_way->batch = batch;
    mp_request *request = &under_way->request;
    mp_err err = batch ? make_request(project, request, batch, settings)
                       : mp_request_check(request, &project->config, settings);
    if (err != MP_OK) {
        mp_flight_free(under_way);
        return NULL;
    }
    return under_way;
}

/* With the lock held: true if a check waits, which then is under way. */
static bool take_check(mp_project *project, uint64_t *check) {
    if (project->sent == project->checks_wanted)
        return false;
    *check = project->sent = project->checks_wanted;
    return true;
}

/* The request of a fetch. NULL: out of memory, and it has failed. */
static mp_request *make_fetch(mp_project *project, mp_settings *settings,
                              const mp_fetch *fetch, int64_t now_ms,
                              int64_t *next_ms) {
    mp_flight *under_way = calloc(1, sizeof *under_way);
    if (!under_way) {
        mp_reply none = {.failure = "out of memory for a request"};
        mp_flags_handle_reply(mp_project_flags(project), fetch, &none, now_ms,
                              mp_clock_wall_ms());
        *next_ms = now_ms + NO_MEMORY_MS;
        return NULL;
    }
    mp_request_fetch(&under_way->request, fetch, &project->config, settings);
    *next_ms = now_ms;
    return &under_way->request;
}

/* The definitions of flags, if they are to be fetched; else NULL, and *next_ms
 * is no later than when to ask again. */
static mp_request *next_fetch(mp_project *project, mp_settings *settings,
                              int64_t now_ms, int64_t *next_ms) {
    mp_flags *flags = mp_project_flags(project);
    int64_t flags_ms = INT64_MAX;
    const mp_fetch *fetch =
        flags ? mp_flags_next(flags, now_ms, &flags_ms) : NULL;
    *next_ms = mp_clock_earlier(*next_ms, flags_ms);
    return fetch ? make_fetch(project, settings, fetch, now_ms, next_ms) : NULL;
}

/* What somebody may be waiting for; NULL: nothing. */
static mp_request *next_remote(mp_project *project, mp_settings *settings,
                               int64_t now_ms, int64_t *next_ms) {
    mp_flags *flags = mp_project_flags(project);
    const mp_fetch *fetch =
        flags ? mp_flags_next_remote(flags, now_ms, mp_clock_wall_ms()) : NULL;
    return fetch ? make_fetch(project, settings, fetch, now_ms, next_ms) : NULL;
}

static mp_request *next_check(mp_project *project, mp_settings *settings,
                              uint64_t check, int64_t now_ms,
                              int64_t *next_ms) {
    mp_flight *under_way = make_flight(project, MP_LANE_IMPORT, NULL, settings);
    if (under_way) {
        under_way->check = check;
        return &under_way->request;
    }
    mp_project_lock(project);
    project->sent = project->checks_done;
    mp_project_unlock(project);
    *next_ms = now_ms + NO_MEMORY_MS;
    return NULL;
}

/* The request for the batch. NULL: the lane has it back. */
static mp_flight *make_batch_flight(mp_project *project, mp_lane_id id,
                                    mp_batch *batch, mp_settings *settings,
                                    int64_t now_ms) {
    uint32_t records = batch->count;
    size_t bytes = mp_batch_bytes(batch);
    mp_flight *under_way = make_flight(project, id, batch, settings);
    bool fits = false;
    mp_project_lock(project);
    if (!under_way) {
        mp_lane_undo(project->lanes[id], batch, now_ms);
    } else if (mp_lane_fits(project->lanes[id], batch,
                            under_way->request.body.len, now_ms)) {
        fits = true;
        project->stats.requests++;
        project->stats.bytes_raw += under_way->request.raw_bytes;
        project->stats.bytes_sent += under_way->request.body.len;
    }
    if (!fits)
        mp_budget_give_back(&project->budget, records, bytes);
    mp_project_unlock(project);
    if (under_way && !fits) {
        mp_flight_free(under_way);
        under_way = NULL;
    }
    return under_way;
}

/* With the lock released: makes the request for the batch, or gives it back
 * to its lane. */
static mp_request *launch(mp_project *project, mp_lane_id id, mp_batch *batch,
                          mp_settings *settings, int64_t now_ms) {
    mp_flight *under_way =
        make_batch_flight(project, id, batch, settings, now_ms);
    if (!under_way)
        return NULL;
    under_way->first = mp_project_before_request(
        project, id, batch, &under_way->request.body, settings);
    if (project->config.bus)
        mp_project_name_message(project, id, batch, &under_way->request);
    return &under_way->request;
}

/* With the lock held. Lanes that are asked also give up what is too old or
 * refused for good. */
static void choose_batch(mp_project *project, choice *next, int64_t now_ms,
                         int64_t *next_ms) {
    *next_ms = mp_project_opens(project, now_ms);
    if (*next_ms > now_ms) {
        mp_project_hold_back(project);
        return;
    }
    uint64_t before = without_outcome(project);
    ask_lanes(project, next, now_ms, next_ms);
    if (without_outcome(project) != before)
        mp_wait_changed(&project->wait);
    if (next->batch)
        mp_budget_take(&project->budget, next->batch->count,
                       mp_batch_bytes(next->batch));
}

static choice choose(mp_project *project, int64_t now_ms, int64_t *next_ms) {
    choice next = {.id = MP_LANE_EVENTS};
    mp_project_lock(project);
    next.is_check = take_check(project, &next.check);
    if (!next.is_check)
        choose_batch(project, &next, now_ms, next_ms);
    project->looks_ms =
        next.is_check || next.batch || next.wanted ? now_ms : *next_ms;
    mp_segment *garbage = mp_project_garbage(project);
    mp_project_unlock(project);
    mp_project_free_segments(project, garbage);
    return next;
}

static mp_request *begin(mp_project *project, mp_request *request,
                         mp_role role) {
    mp_flight *under_way = (mp_flight *)request;
    if (!under_way)
        return NULL;
    under_way->role = role;
    mp_project_trace_request(project, under_way);
    return request;
}

/* True if whoever asks may fetch definitions of flags, and nobody else. */
static bool may_fetch(mp_project *project, mp_role role) {
    mp_flags *flags = mp_project_flags(project);
    return flags && (role != MP_SENDER || mp_flags_in_memory(flags));
}

static mp_request *find_request(mp_project *project, mp_settings *settings,
                                mp_role role, int64_t now_ms,
                                int64_t *next_ms) {
    mp_request *request = next_remote(project, settings, now_ms, next_ms);
    if (request)
        return request;
    choice next = choose(project, now_ms, next_ms);
    while (next.wanted) {
        mp_project_fetch(project, next.id, next.wanted, settings, now_ms);
        next = choose(project, now_ms, next_ms);
    }
    if (next.is_check)
        return next_check(project, settings, next.check, now_ms, next_ms);
    if (next.batch) {
        *next_ms = now_ms;
        return launch(project, next.id, next.batch, settings, now_ms);
    }
    if (may_fetch(project, role))
        return next_fetch(project, settings, now_ms, next_ms);
    return NULL;
}

mp_request *mp_project_next_request(mp_project *project, mp_role role,
                                    int64_t now_ms, int64_t *next_ms) {
    mp_request *request = NULL;
    mp_settings *settings = mp_project_settings(project);
    *next_ms = INT64_MAX;
    if (!mp_project_may_send(project, now_ms))
        *next_ms = mp_project_await_permit(project, settings, now_ms);
    else if (role != MP_SENDER || !settings->debug) /* else the disk's now */
        request = find_request(project, settings, role, now_ms, next_ms);
    mp_settings_release(settings);
    return begin(project, request, role);
}

mp_request *mp_project_next_definitions(mp_project *project, int64_t now_ms,
                                        int64_t *next_ms) {
    mp_settings *settings = mp_project_settings(project);
    *next_ms = INT64_MAX;
    mp_request *request = NULL;
    if (mp_project_may_send(project, now_ms))
        request = next_fetch(project, settings, now_ms, next_ms);
    mp_settings_release(settings);
    return begin(project, request, MP_DISK);
}

static void handle_check_reply(mp_project *project, const mp_flight *under_way,
                               const mp_reply *reply) {
    mp_response response;
    mp_response_read(&response, reply, &mp_endpoints[MP_LANE_IMPORT], 1);
    mp_response_free(&response);
    mp_project_lock(project);
    if (under_way->check > project->checks_done) { /* else it came late */
        project->checks_done = under_way->check;
        if (!project->check_response)
            project->check_response = malloc(sizeof response);
        if (project->check_response)
            *project->check_response = response;
        mp_wait_changed(&project->wait);
    }
    mp_project_unlock(project);
}

static bool is_in(const mp_segment *list, const mp_segment *segment) {
    while (list && list != segment)
        list = list->next;
    return list != NULL;
}

/* What was taken stays in the file too, as long as others of it wait, and
 * must not be sent again either. */
static bool was_not_taken(mp_result outcome) {
    return outcome == MP_RESULT_BAD || outcome == MP_RESULT_TOO_LARGE ||
           outcome == MP_RESULT_REJECTED || outcome == MP_RESULT_FOREIGN ||
           outcome == MP_RESULT_UNAUTHORIZED ||
           outcome == MP_RESULT_FORBIDDEN || outcome == MP_RESULT_BUSY ||
           outcome == MP_RESULT_NOTHING;
}

static void handle_batch_reply(mp_project *project, const mp_flight *under_way,
                               const mp_reply *reply, int64_t now_ms) {
    mp_batch *batch = under_way->batch;
    mp_segment *segment = batch->segment;
    mp_lane_id id = under_way->lane;
    mp_response response;
    /* Out of memory the answer says less, and is still safe to follow. */
    mp_response_read(&response, reply, batch->endpoint, batch->count);
    mp_project_lock(project);
    mp_lane_handle_reply(project->lanes[id], project->settings, batch,
                         &response, reply->retry_after_ms, now_ms);
    mp_segment *garbage = mp_project_garbage(project);
    mp_wait_changed(&project->wait);
    mp_project_unlock(project);
    if (under_way->first && was_not_taken(response.result) &&
        !is_in(garbage, segment))
        mp_project_clear_in_doubt(project, segment);
    mp_project_free_segments(project, garbage);
    mp_response_free(&response);
}

void mp_project_handle_reply(mp_project *project, mp_request *request,
                             const mp_reply *reply, int64_t now_ms) {
    mp_flight *under_way = (mp_flight *)request;
    mp_project_trace_reply(project, under_way, reply);
    if (under_way->request.fetch)
        mp_flags_handle_reply(mp_project_flags(project),
                              under_way->request.fetch, reply, now_ms,
                              mp_clock_wall_ms());
    else if (under_way->batch)
        handle_batch_reply(project, under_way, reply, now_ms);
    else
        handle_check_reply(project, under_way, reply);
    mp_flight_free(under_way);
}

void mp_project_fail_request(mp_project *project, mp_request *request,
                             int64_t now_ms) {
    mp_reply none = {.status = 0};
    snprintf(none.failure, MP_MESSAGE, "out of memory for a request");
    mp_project_handle_reply(project, request, &none, now_ms);
}
