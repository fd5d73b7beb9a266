/* Batches that were read together, after that: their marks, their memory, their
 * age. */
#include "failing.h"
#include "gather_helper.h"

/* ---- marks ---- */

/* Whatever is to become of those in doubt. */
CASE(increments_travel_by_themselves) {
    for (int report = 0; report < 2; report++) {
        begin();
        leave_all(leave_increment, 1, 3);
        leave_all(leave_update, 4, 8);
        leave_all(leave_increment, 9, 9);
        mp_project *project = open_project();
        own_settings(project)->report_ambiguous = report;
        mp_request *request = send_one(project, mp_clock_mono_ms());
        CHECK(((mp_flight *)request)->batch->count == 1 && in_doubt() == 1);
        mp_project_fail_request(project, request, mp_clock_mono_ms());
        CHECK(in_doubt() == 0);
        deliver(project, 10);
        CHECK(stats_of(project).delivered == 9);
        CHECK(requests_n == 5); /* that of five updates, and four */
        end(project);
    }
}

/* ---- memory ---- */

/* Into memory, but nothing is sent. */
static mp_lane *read_back(mp_project *project, int64_t now_ms) {
    mp_flight *under_way = (mp_flight *)send_one(project, now_ms);
    mp_lane *lane = project->lanes[under_way->lane];
    mp_lane_undo(lane, under_way->batch, now_ms);
    mp_flight_free(under_way);
    return lane;
}

CASE(memory_is_given_back_and_the_files_stand_for_it) {
    begin();
    leave_all(leave_update, 1, 5);
    mp_project *project = open_project();
    int64_t now_ms = mp_clock_mono_ms();
    mp_lane *lane = read_back(project, now_ms);
    CHECK(stats_of(project).queued == 5 && stats_of(project).spooled == 0);
    mp_project_lock(project);
    CHECK(mp_lane_unload(lane) && mp_lane_left(lane, UINT64_MAX) == 5);
    mp_project_unlock(project);
    CHECK(stats_of(project).queued == 0 && stats_of(project).spooled == 5);
    mp_project_free_segments(project, mp_project_garbage(project));
    CHECK(count_found("*.json.gz") == 5);
    for (int i = 0; i < 100; i++)
        send_all(project, now_ms + 1000 * i);
    CHECK(stats_of(project).delivered == 5 && rises());
    CHECK(requests_n == 1); /* nothing speaks against them */
    CHECK(count_found("*.json.gz") == 0);
    end(project);
}

CASE(overflow_drops_nothing_that_is_on_disk) {
    begin();
    leave_all(leave_update, 1, 5);
    mp_project *project = open_project();
    int64_t now_ms = mp_clock_mono_ms();
    mp_lane *lane = read_back(project, now_ms);
    CHECK(mp_lane_drop_oldest(lane, now_ms));
    mp_stats stats = stats_of(project);
    CHECK(stats.dropped_overflow == 0 && stats.spooled == 5);
    CHECK(stats.queue_bytes == 0);
    deliver(project, 10);
    check_all_sent(project, 5);
    end(project);
}

static mp_project *failing_project;

static void fetch_with_failures(int64_t now_ms) {
    int64_t next_ms;
    mp_request *request =
        mp_project_next_request(failing_project, MP_HOST, now_ms, &next_ms);
    long failed = failing_in;
    failing_in = FAILING_NONE;
    if (request) {
        static const char ok[] = "{\"status\":1,\"error\":null}";
        mp_reply reply = {.status = 200, .body = ok, .len = sizeof ok - 1};
        note_sent(((mp_flight *)request)->batch);
        mp_project_handle_reply(failing_project, request, &reply, now_ms);
    }
    failing_in = (int)failed;
}

/* Each allocation on the way from the files to the request fails once. */
CASE(out_of_memory_nothing_is_lost) {
    bool failed = true;
    long first = 1;
    for (; failed && first < 1000; first++) {
        begin();
        die_after(leave_update, 1);
        die_after(leave_update, 2);
        die_after(leave_update, 3);
        failing_project = open_project();
        int64_t now_ms = mp_clock_mono_ms();
        mp_project_prepare(failing_project, now_ms);
        failing_arm(FAILING_OWN, first, 1);
        fetch_with_failures(now_ms);
        failed = failing_disarm();
        stats_of(failing_project); /* the balance */
        for (int i = 1; i < 10; i++)
            send_all(failing_project, now_ms + 1000 * i);
        CHECK(stats_of(failing_project).delivered == 3);
        CHECK(sent_n == 3 && rises());
        end(failing_project);
    }
    CHECK(first > 10 && first < 1000);
}

/* ---- age ---- */

