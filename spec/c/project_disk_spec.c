/* What a project makes of a disk that fails: only what was read and is wrong is
 * set aside; what cannot be read comes later, behind the others. */
#include "failing_disk.h"
#include "project_helper.h"

#include "core/os/thread.h"

/* ---- lives ---- */

static void track(mp_project *project, int n) {
    push(project, MP_LANE_EVENTS, n);
}

static void update(mp_project *project, int n) {
    push(project, MP_LANE_PEOPLE, n);
}

static void adopt(mp_project *project, int64_t now_ms) {
    mp_project_prepare(project, now_ms);
}

CASE(half_a_second_of_errors_sets_nothing_aside) {
    static const int errors[] = {EIO,    ESTALE,   EACCES, EMFILE, EINVAL,
                                 ENFILE, ENOTCONN, ELOOP,  ENOMEM, EPERM};
    for (size_t i = 0; i < 2 * sizeof errors / sizeof *errors; i++) {
        bool open = i % 2 == 0;
        enter();
        sent_n = 0;
        for (int n = 1; n <= 5; n++)
            die_after(track, n);
        mp_project *project = open_project();
        int64_t now_ms = mp_clock_mono_ms();
        adopt(project, now_ms);
        CHECK(stats_of(project).spooled == 5);
        let_fail(".json.gz", errors[i / 2], open);
        for (int64_t t = now_ms; t <= now_ms + 500; t += 50)
            send_all(project, t);
        bad_error = 0;
        CHECK(was_told(project, "cannot read events-"));
        CHECK(stats_of(project).spooled == 5 && sent_n == 0);
        for (int64_t t = now_ms + 500; t <= now_ms + 2500; t += 250)
            send_all(project, t);
        mp_stats stats = stats_of(project);
        CHECK(stats.delivered == 5 && stats.quarantined == 0);
        for (int n = 1; n <= 5; n++)
            CHECK(was_sent(n));
        close_project(project);
        leave();
    }
}

CASE(one_unreadable_file_does_not_stop_the_profiles) {
    char name[MP_BATCH_FILE_NAME], text[256];
    enter();
    sent_n = 0;
    for (int n = 1; n <= 4; n++)
        die_after(update, n);
    mp_project *project = open_project();
    int64_t now_ms = mp_clock_mono_ms();
    adopt(project, now_ms);
    find_file(2, name);
    let_fail(name, EIO, false);
    int64_t t = now_ms;
    for (; t <= now_ms + 3000; t += 250)
        send_all(project, t);
    CHECK(sent_n == 1); /* it may pass: the order is worth a moment */
    for (; t <= now_ms + 20000; t += 250)
        send_all(project, t);
    CHECK(sent_n == 3 && sent[0] == 1 && sent[1] == 3 && sent[2] == 4);
    snprintf(text, sizeof text, "cannot read %.128s: %.64s", name,
             strerror(EIO));
    CHECK(was_told(project, text));
    push(project, MP_LANE_PEOPLE, 5);
    mp_project_flush_up_to(project, UINT64_MAX);
    send_all(project, t);
    CHECK(was_sent(5));
    mp_stats stats = stats_of(project);
    CHECK(stats.spooled == 1 && stats.quarantined == 0);
    bad_error = 0;
    for (; t <= now_ms + 90000; t += 1000)
        send_all(project, t);
    CHECK(was_sent(2) && sent_n == 5);
    close_project(project);
    leave();
}

CASE(what_is_read_and_wrong_is_set_aside_and_the_rest_is_sent) {
    char name[MP_BATCH_FILE_NAME], command[512];
    enter();
    sent_n = 0;
    for (int n = 1; n <= 3; n++)
        die_after(track, n);
    mp_project *project = open_project();
    int64_t now_ms = mp_clock_mono_ms();
    adopt(project, now_ms);
    find_file(2, name);
    snprintf(command, sizeof command,
             "echo no gzip > $(find %s -name '%.128s')", home, name);
    CHECK(system(command) == 0);
    send_all(project, now_ms);
    mp_stats stats = stats_of(project);
    CHECK(stats.delivered == 2 && stats.quarantined == 1);
    CHECK(stats.dropped_quarantined == 1 && stats.spooled == 0);
    snprintf(command, sizeof command,
             "test -n \"$(find %s -name '%.128s.bad')\"", home, name);
    CHECK(system(command) == 0);
    close_project(project);
    leave();
}

