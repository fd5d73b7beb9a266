/* What dead processes left is adopted in the order in which it was accepted. */
#include "adopt_helper.h"

#include <fcntl.h>

/* Gives the batch's file `n` more names, as if as many had followed. */
static void link_more(mp_batch_file file, uint64_t seq, int n) {
    char name[MP_BATCH_FILE_NAME], from[4400], to[4400];
    mp_batch_file_name(&file, name);
    snprintf(from, sizeof from, "%s/%s", run_path(), name);
    for (file.seq = seq; n-- > 0; file.seq++) {
        mp_batch_file_name(&file, name);
        snprintf(to, sizeof to, "%s/%s", run_path(), name);
        CHECK(link(from, to) == 0);
    }
}

/* Adopts and delivers all, which come in their order; `open`: how many of them
 * are open segments. Returns how many calls that took. */
static int deliver_in_order(mp_spool *spool, int *all, int *open) {
    mp_adopted got;
    uint64_t last = 0;
    int calls = 0;
    *all = *open = 0;
    do {
        adopt(spool, &got);
        for (mp_batch_file *s = got.list; s; s = s->next) {
            CHECK(s->seq > last);
            last = s->seq;
            *open += s->number > 0;
            ++*all;
        }
        deliver(got.list);
    } while (++calls < 100 && got.more);
    return calls;
}

CASE(very_many_files_take_several_calls) {
    mp_spool *spool = enter();
    int all, open;
    mp_segment *a = with_events(spool, 1, 1);
    mp_batch_file *file = seal(spool, a);
    link_more(*file, file->seq + 1, 999);
    free(file);
    mp_segment_free(a);
    die(spool);
    int calls = deliver_in_order(spool, &all, &open);
    CHECK(all == 1000 && open == 0 && calls >= 3 && calls < 10);
    leave(spool);
}

/* Three open segments, before, between and behind twice 300 sealed ones, as
 * where they could not be sealed in their time. */
static void leave_scattered(mp_spool *spool) {
    mp_segment *sealed = make(spool, MP_LANE_PEOPLE);
    mp_segment_free(with_update(spool));
    add(sealed, "{\"$token\":\"token\",\"$distinct_id\":\"u\"}");
    mp_batch_file *file = seal(spool, sealed);
    mp_segment_free(sealed);
    for (int i = 0; i < 2; i++) {
        link_more(*file, base + seqs + 1, 300);
        seqs += 300;
        mp_segment_free(with_update(spool));
    }
    free(file);
    die(spool);
}

CASE(an_open_segment_comes_where_its_records_belong) {
    mp_spool *spool = enter();
    int all, open;
    leave_scattered(spool);
    CHECK(deliver_in_order(spool, &all, &open) > 1);
    CHECK(all == 604 && open == 0 && reports == 0);
    leave(spool);
}

CASE(so_does_one_that_cannot_be_sealed) {
    mp_spool *spool = enter();
    mp_file_calls faulty = mp_file_system;
    int all, open;
    leave_scattered(spool);
    faulty.write = no_space;
    mp_file_use(&faulty);
    CHECK(deliver_in_order(spool, &all, &open) > 1);
    mp_file_use(&mp_file_system);
    CHECK(all == 604 && open == 3 && reports == 3);
    leave(spool);
}

/* An open segment on that lane, and a sealed one that was accepted later. */
static void leave_pair(mp_spool *spool, mp_lane_id lane) {
    bool updates = lane == MP_LANE_PEOPLE;
    mp_segment_free(updates ? with_update(spool) : with_events(spool, 1, 1));
    mp_segment *later = updates ? with_update(spool) : with_events(spool, 2, 2);
    free(seal(spool, later));
    mp_segment_free(later);
    die(spool);
}

static void check_both_in_order(mp_adopted *got) {
    CHECK(length(got->list) == 2 && !got->waits);
    CHECK(got->list && got->list->next &&
          got->list->seq < got->list->next->seq);
    deliver(got->list);
}

/* The first failure is that of a look at the header, which is no more than a
 * look. */
