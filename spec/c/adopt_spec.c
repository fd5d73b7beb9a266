/* What dead processes left is taken over where it is. */
#include "spool_helper.h"

#include <fcntl.h>
#include <sys/wait.h>

static mp_segment *with_update(mp_spool *spool) {
    mp_segment *segment = make(spool, MP_LANE_PEOPLE);
    add(segment, "{\"$token\":\"token\",\"$distinct_id\":\"u\",\"$set\":{}}");
    return segment;
}

/* A run of a process that died, with a sealed batch of one event; 0: of one
 * update of a profile. */
static void leave_run(int n) {
    mp_spool *spool = open_spool();
    mp_segment *a = n > 0 ? with_events(spool, n, n) : with_update(spool);
    free(seal(spool, a));
    mp_segment_free(a);
    mp_spool_after_fork_child(spool); /* its lock stays for now */
    mp_spool_free(spool);
}

/* The same for the runs 1 to n. */
static void leave_runs(int n) {
    for (int i = 1; i <= n; i++)
        leave_run(i);
    mp_file_in_child(); /* closes their locks */
}

static int count_runs(void) {
    DIR *list = opendir(project_path());
    int n = 0;
    for (struct dirent *e; (e = readdir(list));)
        n += e->d_name[0] != '.';
    closedir(list);
    return n;
}

/* Ends the batches as if they had been delivered. */
static void deliver(mp_batch_file *list) {
    for (mp_batch_file *next; list; list = next) {
        next = list->next;
        CHECK(mp_spool_remove(list, why) == 0);
        mp_batch_file_free(list);
    }
}

static void forget(mp_batch_file *list) {
    for (mp_batch_file *next; list; list = next) {
        next = list->next;
        mp_batch_file_free(list);
    }
}

CASE(files_stay_where_they_are_and_their_runs_go_with_the_last) {
    mp_spool *spool = enter();
    mp_adopted got;
    char name[MP_BATCH_FILE_NAME], again[MP_BATCH_FILE_NAME], run[4096];
    mp_segment *a = with_events(spool, 1, 1);
    free(seal(spool, a));
    mp_segment_free(a);
    mp_segment_free(with_events(spool, 2, 3));
    die(spool);
    strcpy(run, run_path());
    CHECK(length(adopt(spool, &got)) == 2 && reports == 0);
    CHECK(count_runs() == 2 && files_of(run, ".json.gz", name) == 2);
    CHECK(files_of(run, "", again) == 2);
    mp_batch_file *rest = got.list->next;
    got.list->next = NULL;
    deliver(got.list);
    mp_spool_release_adopted(spool);
    CHECK(access(run, F_OK) == 0);
    deliver(rest);
    mp_spool_release_adopted(spool);
    CHECK(access(run, F_OK) != 0 && count_runs() == 1);
    CHECK(spool->held.count == 0);
    mp_spool_free(spool);
    CHECK(rmdir(home) == 0);
}

CASE(nobody_adopts_what_another_has_and_only_its_death_gives_it_back) {
    mp_spool *spool = enter(), *other = open_spool();
    mp_adopted got;
    leave_runs(3);
    CHECK(length(adopt(spool, &got)) == 3);
    forget(got.list);
    CHECK(adopt(other, &got) == NULL && !got.left && !got.more);
    /* it has no part in what follows */
    mp_file_close(atomic_load(&other->run)->run.dir);
    atomic_load(&other->run)->run.dir = -1;
    die(spool);
    CHECK(length(adopt(other, &got)) == 3 && count_files(".json.gz") == 3);
    deliver(got.list);
    mp_spool_free(other);
    mp_spool_free(spool);
    CHECK(rmdir(home) == 0);
}

CASE(so_many_runs_at_once_and_the_rest_is_for_others) {
    mp_spool *spool = enter(), *other = open_spool();
    mp_adopted got, rest;
    leave_runs(MP_HELD_MOST + 6);
    CHECK(length(adopt(spool, &got)) == MP_HELD_MOST && got.left);
    CHECK(length(adopt(other, &rest)) == 6 && !rest.left);
    CHECK(rest.list->run > got.list->run);
    deliver(rest.list);
    mp_spool_free(other);
    deliver(got.list);
    CHECK(adopt(spool, &got) == NULL && !got.left);
    mp_spool_free(spool);
    CHECK(rmdir(home) == 0);
}

CASE(what_finds_no_room_comes_later_in_order) {
    mp_spool *spool = enter();
    mp_adopted got;
    uint64_t last = 0;
    for (int i = 1; i <= 5; i++) {
        mp_segment *a = with_events(spool, i, i);
        free(seal(spool, a));
        mp_segment_free(a);
    }
    mp_segment_free(with_events(spool, 6, 6));
    die(spool);
    for (int i = 1; i <= 6; i++) {
        CHECK(mp_spool_adopt(spool, 1, &reporter, &got, why) == 0);
        CHECK(length(got.list) == 1 && !got.more);
        CHECK(got.left || i == 6);
        CHECK(got.list->seq > last);
        last = got.list->seq;
        deliver(got.list);
    }
    CHECK(adopt(spool, &got) == NULL && count_runs() == 1);
    leave(spool);
}

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