/* Gives the four batches that were left these ages. */
static void age(mp_project *project, const int *minutes, int64_t now_ms) {
    mp_lane *lane = project->lanes[MP_LANE_EVENTS];
    int n = 0;
    for (mp_node *node = mp_tree_first(&lane->files); node;
         node = mp_tree_next(node)) {
        mp_batch_file *file = MP_TREE_THING(node, mp_batch_file, order);
        file->last_ms = now_ms - minutes[n++] * 60000;
    }
    CHECK(n == 4);
}

/* max_age is judged by the youngest of a segment. */
CASE(batches_of_different_ages_travel_apart) {
    static const int minutes[2][4] = {{490, 450, 120, 60}, {60, 120, 450, 490}};
    for (int i = 0; i < 2; i++) {
        begin();
        leave_all(leave_event, 1, 4);
        mp_project *project = open_project();
        int64_t now_ms = mp_clock_mono_ms();
        own_settings(project)->max_age_ms = 480 * 60000;
        mp_project_prepare(project, now_ms);
        age(project, minutes[i], now_ms);
        send_all(project, now_ms);
        mp_stats stats = stats_of(project);
        CHECK(stats.delivered == 3 && stats.dropped_expired == 1);
        CHECK(requests_n == 2);
        end(project);
    }
}

/* Each is near the one before, and the last far from the first. */
CASE(ages_do_not_drift) {
    begin();
    leave_all(leave_event, 1, 4);
    mp_project *project = open_project();
    int64_t now_ms = mp_clock_mono_ms();
    own_settings(project)->max_age_ms = 480 * 60000;
    mp_project_prepare(project, now_ms);
    age(project, (const int[]){200, 150, 100, 50}, now_ms);
    send_all(project, now_ms);
    CHECK(sent_n == 4 && requests_n == 2);
    end(project);
}

/* ---- parts ---- */

static mp_segment *make_segment(const char *name, int64_t time_ms,
                                int64_t last_ms) {
    mp_record record = {.head = name, .head_len = 5, .time_ms = time_ms};
    mp_segment *segment = mp_segment_new();
    mp_segment_add(segment, &record, (uint64_t)last_ms);
    segment->born_ms = segment->last_ms = last_ms;
    return segment;
}

CASE(a_segment_that_is_joined_has_the_ages_of_all) {
    mp_segment *a = make_segment("\"one\"", 2000, 300),
               *b = make_segment("\"two\"", 1000, 400),
               *c = make_segment("\"six\"", 3000, 200);
    mp_segment_join(a, b);
    mp_segment_join(a, c);
    CHECK(a->count == 3 && a->used == 21);
    CHECK(memcmp(a->data, "\"one\",\n\"two\",\n\"six\",\n", 21) == 0);
    CHECK(a->oldest_ms == 1000 && a->born_ms == 200 && a->last_ms == 400);
    CHECK(a->entries[1].seq == 400 && a->entries[1].time_ms == 1000);
    CHECK(a->entries[2].offset == 14 && a->entries[2].length == 5);
    mp_segment_free(a);
    mp_segment_free(b);
    mp_segment_free(c);
}

/* Somebody may ask while the files are read. */
CASE(what_is_being_read_counts_as_the_lanes) {
    begin();
    die_after(leave_many, 3);
    mp_project *project = open_project();
    int64_t now_ms = mp_clock_mono_ms(), next_ms;
    mp_project_prepare(project, now_ms);
    mp_lane *lane = project->lanes[MP_LANE_PEOPLE];
    mp_segment *segment = make_segment("\"one\"", 0, now_ms);
    CHECK(!mp_lane_next(lane, project->settings, now_ms, 1, &next_ms));
    mp_batch_file *first = mp_lane_wanted(lane);
    mp_batch_file *next =
        mp_lane_wanted_too(lane, project->settings, segment, now_ms);
    CHECK(first && next && first->next == next);
    first->last_ms = 20;
    next->last_ms = 10;
    CHECK(mp_lane_left(lane, UINT64_MAX) == 3 && mp_lane_left(lane, 2) == 2);
    CHECK(mp_lane_oldest(lane) == 10 && stats_of(project).spooled == 3);
    mp_segment_free(segment);
    end(project); /* as an exit may find it */
}

int main(void) {
    RUN(increments_travel_by_themselves);
    RUN(overflow_drops_nothing_that_is_on_disk);
    RUN(memory_is_given_back_and_the_files_stand_for_it);
    RUN(out_of_memory_nothing_is_lost);
    RUN(batches_of_different_ages_travel_apart);
    RUN(ages_do_not_drift);
    RUN(a_segment_that_is_joined_has_the_ages_of_all);
    RUN(what_is_being_read_counts_as_the_lanes);
    return unit_result();
}