CASE(an_update_that_cannot_be_read_now_is_waited_for) {
    mp_spool *spool = enter();
    mp_adopted got;
    leave_pair(spool, MP_LANE_PEOPLE);
    refuse_opens(".v1.open", 1 + MP_BATCH_FILE_TRIES, EIO);
    for (int i = 1; i <= MP_BATCH_FILE_TRIES; i++) {
        CHECK(adopt(spool, &got) == NULL && got.waits && !got.more);
        CHECK(reports == i && spool->found.run);
    }
    adopt(spool, &got);
    check_both_in_order(&got);
    mp_file_use(&mp_file_system);
    leave(spool);
}

CASE(but_not_for_good) {
    mp_spool *spool = enter();
    mp_adopted got;
    leave_pair(spool, MP_LANE_PEOPLE);
    refuse_opens(".v1.open", 100, EIO);
    for (int i = 1; i <= MP_BATCH_FILE_TRIES; i++)
        CHECK(adopt(spool, &got) == NULL && got.waits);
    CHECK(length(adopt(spool, &got)) == 1 && !got.waits);
    mp_file_use(&mp_file_system);
    CHECK(count_files(".open") == 1);
    deliver(got.list);
    mp_spool_release_adopted(spool);
    CHECK(length(adopt(spool, &got)) == 1); /* behind all others */
    deliver(got.list);
    leave(spool);
}

CASE(a_shortage_of_this_process_is_no_trouble_of_the_file) {
    mp_spool *spool = enter();
    mp_adopted got;
    leave_pair(spool, MP_LANE_PEOPLE);
    refuse_opens(".v1.open", 11, EMFILE);
    for (int i = 1; i <= 10; i++)
        CHECK(adopt(spool, &got) == NULL && got.waits);
    adopt(spool, &got);
    check_both_in_order(&got);
    mp_file_use(&mp_file_system);
    leave(spool);
}

CASE(events_wait_for_nobody) {
    mp_spool *spool = enter();
    mp_adopted got;
    leave_pair(spool, MP_LANE_EVENTS);
    refuse_opens(".v1.open", 2, EIO);
    CHECK(length(adopt(spool, &got)) == 1 && !got.waits);
    deliver(got.list);
    mp_spool_release_adopted(spool);
    CHECK(length(adopt(spool, &got)) == 1);
    deliver(got.list);
    mp_file_use(&mp_file_system);
    leave(spool);
}

CASE(only_who_has_the_lock_of_the_profiles_adopts_them) {
    mp_spool *spool = enter(), *other = open_spool();
    mp_adopted got, rest;
    leave_run(0);
    leave_run(0);
    leave_run(1);
    mp_file_in_child();
    mp_run_place place = mp_spool_place(other);
    CHECK(mp_run_lock_profiles(&place, &other->profiles, why) == 0);
    CHECK(length(adopt(spool, &rest)) == 1 && reports == 0);
    CHECK(rest.list->lane == MP_LANE_EVENTS && !rest.left && !rest.more);
    deliver(rest.list);
    CHECK(length(adopt(other, &got)) == 2);
    CHECK(got.list->run < got.list->next->run);
    mp_batch_file *second = got.list->next;
    got.list->next = NULL;
    deliver(got.list);
    CHECK(adopt(spool, &rest) == NULL && other->profiles >= 0);
    deliver(second);
    mp_spool_release_adopted(other);
    CHECK(other->profiles < 0 && spool->profiles < 0);
    mp_spool_free(other);
    mp_spool_free(spool);
    CHECK(rmdir(home) == 0);
}

CASE(the_lock_of_the_profiles_is_for_one_and_free_after_its_death) {
    mp_spool *spool = enter(), *other = open_spool();
    mp_adopted got;
    leave_run(0);
    leave_run(0);
    mp_file_in_child();
    CHECK(length(adopt(spool, &got)) == 2 && spool->profiles >= 0);
    mp_batch_file_free_all(&got.list);
    die(spool);
    CHECK(length(adopt(other, &got)) == 2 && other->profiles >= 0);
    deliver(got.list);
    mp_spool_release_adopted(other);
    CHECK(other->profiles < 0);
    mp_spool_free(other);
    mp_spool_free(spool);
    CHECK(rmdir(home) == 0); /* and nothing of it is left */
}

