/* Of what dead processes left no more than spool_total_bytes is kept: the
 * oldest goes first, counted and reported, and the rest is delivered. */
#include "project_helper.h"

enum {
    OPEN = MP_SEGMENT_FILE /* bytes of what each of these processes leaves */
};

static void track_ten(mp_project *project, int n) {
    for (int i = 0; i < 10; i++)
        push(project, MP_LANE_EVENTS, 10 * n + i);
}

/* So that each is older than the next, also on file systems with coarse
 * times. */
static void leave_runs(int n) {
    for (int i = 1; i <= n; i++) {
        die_after(track_ten, i);
        usleep(12000);
    }
}

static mp_settings *limit(mp_project *project, uint64_t most, uint64_t total) {
    mp_settings *settings = own_settings(project);
    settings->spool_max_bytes = most;
    settings->spool_total_bytes = total;
    return settings;
}

/* Looks until the look has ended. */
static void look(mp_project *project, int64_t now_ms) {
    do
        mp_project_bound(project, project->settings, now_ms);
    while (project->bound_ms <= now_ms);
}

/* The records in reports of this kind, which are taken; *reports: how many. */
static uint64_t count_told(mp_project *project, const char *text,
                           int *reports) {
    mp_report report;
    uint64_t count = 0;
    *reports = 0;
    while (mp_project_take_report(project, &report)) {
        if (strstr(report.message, text)) {
            CHECK(report.outcome == MP_REPORT_DROPPED);
            count += report.count;
            ++*reports;
        }
        mp_report_free(&report);
    }
    return count;
}

static void check_delivered(mp_project *project, int from, int to) {
    int64_t t = mp_clock_mono_ms();
    for (int i = 0; i < 60; i++)
        send_all(project, t += 1000);
    mp_stats stats = stats_of(project);
    CHECK(stats.spooled == 0 && stats.queued == 0);
    CHECK(stats.delivered == (uint64_t)(10 * (to - from + 1)));
    CHECK(sent_n == 10 * (to - from + 1));
    for (int n = 10 * from; n < 10 * (to + 1); n++)
        CHECK(was_sent(n));
}

CASE(a_crash_loop_keeps_the_newest) {
    enum {
        DEAD = 20,
        KEPT = 12
    };
    enter();
    sent_n = 0;
    leave_runs(DEAD);
    mp_project *project = open_project();
    limit(project, 1, KEPT * (uint64_t)OPEN + 4095);
    look(project, mp_clock_mono_ms());
    mp_stats stats = stats_of(project);
    CHECK(stats.dropped_evicted == 10 * (DEAD - KEPT));
    CHECK(stats.adopted == stats.dropped_evicted && stats.spooled == 0);
    CHECK(stats.elsewhere_runs == DEAD && stats.elsewhere_files == DEAD);
    int reports;
    CHECK(count_told(project, "spool_total_bytes", &reports) ==
          10 * (DEAD - KEPT));
    CHECK(reports == 1);
    limit(project, UINT64_C(1) << 30, KEPT * (uint64_t)OPEN);
    check_delivered(project, DEAD - KEPT + 1, DEAD);
    stats = stats_of(project);
    CHECK(stats.dropped_evicted == 10 * (DEAD - KEPT));
    CHECK(stats.adopted == 10 * DEAD && stats.elsewhere_runs == 0);
    CHECK(stats.elsewhere_files == 0 && stats.elsewhere_bytes == 0);
    close_project(project);
    leave();
}

CASE(a_limit_just_above_evicts_nothing_and_one_just_below_one_batch) {
    for (int below = 0; below < 2; below++) {
        enter();
        sent_n = 0;
        leave_runs(4);
        mp_project *project = open_project();
        limit(project, 1, 4 * (uint64_t)OPEN - (uint64_t)below);
        look(project, mp_clock_mono_ms());
        mp_stats stats = stats_of(project);
        CHECK(stats.dropped_evicted == (below ? 10 : 0));
        CHECK(stats.elsewhere_bytes == 4 * OPEN);
        limit(project, UINT64_C(1) << 30, UINT64_C(1) << 30);
        check_delivered(project, 1 + below, 4);
        close_project(project);
        leave();
    }
}

/* What was adopted makes room as well, and is reported with the rest. */
CASE(what_was_adopted_is_the_oldest) {
    enter();
    sent_n = 0;
    leave_runs(6);
    mp_project *project = open_project();
    int64_t now_ms = mp_clock_mono_ms();
    limit(project, 4 * 4096, UINT64_C(1) << 30); /* two batches of 4 KiB */
    mp_project_prepare(project, now_ms);
    look(project, now_ms); /* the rest of one that took too long at once */
    mp_stats stats = stats_of(project);
    CHECK(stats.adopted == 20 && stats.spooled_bytes == 2 * 4096);
    CHECK(stats.elsewhere_runs == 4 && stats.elsewhere_bytes == 4 * OPEN);
    limit(project, 4 * 4096, 2 * OPEN);
    project->bound_ms = 0;
    look(project, now_ms);
    stats = stats_of(project);
    CHECK(stats.adopted == 40 && stats.dropped_evicted == 40);
    CHECK(stats.spooled == 0 && stats.spooled_bytes == 0);
    int reports;
    CHECK(count_told(project, "spool_total_bytes", &reports) == 40);
    CHECK(reports == 1);
    limit(project, UINT64_C(1) << 30, UINT64_C(1) << 30);
    check_delivered(project, 5, 6);
    close_project(project);
    leave();
}

/* It accepted them itself, and spool_max_bytes alone bounds that. */
CASE(what_a_living_process_accepted_stays) {
    enter();
    sent_n = 0;
    mp_project *living = open_project(), *project = open_project();
    mp_project_adopts(living, false);
    track_ten(living, 7);
    leave_runs(2);
    track_ten(project, 8);
    limit(project, 1, 1);
    look(project, mp_clock_mono_ms());
    mp_stats stats = stats_of(project);
    CHECK(stats.dropped_evicted == 20 && stats.queued == 10);
    mp_project_flush_up_to(living, UINT64_MAX);
    send_all(living, mp_clock_mono_ms());
    mp_project_flush_up_to(project, UINT64_MAX);
    limit(project, UINT64_C(1) << 30, UINT64_C(1) << 30);
    send_all(project, mp_clock_mono_ms());
    CHECK(stats_of(living).delivered == 10 &&
          stats_of(project).delivered == 10);
    for (int n = 70; n < 90; n++)
        CHECK(was_sent(n));
    close_project(project);
    close_project(living);
    leave();
}

CASE(a_look_that_evicts_nothing_comes_less_and_less_often) {
    enter();
    mp_project *project = open_project();
    int64_t t = mp_clock_mono_ms(), start_ms = t;
    int looks = 0;
    for (; t < start_ms + 240 * 1000; t += 100) {
        bool due = t >= project->bound_ms;
        mp_project_prepare(project, t);
        looks += due && t < project->bound_ms;
    }
    CHECK(looks >= 7 && looks <= 10);
    close_project(project);
    leave();
}

int main(void) {
    RUN(a_crash_loop_keeps_the_newest);
    RUN(a_limit_just_above_evicts_nothing_and_one_just_below_one_batch);
    RUN(what_was_adopted_is_the_oldest);
    RUN(what_a_living_process_accepted_stays);
    RUN(a_look_that_evicts_nothing_comes_less_and_less_often);
    return unit_result();
}
