/* Records in. */
#include "core/project/project_state.h"

#include "core/os/clock.h"

#include <stdio.h>
#include <stdlib.h>

static mp_segment *new_segments(mp_project *project, mp_lane_id lane,
                                uint32_t n) {
    mp_segment *list = NULL;
    while (n-- > 0) {
        mp_segment *segment = mp_project_new_segment(project, lane);
        if (!segment) {
            mp_project_free_segments(project, list);
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

/* Drops whatever is oldest in any lane. False: nothing can be dropped. */
static bool drop_oldest(mp_project *project, int64_t now_ms) {
    mp_lane *oldest = project->lanes[0];
    for (int i = 1; i < project->lanes_n; i++)
        if (mp_lane_droppable(project->lanes[i]) < mp_lane_droppable(oldest))
            oldest = project->lanes[i];
    bool dropped = mp_lane_drop_oldest(oldest, now_ms);
    if (dropped)
        mp_wait_changed(&project->wait);
    return dropped;
}

bool mp_project_can_hold(mp_project *project, size_t bytes) {
    if (bytes <=
        atomic_load_explicit(&project->max_queue_bytes, memory_order_relaxed))
        return true;
    mp_project_lock(project);
    project->stats.refused_full++;
    mp_project_unlock(project);
    return false;
}

/* With the lock held: true if so many bytes may be queued, which older
 * records may have to make room for. */
static bool has_room(mp_project *project, size_t bytes, int64_t now_ms) {
    uint64_t most = project->settings->max_queue_bytes;
    while (project->stats.queue_bytes + bytes > most)
        if (bytes > most || !project->settings->drop_oldest ||
            !drop_oldest(project, now_ms))
            return false;
    return true;
}

/* Sees to it, with the lock held and held again on return, that all records
 * have room. The lock is released while segments are made. */
static mp_err make_room(mp_project *project, mp_lane_id id,
                        const mp_record *records, size_t n, int64_t now_ms) {
    mp_lane *lane = project->lanes[id];
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += records[i].head_len + records[i].body_len + 2;
    for (;;) {
        if (!has_room(project, bytes, now_ms)) {
            project->stats.refused_full++;
            return MP_QUEUE_FULL;
        }
        uint32_t missing = mp_lane_missing(lane, project->settings, records, n);
        if (missing == 0)
            return MP_OK;
        mp_project_unlock(project);
        mp_segment *fresh = new_segments(project, id, missing);
        mp_project_lock(project);
        if (!fresh)
            return MP_MEMORY;
        give_all(lane, fresh);
    }
}

/* With the lock held and room for all. `writes` gets one for each record. */
static bool add_all(mp_project *project, mp_lane *lane,
                    const mp_record *records, size_t n, mp_write *writes,
                    int64_t now_ms) {
    bool full = false;
    for (size_t i = 0; i < n; i++) {
        full |= mp_lane_add(lane, project->settings, &records[i],
                            ++project->seq, now_ms);
        project->stats.repaired += records[i].repaired;
        project->stats.truncated += records[i].truncated;
        if (writes)
            mp_project_note_write(&writes[i], mp_lane_last_segment(lane),
                                  records[i].head_len + records[i].body_len +
                                      2);
    }
    project->stats.accepted += n;
    return full;
}

/* With the lock held: when its thread must come for what was added to the
 * lane; INT64_MAX: it comes by itself, at a reply or the end of a backoff.
 * Waking it for every record of an outage would cost a system call each, and a
 * race for the lock. */
static int64_t due(const mp_project *project, const mp_lane *lane,
                   int64_t now_ms) {
    const mp_settings *settings = project->settings;
    int64_t due_ms = INT64_MAX;
    if (!mp_lane_waits(lane))
        due_ms = now_ms + settings->flush_interval_ms;
    if (project->spool && settings->fsync)
        due_ms = mp_clock_earlier(due_ms, now_ms + settings->sync_interval_ms);
    return due_ms;
}

/* Where the bytes of each record stand in its segment, for a spool that is
 * written and not mapped. */
typedef struct writes {
    mp_write one;
    mp_write *all; /* NULL: nothing is to be written */
} writes;

static mp_err prepare_writes(mp_project *project, writes *w, size_t n) {
    if (!atomic_load_explicit(&project->writes, memory_order_relaxed))
        return MP_OK;
    w->all = n <= 1 ? &w->one : malloc(n * sizeof *w->all);
    return w->all ? MP_OK : MP_MEMORY;
}

static void free_writes(writes *w) {
    if (w->all != &w->one)
        free(w->all);
}

mp_err mp_project_push(mp_project *project, mp_lane_id id,
                       const mp_record *records, size_t n, bool *wake) {
    int64_t wall_ms, now_ms = mp_clock_coarse(&wall_ms), due_ms = INT64_MAX;
    writes w = {.all = NULL};
    mp_project_lock(project);
    mp_err err = project->lanes_n > 0 ? MP_OK : mp_project_make_lanes(project);
    mp_lane *lane = project->lanes[id];
    if (err == MP_OK)
        err = make_room(project, id, records, n, now_ms);
    if (err == MP_OK)
        err = prepare_writes(project, &w, n);
    bool full = false;
    if (err == MP_OK) {
        if (mp_endpoints[id].max_age_ms > 0)
            mp_lane_set_ahead(lane, wall_ms - now_ms);
        full = add_all(project, lane, records, n, w.all, now_ms);
    }
    if (full || (err == MP_QUEUE_FULL && project->spool))
        due_ms = now_ms; /* the disk has room that memory has not */
    else if (err == MP_OK && n > 0)
        due_ms = due(project, lane, now_ms);
    *wake = mp_project_must_wake(project, due_ms);
    mp_project_unlock(project);
    if (err == MP_OK && w.all)
        *wake |= mp_project_write(project, id, w.all, n);
    free_writes(&w);
    return err;
}

void mp_project_count_properties_failed(mp_project *project,
                                        const char *message) {
    mp_report report = {.outcome = MP_REPORT_PROPERTIES, .endpoint = ""};
    mp_project_lock(project);
    project->stats.properties_failed++;
    if (message) {
        snprintf(report.message, MP_MESSAGE, "%s", message);
        mp_project_note_error(project, message);
        mp_reports_add(project->reports, &report);
    }
    mp_project_unlock(project);
}