/* The kernel gives up the locks of a process that dies one by one. */
CASE(who_had_the_profiles_is_waited_for_until_all_its_locks_are_gone) {
    mp_spool *spool = enter(), *other = open_spool();
    mp_adopted got, rest;
    leave_run(0);
    leave_run(0);
    leave_run(1);
    mp_file_in_child();
    CHECK(length(adopt(spool, &got)) == 3);
    mp_batch_file_free_all(&got.list);
    int first = spool->held.runs[0].run.dir;
    mp_file_close(spool->profiles);
    for (int i = 1; i < 3; i++)
        mp_file_close(spool->held.runs[i].run.dir);
    CHECK(length(adopt(other, &rest)) == 1 && rest.left);
    CHECK(rest.list->lane == MP_LANE_EVENTS);
    mp_file_close(first);
    mp_file_close(atomic_load(&spool->run)->run.dir);
    mp_spool_after_fork_child(spool);
    CHECK(length(adopt(other, &got)) == 2 && !got.left && reports == 0);
    CHECK(got.list->run < got.list->next->run);
    deliver(got.list);
    deliver(rest.list);
    mp_spool_free(other);
    mp_spool_free(spool);
    CHECK(rmdir(home) == 0);
}

static int refusals;

static int lock_later(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    if (strstr(path, "profiles.lock") && refusals-- > 0) {
        errno = EWOULDBLOCK;
        return -1;
    }
    return mp_file_system.lock(fd);
}

CASE(what_was_passed_over_for_the_lock_of_the_profiles_keeps_its_order) {
    mp_spool *spool = enter();
    mp_file_calls busy = mp_file_system;
    mp_adopted got;
    leave_run(0);
    leave_run(0);
    mp_file_in_child();
    busy.lock = lock_later;
    refusals = 1; /* then its holder ends */
    mp_file_use(&busy);
    CHECK(adopt(spool, &got) == NULL);
    CHECK(length(adopt(spool, &got)) == 2 && spool->profiles >= 0);
    mp_file_use(&mp_file_system);
    deliver(got.list);
    leave(spool);
}

/* As after the death of one that delivered the updates of a run first. */
CASE(the_mark_of_a_run_without_updates_any_more_goes) {
    mp_spool *spool = enter(), *other = open_spool();
    mp_adopted got, rest;
    leave_run(1);
    leave_run(0);
    mp_file_in_child();
    int run = open(run_path(), O_RDONLY | O_DIRECTORY);
    CHECK(mp_run_mark(run) == 0 && count_files(".new") == 1);
    close(run);
    mp_run_place place = mp_spool_place(other);
    CHECK(mp_run_lock_profiles(&place, &other->profiles, why) == 0);
    CHECK(length(adopt(spool, &got)) == 1 && count_files(".new") == 0);
    CHECK(length(adopt(other, &rest)) == 1 && count_files(".new") == 1);
    deliver(rest.list);
    mp_spool_free(other);
    deliver(got.list);
    mp_spool_free(spool);
    CHECK(rmdir(home) == 0);
}

int main(void) {
    RUN(very_many_files_take_several_calls);
    RUN(an_open_segment_comes_where_its_records_belong);
    RUN(so_does_one_that_cannot_be_sealed);
    RUN(an_update_that_cannot_be_read_now_is_waited_for);
    RUN(but_not_for_good);
    RUN(a_shortage_of_this_process_is_no_trouble_of_the_file);
    RUN(events_wait_for_nobody);
    RUN(only_who_has_the_lock_of_the_profiles_adopts_them);
    RUN(the_lock_of_the_profiles_is_for_one_and_free_after_its_death);
    RUN(who_had_the_profiles_is_waited_for_until_all_its_locks_are_gone);
    RUN(what_was_passed_over_for_the_lock_of_the_profiles_keeps_its_order);
    RUN(the_mark_of_a_run_without_updates_any_more_goes);
    return unit_result();
}
