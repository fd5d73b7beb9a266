/* All that dead processes left is bounded, and what waits elsewhere counted. */
#include "total_helper.h"

#include <sys/stat.h>
#include <sys/wait.h>

CASE(nothing_goes_as_long_as_it_is_not_too_much) {
    mp_spool *spool = enter();
    mp_bound got;
    bound(spool, 1, &got);
    CHECK(elsewhere(&got, 0, 0, 0));
    for (int i = 1; i <= 5; i++)
        leave_run(i, 1000 * i);
    mp_file_in_child();
    bound(spool, 5, &got);
    CHECK(!got.evicted && elsewhere(&got, 5, 5, 5) &&
          count_files(".json.gz") == 5);
    CHECK(reports == 0);
    leave(spool);
}

CASE(the_oldest_go_first_whichever_run_they_are_in) {
    mp_spool *spool = enter();
    mp_bound got;
    mp_spool *first = open_spool(), *second = open_spool();
    for (int i = 1; i <= 4; i++) { /* in turns */
        leave_batch(first, 2, 1000 * i);
        leave_batch(second, 30, 1000 * i + 500);
    }
    go_on(first);
    go_on(second);
    mp_file_in_child();
    bound(spool, 5, &got);
    CHECK(got.records == 2 + 30 + 2 && got.evicted && reports == 0);
    CHECK(!is_there(1000) && !is_there(1500) && !is_there(2000));
    CHECK(is_there(2500) && is_there(3000) && count_files(".json.gz") == 5);
    bound(spool, 5, &got);
    CHECK(got.records == 0 && !got.evicted && elsewhere(&got, 2, 5, 5));
    bound(spool, 0, &got);
    CHECK(got.records == 3 * 30 + 2 * 2);
    leave(spool);
}

CASE(a_run_of_which_nothing_is_left_goes_with_its_last_file) {
    mp_spool *spool = enter();
    mp_bound got;
    for (int i = 1; i <= 3; i++)
        leave_run(1, 1000 * i);
    mp_file_in_child();
    bound(spool, 0, &got);
    CHECK(got.records == 3);
    mp_spool_free(spool);
    CHECK(rmdir(home) == 0);
}

CASE(what_a_living_process_has_is_neither_touched_nor_counted) {
    mp_spool *spool = enter(), *other = open_spool();
    mp_bound got;
    leave_batch(other, 1, 1);
    mp_segment *open = with_events(other, 1, 1);
    leave_batch(spool, 1, 2);
    bound(spool, 0, &got);
    CHECK(!got.evicted && elsewhere(&got, 1, 1, 1));
    CHECK(is_there(1) && is_there(2) && count_files(".open") == 1);
    mp_segment_free(open);
    mp_spool_free(other);
    leave(spool);
}

CASE(nor_is_what_another_process_adopted) {
    mp_spool *spool = enter(), *other = open_spool();
    mp_bound got;
    mp_adopted theirs;
    for (int i = 1; i <= 3; i++)
        leave_run(1, 1000 * i);
    mp_file_in_child();
    CHECK(length(adopt(other, &theirs)) == 3);
    leave_run(1, 4000);
    mp_spool *last = open_spool();
    leave_batch(last, 1, 5000);
    mp_run *run = &atomic_load(&last->run)->run;
    mp_file_unlock_dir(run->dir);
    run->dir = -1;
    go_on(last);
    bound(spool, 0, &got);
    CHECK(got.records == 1 && !is_there(5000));
    CHECK(is_there(1000) && is_there(2000) && is_there(3000) && is_there(4000));
    bound(spool, 0, &got);
    CHECK(!got.evicted && elsewhere(&got, 4, 4, 4));
    mp_batch_file_free_all(&theirs.list);
    mp_spool_free(other);
    leave(spool);
}

CASE(what_this_process_adopted_counts_and_goes_too) {
    mp_spool *spool = enter();
    mp_bound got;
    mp_adopted ours;
    for (int i = 1; i <= 3; i++)
        leave_run(1, 1000 * i);
    mp_file_in_child();
    adopted = adopt(spool, &ours);
    for (int i = 4; i <= 6; i++)
        leave_run(7, 1000 * i); /* they live on */
    bound(spool, 3, &got);
    CHECK(!got.evicted && elsewhere(&got, 3, 3, 3));
    bound(spool, 1, &got);
    CHECK(got.evicted && got.records == 0 && length(adopted) == 1);
    CHECK(!is_there(1000) && !is_there(2000) && is_there(3000));
    mp_batch_file_free_all(&adopted);
    leave(spool);
}

