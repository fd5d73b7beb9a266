/* What of a project stands on disk: its spool, and open segments on files. */
#include "core/project/project_state.h"

#include "core/base/gzip.h"
#include "core/os/clock.h"
#include "core/spool/look.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NOTICE_MS = 60 * 1000, /* between two reports of one message */
    REJECTED_MS = 1000     /* that a look waits for rejected.jsonl */
};

/* ---- life ---- */

mp_err mp_project_open_disk(mp_project *project) {
    const mp_config *config = &project->config;
    if (!config->spool)
        return MP_OK;
    project->spool = mp_spool_new(config->spool, config->token,
                                  config->base_url, config->name);
    project->reported = calloc(MP_REPORTED, sizeof *project->reported);
    if (!project->spool || !project->reported ||
        mp_project_make_lanes(project) != MP_OK)
        return MP_MEMORY;
    project->rejected.limit = MP_PROJECT_REJECTED;
    project->base = MP_PROJECT_BASE;
    project->seq = project->base;
    for (int i = 0; i < project->lanes_n; i++)
        mp_lane_on_disk(project->lanes[i], &project->rejected);
    return MP_OK;
}

void mp_project_disk_in_child(mp_project *project) {
    if (!project->spool)
        return;
    mp_spool_after_fork_child(project->spool);
    project->seq = project->base;
    project->adopt_ms = project->sync_ms = project->store_ms = 0;
    project->adopt_pause_ms = 0;
    project->adopting = false;
    project->bound_ms = project->bound_pause_ms = 0;
    project->bound_spent_ms = 0;
    project->bound_evicted = 0;
    project->evicted = project->left_over = (mp_evictions){0};
    memset(project->reported, 0, MP_REPORTED * sizeof *project->reported);
    mp_buf_clear(&project->rejected);
    project->rejecting = false;
}

bool mp_project_same_disk(const mp_project *a, const mp_project *b) {
    return a->spool && b->spool && mp_spool_same(a->spool, b->spool);
}

/* Waits until what was counted as rejected stands in its file. */
static void await_rejected(mp_project *project) {
    int64_t deadline_ms = mp_clock_mono_ms() + REJECTED_MS;
    mp_project_lock(project);
    while (!project->config.manual &&
           (project->rejected.len > 0 || project->rejecting) &&
           mp_wait_until(&project->wait, deadline_ms))
        continue;
    mp_project_unlock(project);
}

int mp_project_look(mp_project *project, mp_buf *out,
                    char message[MP_MESSAGE]) {
    mp_project_touch(project);
    await_rejected(project);
    return mp_look_list(project->spool, out, message);
}

void mp_project_adopts(mp_project *project, bool adopts) {
    mp_project_lock(project);
    project->adopts = adopts;
    project->adopting &= adopts;
    mp_project_unlock(project);
}

void mp_project_configure_disk(mp_project *project) {
    int level = project->settings->gzip;
    mp_trust trust =
        project->settings->trust_any ? MP_TRUST_ANY : MP_TRUST_OWNER;
    mp_flags *flags = mp_project_flags(project);
    if (project->spool) {
        mp_spool_set_trust(project->spool, trust);
        mp_spool_set_gzip(project->spool, level > 0 ? level : MP_GZIP_MIN);
        mp_spool_set_written(project->spool, project->settings->written);
    }
    if (flags)
        mp_flags_set_trust(flags, trust);
}

/* ---- trouble ---- */

static uint64_t hash_text(const char *text) {
    uint64_t hash = UINT64_C(14695981039346656037);
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return hash;
}

/* With the lock held: false if this was told less than a minute ago, or is
 * of a kind that is told once. */
static bool is_news(mp_project *project, const char *message, bool once,
                    int64_t now_ms) {
    uint64_t hash = hash_text(message);
    mp_reported *oldest = project->reported;
    for (size_t i = 0; i < MP_REPORTED; i++) {
        mp_reported *t = &project->reported[i];
        if (t->hash == hash && (once || now_ms < t->ms + NOTICE_MS))
            return false;
        if (t->ms < oldest->ms)
            oldest = t;
    }
    *oldest = (mp_reported){hash, now_ms};
    return true;
}

/* With the lock held. */
static void report(mp_project *project, const char *message) {
    mp_report report = {.outcome = MP_REPORT_SPOOL, .endpoint = ""};
    snprintf(report.message, MP_MESSAGE, "%s", message);
    mp_reports_add(project->reports, &report);
}

void mp_project_report_disk(mp_project *project, const char *message) {
    int64_t now_ms = mp_clock_mono_ms();
    mp_project_lock(project);
    project->stats.spool_errors++;
    mp_project_note_error(project, message);
    if (is_news(project, message, false, now_ms))
        report(project, message);
    mp_project_unlock(project);
}

/* What adoption passes over is met again at every look. */
void mp_project_report_once(void *user, const char *message) {
    mp_project *project = user;
    mp_project_lock(project);
    if (is_news(project, message, true, mp_clock_mono_ms())) {
        project->stats.spool_errors++;
        report(project, message);
    }
    mp_project_unlock(project);
}

/* ---- open segments ---- */

mp_segment *mp_project_new_segment(mp_project *project, mp_lane_id lane) {
    char message[MP_MESSAGE];
    mp_segment *segment = NULL;
    if (project->spool) {
        if (mp_spool_segment(project->spool, lane, &segment, message) == 0) {
            if (segment->place.fd >= 0 &&
                !atomic_exchange(&project->writes, true) &&
                !mp_spool_is_written(project->spool))
                mp_project_report_once(
                    project,
                    "spool: its file system can take blocks back, as a "
                    "copy-on-write or network one does, so each record "
                    "is written to it when it is tracked, which is "
                    "slower than a mapping");
            return segment;
        }
        mp_project_report_disk(project, message);
    }
    return mp_segment_new();
}

/* With the lock held: notes that a caller is about to write the end of a
 * segment, which must not go meanwhile. */
void mp_project_note_write(mp_write *write, mp_segment *segment, size_t bytes) {
    write->segment = segment;
    write->to = segment->used;
    write->from = segment->used - bytes;
    mp_segment_retain(segment);
}

bool mp_project_write(mp_project *project, mp_lane_id lane,
                      const mp_write *writes, size_t n) {
    char message[MP_MESSAGE];
    bool retired = false;
    for (size_t i = 0; i < n; i++) {
        mp_segment *segment = writes[i].segment;
        bool torn =
            segment->place.fd >= 0 &&
            mp_spool_write(segment, writes[i].from, writes[i].to, message) != 0;
        if (torn)
            mp_project_report_disk(project, message);
        mp_project_lock(project);
        segment->place.torn |= torn;
        if (mp_segment_release(segment)) {
            mp_lane_retire(project->lanes[lane], segment);
            retired = true;
        }
        mp_project_unlock(project);
    }
    return retired;
}

mp_segment *mp_project_garbage(mp_project *project) {
    mp_segment *all = NULL;
    for (int i = 0; i < project->lanes_n; i++) {
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

void mp_project_free_segments(mp_project *project, mp_segment *list) {
    char message[MP_MESSAGE];
    while (list) {
        mp_segment *next = list->next;
        if (mp_spool_discard(list, message) != 0)
            mp_project_report_disk(project, message);
        mp_segment_free(list);
        list = next;
    }
}
