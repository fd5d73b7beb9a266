/* What dead processes left of a project, all in all. */
#include "core/project/project_state.h"

#include "core/os/clock.h"
#include "core/spool/spool_total.h"

enum {
    SHARE = 20 /* the pause is so many times as long as the last look took, all
                * its calls, at the least: a million files take seconds */
};

/* The oldest adopted batch that is on disk only, and in *lane whose it is;
 * NULL: there is none. */
static mp_batch_file *find_oldest(const mp_project *project, mp_lane **lane) {
    mp_batch_file *oldest = NULL;
    for (int i = 0; i < project->lanes_n; i++) {
        mp_batch_file *s = mp_lane_oldest_adopted(project->lanes[i]);
        if (s && (!oldest || s->wall_ms < oldest->wall_ms)) {
            oldest = s;
            *lane = project->lanes[i];
        }
    }
    return oldest;
}

static int64_t oldest_ms(void *user) {
    mp_lane *lane;
    const mp_batch_file *oldest = find_oldest(user, &lane);
    return oldest ? oldest->wall_ms : INT64_MAX;
}

static uint64_t evict(void *user) {
    mp_project *project = user;
    mp_lane *lane = NULL;
    mp_batch_file *file = find_oldest(project, &lane);
    uint64_t bytes = file->bytes;
    project->bound_evicted += mp_project_evict_file(project, lane, file);
    return bytes;
}

/* With the lock held: what was in runs that nobody had counts as adopted, or
 * the counters would not balance. */
static void count(mp_project *project, const mp_bound *got) {
    mp_stats *stats = &project->stats;
    stats->adopted += got->records;
    stats->quarantined += got->quarantined;
    mp_fate_count(MP_FATE_LEFT_OVER, stats, got->records);
    project->bound_evicted += got->records;
    if (!got->looked)
        return;
    stats->elsewhere_runs = got->elsewhere.runs;
    stats->elsewhere_files = got->elsewhere.files;
    stats->elsewhere_bytes = got->elsewhere.bytes;
}

static void plan_next(mp_project *project, const mp_bound *got,
                      int64_t now_ms) {
    int64_t spent_ms = project->bound_spent_ms;
    if (got->more) {
        project->bound_ms = now_ms;
        return;
    }
    /* Soon after what changed the sums. */
    project->bound_pause_ms =
        got->evicted ? MP_LOOK_SOON_MS
                     : mp_project_next_look(project->bound_pause_ms);
    int64_t pause_ms = project->bound_pause_ms;
    if (pause_ms < SHARE * spent_ms)
        pause_ms = SHARE * spent_ms;
    project->bound_ms = now_ms + pause_ms;
    project->bound_spent_ms = 0;
}

void mp_project_bound(mp_project *project, const mp_settings *settings,
                      int64_t now_ms) {
    char message[MP_MESSAGE];
    mp_bound got;
    const mp_adopter adopter = {oldest_ms, evict, project};
    const mp_reporter reporter = {mp_project_report_once, project, NULL};
    if (now_ms < project->bound_ms)
        return;
    int64_t start_ms = mp_clock_mono_ms();
    if (mp_spool_bound(project->spool, settings->spool_total_bytes, &adopter,
                       &reporter, &got, message) != 0)
        mp_project_report_once(project, message);
    mp_project_lock(project);
    project->bound_spent_ms += mp_clock_mono_ms() - start_ms;
    count(project, &got);
    if (!got.more) { /* one report of all that went */
        project->left_over.unreported += project->bound_evicted;
        project->bound_evicted = 0;
        mp_project_report_evicted(project, &project->left_over,
                                  MP_FATE_LEFT_OVER, now_ms);
    }
    plan_next(project, &got, now_ms);
    mp_project_unlock(project);
}