CASE(of_a_run_that_is_adopted_in_part_the_rest_goes_too_in_its_turn) {
    mp_spool *spool = enter(), *dead = open_spool();
    mp_bound got;
    mp_adopted ours;
    for (int i = 1; i <= 6; i++)
        leave_batch(dead, i, 1000 * i);
    mp_segment_free(with_events(dead, 1, 9));
    go_on(dead);
    mp_file_in_child();
    CHECK(mp_spool_adopt(spool, 2 * BLOCK, &reporter, &ours, why) == 0);
    CHECK(length(ours.list) == 2 && ours.left);
    bound(spool, 1000, &got);
    CHECK(!got.evicted && elsewhere(&got, 1, 5, 5));
    adopted = ours.list;
    bound(spool, 4, &got); /* three go: two of them adopted */
    CHECK(!adopted && got.records == 3);
    CHECK(!is_there(3000) && is_there(4000));
    bound(spool, 1, &got);
    CHECK(got.records == 4 + 5 + 6 && count_files(".json.gz") == 1);
    bound(spool, 0, &got);
    CHECK(got.records == 9 && !spool->found.run && count_files("") == 0);
    CHECK(spool->held.count == 0 && reports == 0);
    mp_spool_free(spool);
    CHECK(rmdir(home) == 0);
}

/* On a full disk they stay what they are: 20 of them, which a call adopts in
 * part, and then as far as there is room. */
static void leave_open(mp_spool *dead, int n) {
    for (int i = 0; i < n; i++)
        mp_segment_free(with_events(dead, 1, 3));
    go_on(dead);
    mp_file_in_child();
}

CASE(open_segments_that_wait_count_before_and_when_their_place_is_known) {
    enum {
        N = 20,
        FIRST = MP_SLICE_FILES / MP_OPEN_COST
    };
    mp_spool *spool = enter(), *dead = open_spool();
    mp_file_calls faulty = mp_file_system;
    mp_bound got;
    mp_adopted ours;
    leave_open(dead, N);
    faulty.write = no_space;
    mp_file_use(&faulty);
    CHECK(adopt(spool, &ours) == NULL && ours.more && reports == FIRST);
    bound(spool, 1000 * OPEN, &got); /* some are placed, others not */
    CHECK(!got.evicted && elsewhere(&got, 1, N, N * OPEN));
    uint64_t room = (uint64_t)2 * OPEN * BLOCK;
    CHECK(mp_spool_adopt(spool, room, &reporter, &ours, why) == 0);
    mp_file_use(&mp_file_system);
    CHECK(length(ours.list) == 2 && ours.left && reports == N);
    bound(spool, 1000 * OPEN, &got);
    CHECK(!got.evicted && elsewhere(&got, 1, N - 2, (N - 2) * OPEN));
    adopted = ours.list;
    bound(spool, 0, &got);
    CHECK(!adopted && got.records == 3 * (N - 2) && count_files("") == 0);
    CHECK(!spool->found.run && spool->held.count == 0);
    mp_spool_free(spool);
    CHECK(rmdir(home) == 0);
}

/* The first `n` open segments are of 1000 s, others of 3000 s. */
static void set_times(const char *run, uint64_t n) {
    DIR *list = opendir(run);
    for (struct dirent *e; (e = readdir(list));) {
        mp_batch_file file;
        if (!mp_batch_file_parse_open(e->d_name, &file))
            continue;
        struct timespec at = {.tv_sec = file.number <= n ? 1000 : 3000};
        const struct timespec times[2] = {at, at};
        CHECK(utimensat(dirfd(list), e->d_name, times, 0) == 0);
    }
    closedir(list);
}

CASE(open_segments_that_wait_go_by_the_time_of_their_last_record) {
    enum {
        FIRST = MP_SLICE_FILES / MP_OPEN_COST
    };
    mp_spool *spool = enter(), *dead = open_spool();
    mp_file_calls faulty = mp_file_system;
    mp_bound got;
    mp_adopted ours;
    leave_open(dead, FIRST + 4);
    set_times(run_path(), FIRST);
    leave_run(7, 2000 * 1000);
    mp_file_in_child();
    faulty.write = no_space;
    mp_file_use(&faulty);
    CHECK(adopt(spool, &ours) == NULL && ours.more);
    bound(spool, 4 * OPEN, &got);
    CHECK(got.records == 3 * FIRST + 7 && count_files(".open") == 4);
    bound(spool, 0, &got);
    CHECK(got.records == 3 * 4 && count_files("") == 0);
    mp_file_use(&mp_file_system);
    leave(spool);
}