static void track_ten(mp_project *project, int n) {
    for (int i = 0; i < 10; i++)
        track(project, 10 * n + i);
}

/* Each of them was below its limit; together they are far above it. */
CASE(an_adoption_evicts_nothing) {
    enum {
        DEAD = 40,
        LIMIT = 64 * 1024 /* of 40 files of 4 KiB */
    };
    enter();
    sent_n = 0;
    for (int n = 1; n <= DEAD; n++)
        die_after(track_ten, n);
    mp_project *project = open_project();
    mp_settings *settings = own_settings(project);
    settings->spool_max_bytes = LIMIT;
    int64_t t = mp_clock_mono_ms();
    mp_project_prepare(project, t);
    mp_project_maintain(project, t);
    mp_stats stats = stats_of(project);
    CHECK(stats.dropped_evicted == 0);
    CHECK(stats.spooled_bytes > 0 && stats.spooled_bytes <= LIMIT / 2);
    push(project, MP_LANE_EVENTS, 1); /* and others may go on */
    for (int i = 0; i < 30; i++)
        send_all(project, t += 1000);
    stats = stats_of(project);
    CHECK(stats.dropped_evicted == 0 && stats.spooled == 0);
    CHECK(stats.adopted == 10 * DEAD && stats.delivered == 10 * DEAD + 1);
    for (int n = 10; n < 10 * (DEAD + 1); n++)
        CHECK(was_sent(n));
    close_project(project);
    leave();
}

/* ---- records of another project ---- */

/* As a hand, or another program, may have put them together: numbers 1 and 3
 * are this project's. */
static void mix(mp_project *project, int lane) {
    static const char event[] =
        "{\"event\":\"E\",\"properties\":{\"x\":{\"token\":\"token\"},"
        "\"$insert_id\":\"2\",\"token\":\"other\"}}";
    static const char people[] =
        "{\"$token\":\"othe\",\"$distinct_id\":\"u\",\"$set\":{\"n\":2}}";
    static const char group[] =
        "{\"$token\":\"token2\",\"$group_key\":\"k\",\"$group_id\":\"g\","
        "\"$set\":{\"n\":2}}";
    mp_lane_id id = (mp_lane_id)lane;
    push(project, id, 1);
    push_json(project, id,
              id == MP_LANE_PEOPLE   ? people
              : id == MP_LANE_GROUPS ? group
                                     : event);
    push(project, id, 3);
}

static bool shell(const char *format) {
    char command[512];
    snprintf(command, sizeof command, format, home);
    return system(command) == 0;
}

static void check_apart(mp_project *project) {
    mp_stats stats = stats_of(project);
    CHECK(stats.adopted == 3 && stats.delivered == 2 && stats.spooled == 0);
    CHECK(stats.quarantined == 1 && stats.dropped_quarantined == 1);
    CHECK(sent_n == 2 && was_sent(1) && was_sent(3));
    CHECK(was_told(project, "1 of 3 records in"));
    CHECK(was_told(project, "name the token of another project"));
    CHECK(shell("test $(find %s -type f | wc -l) = 1"));
    CHECK(shell("find %s -name '*-1-0-0-*.json.gz.bad' -exec zcat -S .bad {} + "
                "| tr , '\\n' | grep -c 'insert_id\\|n\":2' | grep -qx 1"));
}

CASE(a_record_of_another_token_is_set_aside_and_the_rest_is_sent) {
    for (int lane = 0; lane < MP_LANES; lane++) {
        enter();
        sent_n = 0;
        die_after(mix, lane);
        mp_project *project = open_project();
        int64_t now_ms = mp_clock_mono_ms();
        for (int i = 0; i < 4; i++)
            send_all(project, now_ms += 1000);
        check_apart(project);
        close_project(project);
        leave();
    }
}

/* It cannot be kept elsewhere, so its batch waits. */
CASE(a_record_of_another_token_is_not_lost_on_a_full_disk) {
    enter();
    sent_n = 0;
    die_after(mix, MP_LANE_EVENTS);
    mp_project *project = open_project();
    int64_t now_ms = mp_clock_mono_ms();
    let_sealing_fail();
    for (int i = 0; i < 4; i++)
        send_all(project, now_ms += 1000);
    CHECK(stats_of(project).spooled == 3 && sent_n == 0);
    CHECK(was_told(project, "cannot write events-"));
    mp_file_use(&mp_file_system); /* what is read is the open segment */
    for (int i = 0; i < 10; i++)
        send_all(project, now_ms += 1000);
    check_apart(project);
    close_project(project);
    leave();
}

