/* Small batches on disk share requests; what is wrong with one of their files
 * is not the others'. */
#include "gather_helper.h"

enum {
    DEAD = 120 /* processes, each of which leaves one batch */
};

CASE(batches_of_many_processes_share_requests) {
    for (int i = 0; i < 2; i++) {
        begin();
        leave_all(i == 0 ? leave_event : leave_update, 1, DEAD);
        CHECK(count_found("*.json.gz") == DEAD);
        mp_project *project = open_project();
        deliver(project, 4);
        CHECK(requests_n == 2); /* adopted in two parts */
        check_all_sent(project, DEAD);
        CHECK(i == 0 || rises());
        CHECK(count_found("*.json.gz*") == 0);
        end(project);
    }
}

CASE(a_request_is_of_so_many_files_at_most) {
    begin();
    die_after(leave_many, DEAD);
    mp_project *project = open_project();
    deliver(project, 4);
    check_all_sent(project, DEAD);
    CHECK(rises() && requests_n == 2); /* 64 files, and 56 */
    end(project);
}

CASE(a_request_has_no_more_records_than_a_batch_may_have) {
    begin();
    leave_all(leave_event, 1, DEAD);
    mp_project *project = open_project();
    own_settings(project)->max_batch_size = 10;
    deliver(project, 4);
    check_all_sent(project, DEAD);
    CHECK(requests_n <= DEAD / 10 + 1); /* adopted in two parts */
    end(project);
}

static int reads_n; /* of batches */

static int open_and_count(int dir, const char *path, unsigned flags) {
    reads_n += strstr(path, ".json.gz") && !(flags & MP_FILE_WRITE);
    return mp_file_system.open(dir, path, flags);
}

static void leave_large_event(mp_project *project, int n) {
    char json[1000];
    snprintf(json, sizeof json,
             "{\"event\":\"E\",\"properties\":{\"token\":\"token\","
             "\"$insert_id\":\"%d\",\"x\":\"%0800d\"}}",
             n, 0);
    leave_sealed_json(project, MP_LANE_EVENTS, json, n);
}

/* A batch that does not fit is not read for nothing, unless it is far larger
 * than others. */
CASE(a_route_that_takes_little_gets_little) {
    for (int large = 0; large < 2; large++) {
        begin();
        leave_all(leave_event, 1, 2);
        leave_all(large ? leave_large_event : leave_event, 3, 20);
        mp_project *project = open_project();
        int64_t now_ms = mp_clock_mono_ms(), next_ms;
        mp_project_prepare(project, now_ms);
        mp_route *route = &project->lanes[MP_LANE_EVENTS]->own;
        mp_route_refused_size(route, 600, now_ms);
        size_t most = mp_route_most_bytes(route, now_ms);
        faulty = mp_file_system;
        faulty.open = open_and_count;
        mp_file_use(&faulty);
        reads_n = 0;
        mp_request *request =
            mp_project_next_request(project, MP_HOST, now_ms, &next_ms);
        const mp_batch *batch = ((mp_flight *)request)->batch;
        CHECK(batch->segment->used <= most && batch->count < 20);
        CHECK(batch->count == batch->segment->count);
        CHECK(large ? batch->count == 2 : batch->count > 2);
        CHECK(reads_n == (int)batch->count + large);
        mp_project_fail_request(project, request, now_ms);
        end(project);
    }
}

CASE(what_was_read_together_is_no_more_than_one_request_takes) {
    begin();
    die_after(leave_many, 20);
    mp_project *project = open_project();
    own_settings(project)->max_batch_size = 10;
    int64_t now_ms = mp_clock_mono_ms(), next_ms;
    mp_project_prepare(project, now_ms);
    mp_request *request =
        mp_project_next_request(project, MP_HOST, now_ms, &next_ms);
    CHECK(((mp_flight *)request)->batch->segment->count == 10);
    mp_project_fail_request(project, request, now_ms);
    end(project);
}

/* The second of them all. */
static void spoil(int err) {
    static char name[MP_BATCH_FILE_NAME];
    find_file(2, name);
    let_fail(name, err, false);
}