static void leave_many(int n) {
    mp_spool *dead = open_spool();
    mp_segment *a = with_events(dead, 1, 3);
    mp_batch_file *file = seal(dead, a);
    char name[MP_BATCH_FILE_NAME], from[4400], to[4400];
    mp_batch_file_name(file, name);
    snprintf(from, sizeof from, "%s/%s", run_path(), name);
    for (int i = 1; i < n; i++) {
        file->seq++;
        file->wall_ms++;
        mp_batch_file_name(file, name);
        snprintf(to, sizeof to, "%s/%s", run_path(), name);
        CHECK(link(from, to) == 0);
    }
    mp_batch_file_free(file);
    mp_segment_free(a);
    go_on(dead);
}

static size_t count_kept(const mp_survey *survey) {
    size_t n = 0;
    for (mp_node *node = mp_tree_first(&survey->oldest); node;
         node = mp_tree_next(node))
        n++;
    return n;
}

CASE(very_many_files_take_several_calls_and_no_memory) {
    mp_spool *spool = enter();
    mp_bound got;
    size_t most = 0;
    leave_many(2000);
    mp_file_in_child();
    CHECK(bound(spool, 2000, &got) >= 2000 / 256);
    CHECK(elsewhere(&got, 1, 2000, 2000) && !got.evicted);
    int calls = 0;
    uint64_t records = 0;
    do {
        CHECK(mp_spool_bound(spool, UINT64_C(1900) * BLOCK, &adopter, &reporter,
                             &got, why) == 0);
        size_t kept = count_kept(&spool->survey);
        if (kept > most)
            most = kept;
        records += got.records;
    } while (got.more && ++calls < 10000);
    CHECK(records == 300 && most == 100 && count_files(".json.gz") == 1900);
    CHECK(!is_there(1795460000123 + 99) && is_there(1795460000123 + 100));
    bound(spool, 200, &got);
    CHECK(got.records == 1700 * 3 && count_files(".json.gz") == 200);
    leave(spool);
}

CASE(what_others_took_meanwhile_does_not_count_any_more) {
    mp_spool *spool = enter(), *other = open_spool();
    mp_bound got;
    mp_adopted theirs;
    for (int i = 1; i <= 70; i++)
        leave_run(1, 1000 * i);
    mp_file_in_child();
    uint64_t records = 0;
    do /* up to the first that goes */
        mp_spool_bound(spool, 68 * BLOCK, &adopter, &reporter, &got, why);
    while (got.more && !spool->survey.evicts);
    records = got.records;
    CHECK(got.more || records == 2);
    adopt(other, &theirs);
    bound(spool, 68, &got);
    CHECK(records + got.records <= 2);
    mp_batch_file_free_all(&theirs.list);
    mp_spool_free(other);
    leave(spool);
}

CASE(a_forked_child_forgets_a_look_under_way) {
    mp_spool *spool = enter();
    mp_bound got;
    leave_many(1000);
    mp_file_in_child();
    CHECK(mp_spool_bound(spool, 0, &adopter, &reporter, &got, why) == 0);
    CHECK(got.more && spool->survey.begun);
    mp_file_before_fork();
    pid_t pid = fork();
    if (pid == 0) {
        mp_file_in_child();
        mp_spool_after_fork_child(spool);
        int bad = spool->survey.begun;
        bound(spool, 990, &got);
        mp_spool_free(spool);
        _exit(bad || got.records != 30);
    }
    mp_file_in_parent();
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    mp_spool_stop_looking(spool);
    bound(spool, 990, &got);
    CHECK(!got.evicted && elsewhere(&got, 1, 990, 990));
    leave(spool);
}

int main(void) {
    RUN(nothing_goes_as_long_as_it_is_not_too_much);
    RUN(the_oldest_go_first_whichever_run_they_are_in);
    RUN(a_run_of_which_nothing_is_left_goes_with_its_last_file);
    RUN(what_a_living_process_has_is_neither_touched_nor_counted);
    RUN(nor_is_what_another_process_adopted);
    RUN(what_this_process_adopted_counts_and_goes_too);
    RUN(of_a_run_that_is_adopted_in_part_the_rest_goes_too_in_its_turn);
    RUN(open_segments_that_wait_go_by_the_time_of_their_last_record);
    RUN(open_segments_that_wait_count_before_and_when_their_place_is_known);
    RUN(very_many_files_take_several_calls_and_no_memory);
    RUN(what_others_took_meanwhile_does_not_count_any_more);
    RUN(a_forked_child_forgets_a_look_under_way);
    return unit_result();
}