static void push_foreign(mp_project *project, int n) {
    (void)n;
    for (int i = 0; i < 2; i++)
        push_json(project, MP_LANE_EVENTS,
                  "{\"event\":\"E\",\"properties\":{\"token\":\"other\"}}");
}

CASE(a_batch_of_another_token_is_set_aside_whole) {
    enter();
    sent_n = 0;
    die_after(push_foreign, 0);
    mp_project *project = open_project();
    int64_t now_ms = mp_clock_mono_ms();
    for (int i = 0; i < 4; i++)
        send_all(project, now_ms += 1000);
    mp_stats stats = stats_of(project);
    CHECK(stats.adopted == 2 && stats.dropped_quarantined == 2 && sent_n == 0);
    CHECK(stats.quarantined == 1 && stats.spooled == 0);
    CHECK(was_told(project, "2 of 2 records in"));
    CHECK(shell("test $(find %s -type f -name '*.json.gz.bad' | wc -l) = 1"));
    close_project(project);
    leave();
}

enum {
    MANY = 300 /* more than one look takes over */
};

static void leave_updates(mp_project *project, int n) {
    (void)n;
    for (int i = 1; i <= MANY; i++)
        leave_sealed(project, MP_LANE_PEOPLE, i);
}

CASE(newer_updates_wait_for_all_that_was_left) {
    enter();
    sent_n = 0;
    die_after(leave_updates, 0);
    mp_project *project = open_project();
    int64_t t = mp_clock_mono_ms();
    update(project, MANY + 1);
    mp_project_flush_up_to(project, UINT64_MAX);
    for (int i = 0; i < 4; i++)
        send_all(project, t);
    CHECK(sent_n == MANY + 1);
    for (int i = 0; i < sent_n; i++)
        CHECK(sent[i] == i + 1);
    close_project(project);
    leave();
}

CASE(what_waits_is_for_the_project_that_adopts_next) {
    enter();
    sent_n = 0;
    die_after(leave_updates, 0);
    mp_project *first = open_project();
    int64_t t = mp_clock_mono_ms();
    adopt(first, t);
    mp_project_adopts(first, false);
    send_all(first, t);
    CHECK(sent_n > 0 && sent_n < MANY);
    mp_project *second = open_project();
    for (int i = 0; i < 4; i++)
        send_all(second, t);
    CHECK(sent_n == MANY);
    close_project(second);
    close_project(first);
    leave();
}

typedef struct onlooker {
    mp_project *project;
    mp_buf list;
} onlooker;

static void look(void *user) {
    onlooker *o = user;
    char message[MP_MESSAGE];
    CHECK(mp_project_look(o->project, &o->list, message) == 0);
    mp_buf_add(&o->list, "", 1);
}

CASE(what_counts_as_rejected_is_in_its_file_for_who_looks) {
    enter();
    onlooker o = {.project = open_project()};
    mp_thread thread = {.name = "look", .run = look, .user = &o};
    mp_buf_puts(&o.project->rejected, "{}\n");
    CHECK(mp_thread_start(&thread, thread.name, look, &o) == 0);
    usleep(50 * 1000); /* the sender is late */
    mp_project_maintain(o.project, mp_clock_mono_ms());
    mp_thread_join(&thread);
    CHECK(o.list.data && strstr(o.list.data, "rejected.jsonl") != NULL);
    mp_buf_free(&o.list);
    close_project(o.project);
    leave();
}

int main(void) {
    RUN(half_a_second_of_errors_sets_nothing_aside);
    RUN(one_unreadable_file_does_not_stop_the_profiles);
    RUN(what_is_read_and_wrong_is_set_aside_and_the_rest_is_sent);
    RUN(an_adoption_evicts_nothing);
    RUN(a_record_of_another_token_is_set_aside_and_the_rest_is_sent);
    RUN(a_record_of_another_token_is_not_lost_on_a_full_disk);
    RUN(a_batch_of_another_token_is_set_aside_whole);
    RUN(newer_updates_wait_for_all_that_was_left);
    RUN(what_waits_is_for_the_project_that_adopts_next);
    RUN(what_counts_as_rejected_is_in_its_file_for_who_looks);
    return unit_result();
}