CASE(what_cannot_be_read_stops_only_what_must_wait_for_it) {
    for (int i = 0; i < 2; i++) {
        begin();
        leave_all(i == 0 ? leave_event : leave_update, 1, 5);
        mp_project *project = open_project();
        int64_t now_ms = mp_clock_mono_ms();
        mp_project_prepare(project, now_ms);
        spoil(EIO);
        send_all(project, now_ms);
        CHECK(sent_n == (i == 0 ? 4 : 1));
        CHECK(stats_of(project).spooled == (i == 0 ? 1 : 4));
        bad_error = 0;
        deliver(project, 10);
        check_all_sent(project, 5);
        CHECK(i == 0 || rises());
        end(project);
    }
}

static void leave_foreign(mp_project *project, int n) {
    static const char json[] =
        "{\"event\":\"E\",\"properties\":{\"token\":\"other\"}}";
    char own[RECORD];
    write_record(MP_LANE_EVENTS, n, own);
    push_json(project, MP_LANE_EVENTS, own);
    push_json(project, MP_LANE_EVENTS, json);
}

CASE(damage_is_of_one_file) {
    char name[MP_BATCH_FILE_NAME], command[512];
    begin();
    leave_all(leave_event, 1, 5);
    mp_project *project = open_project();
    int64_t now_ms = mp_clock_mono_ms();
    mp_project_prepare(project, now_ms);
    find_file(3, name);
    snprintf(command, sizeof command,
             "echo no gzip > $(find %s -name '%.128s')", home, name);
    CHECK(system(command) == 0);
    send_all(project, now_ms);
    mp_stats stats = stats_of(project);
    CHECK(stats.delivered == 4 && stats.quarantined == 1);
    CHECK(stats.dropped_quarantined == 1 && stats.spooled == 0);
    CHECK(was_sent(1) && was_sent(2) && was_sent(4) && was_sent(5));
    CHECK(count_found("*.json.gz.bad") == 1 && count_found("*.json.gz") == 0);
    end(project);
}

CASE(what_another_project_left_is_set_aside_alone) {
    begin();
    die_after(leave_event, 1);
    die_after(leave_foreign, 2);
    leave_all(leave_event, 3, 5);
    mp_project *project = open_project();
    deliver(project, 4);
    mp_stats stats = stats_of(project);
    CHECK(stats.adopted == 6 && stats.delivered == 5 && stats.spooled == 0);
    CHECK(stats.quarantined == 1 && stats.dropped_quarantined == 1);
    for (int n = 1; n <= 5; n++)
        CHECK(was_sent(n));
    CHECK(count_found("*.bad") == 1 && count_found("*.json.gz") == 0);
    end(project);
}

static void leave_open_event(mp_project *project, int n) {
    push(project, MP_LANE_EVENTS, n);
}

/* They cannot be sealed on a full disk. A mark of theirs is in the file, and
 * not in its name. */
CASE(open_segments_are_read_alone_and_go_with_their_files) {
    begin();
    leave_all(leave_event, 1, 2);
    leave_all(leave_open_event, 3, 4);
    leave_all(leave_event, 5, 6);
    mp_project *project = open_project();
    let_sealing_fail();
    deliver(project, 10);
    check_all_sent(project, 6);
    CHECK(requests_n == 4); /* of 2, 1, 1 and 2 files */
    CHECK(count_found("*.open") == 0 && count_found("*.json.gz") == 0);
    end(project);
}

int main(void) {
    RUN(batches_of_many_processes_share_requests);
    RUN(a_request_is_of_so_many_files_at_most);
    RUN(a_request_has_no_more_records_than_a_batch_may_have);
    RUN(a_route_that_takes_little_gets_little);
    RUN(what_was_read_together_is_no_more_than_one_request_takes);
    RUN(what_cannot_be_read_stops_only_what_must_wait_for_it);
    RUN(damage_is_of_one_file);
    RUN(what_another_project_left_is_set_aside_alone);
    RUN(open_segments_are_read_alone_and_go_with_their_files);
    return unit_result();
}