static int64_t no_space(int fd, const void *bytes, size_t n, int64_t at) {
    (void)fd, (void)bytes, (void)n, (void)at;
    errno = ENOSPC;
    return -1;
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

CASE(a_forked_child_gives_up_its_copies_and_nothing_else) {
    mp_spool *spool = enter(), *other = open_spool();
    mp_adopted got, none;
    leave_runs(2);
    CHECK(length(adopt(spool, &got)) == 2);
    mp_file_before_fork();
    pid_t pid = fork();
    if (pid == 0) {
        mp_file_in_child();
        mp_spool_after_fork_child(spool);
        int bad = adopt(spool, &none) != NULL || spool->held.count != 0;
        mp_spool_free(spool);
        _exit(bad);
    }
    mp_file_in_parent();
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(adopt(other, &none) == NULL && count_files(".json.gz") == 2);
    deliver(got.list);
    mp_spool_free(other);
    mp_spool_free(spool);
    CHECK(rmdir(home) == 0);
}

static int refuse(int dir, const char *path) {
    if (strstr(path, ".json.gz") || strstr(path, ".open")) {
        errno = EACCES;
        return -1;
    }
    return mp_file_system.unlink(dir, path);
}

/* Or it would be adopted, and sent, again and again. */
CASE(the_run_of_a_file_that_cannot_be_removed_stays_locked) {
    mp_spool *spool = enter();
    mp_file_calls faulty = mp_file_system;
    mp_adopted got;
    leave_runs(1);
    faulty.unlink = refuse;
    CHECK(length(adopt(spool, &got)) == 1);
    mp_file_use(&faulty);
    CHECK(mp_spool_remove(got.list, why) == EACCES);
    mp_batch_file_free(got.list);
    mp_file_use(&mp_file_system);
    CHECK(adopt(spool, &got) == NULL && spool->held.count == 1);
    mp_spool_free(spool);
    spool = open_spool();
    CHECK(length(adopt(spool, &got)) == 1);
    deliver(got.list);
    leave(spool);
}

CASE(so_does_that_of_an_open_segment_that_cannot_be_removed) {
    mp_spool *spool = enter();
    mp_file_calls faulty = mp_file_system;
    mp_adopted got;
    mp_segment_free(with_events(spool, 1, 3));
    die(spool);
    faulty.unlink = refuse;
    mp_file_use(&faulty);
    CHECK(length(adopt(spool, &got)) == 1 && got.list->number == 0);
    mp_file_use(&mp_file_system);
    deliver(got.list);
    CHECK(adopt(spool, &got) == NULL && spool->held.count == 1);
    mp_spool_free(spool);
    spool = open_spool();
    deliver(adopt(spool, &got));
    leave(spool);
}

CASE(on_a_full_disk_an_open_segment_is_adopted_as_it_is) {
    mp_spool *spool = enter();
    mp_file_calls faulty = mp_file_system;
    mp_adopted got;
    mp_segment *read = NULL;
    char name[MP_BATCH_FILE_NAME], run[4096];
    mp_segment_free(with_events(spool, 1, 3));
    die(spool);
    strcpy(run, run_path());
    faulty.write = no_space;
    mp_file_use(&faulty);
    CHECK(length(adopt(spool, &got)) == 1 && got.list->count == 3);
    CHECK(files_of(run, ".open", name) == 1 && reports == 1);
    mp_file_use(&mp_file_system);
    got.list->first = 1;
    got.list->last = 3;
    CHECK(mp_spool_load(spool, got.list, &read, why) == 0 && read->count == 3);
    mp_batch_file_free(got.list); /* the segment has its file */
    mp_spool_release_adopted(spool);
    CHECK(spool->held.count == 1);
    read->place.sealed = seal(spool, read); /* beside it */
    CHECK(files_of(run, "", name) == 1 && files_of(run, ".gz", name) == 1);
    CHECK(mp_spool_discard(read, why) == 0);
    mp_segment_free(read);
    mp_spool_release_adopted(spool);
    CHECK(spool->held.count == 0 && access(run, F_OK) != 0);
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
    forget(got.list);
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
    forget(got.list);
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
    RUN(files_stay_where_they_are_and_their_runs_go_with_the_last);
    RUN(nobody_adopts_what_another_has_and_only_its_death_gives_it_back);
    RUN(so_many_runs_at_once_and_the_rest_is_for_others);
    RUN(what_finds_no_room_comes_later_in_order);
    RUN(very_many_files_take_several_calls);
    RUN(an_open_segment_comes_where_its_records_belong);
    RUN(so_does_one_that_cannot_be_sealed);
    RUN(a_forked_child_gives_up_its_copies_and_nothing_else);
    RUN(the_run_of_a_file_that_cannot_be_removed_stays_locked);
    RUN(so_does_that_of_an_open_segment_that_cannot_be_removed);
    RUN(on_a_full_disk_an_open_segment_is_adopted_as_it_is);
    RUN(only_who_has_the_lock_of_the_profiles_adopts_them);
    RUN(the_lock_of_the_profiles_is_for_one_and_free_after_its_death);
    RUN(who_had_the_profiles_is_waited_for_until_all_its_locks_are_gone);
    RUN(what_was_passed_over_for_the_lock_of_the_profiles_keeps_its_order);
    RUN(the_mark_of_a_run_without_updates_any_more_goes);
    return unit_result();
}
