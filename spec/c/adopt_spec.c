/* What dead processes left is taken over where it is. */
#include "adopt_helper.h"

#include <sys/wait.h>

static int count_runs(void) {
    DIR *list = opendir(project_path());
    int n = 0;
    for (struct dirent *e; (e = readdir(list));)
        n += e->d_name[0] != '.';
    closedir(list);
    return n;
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
    mp_batch_file_free_all(&got.list);
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

/* Leaves both an open segment and what was sealed of it, as where its process
 * died before it could remove the first. */
static void leave_twins(mp_spool *spool) {
    char name[MP_BATCH_FILE_NAME], path[4400], kept[4400];
    mp_segment *a = with_events(spool, 1, 3);
    files(".open", name);
    snprintf(path, sizeof path, "%s/%s", run_path(), name);
    snprintf(kept, sizeof kept, "%s/kept", home);
    CHECK(link(path, kept) == 0);
    free(seal(spool, a));
    mp_segment_free(a);
    CHECK(rename(kept, path) == 0);
    CHECK(count_files(".open") == 1 && count_files(".json.gz") == 1);
    die(spool);
}

CASE(a_twin_is_sealed_once_even_if_it_was_not_known_for_one) {
    for (int failures = 0; failures <= 1; failures++) {
        mp_spool *spool = enter();
        mp_adopted got;
        leave_twins(spool);
        refuse_opens(".v1.open", failures, EMFILE);
        CHECK(length(adopt(spool, &got)) == 1 && got.list->count == 3);
        mp_file_use(&mp_file_system);
        CHECK(count_files(".open") == 0 && count_files(".json.gz") == 1);
        deliver(got.list);
        leave(spool);
    }
}

/* As where somebody removes the directory of the dead run meanwhile. */
CASE(what_has_to_be_sealed_elsewhere_is_adopted_from_there) {
    mp_spool *spool = enter();
    mp_adopted got;
    mp_segment_free(with_events(spool, 1, 3));
    die(spool);
    refuse_opens(".json.gz.new", 1, ENOENT);
    CHECK(length(adopt(spool, &got)) == 1 && got.list->count == 3);
    mp_file_use(&mp_file_system);
    CHECK(got.list && !got.list->users);
    CHECK(got.list && got.list->dir == atomic_load(&spool->run)->run.dir);
    deliver(got.list);
    CHECK(count_files(".json.gz") == 0 && !spool->found.run);
    leave(spool);
}

int main(void) {
    RUN(files_stay_where_they_are_and_their_runs_go_with_the_last);
    RUN(nobody_adopts_what_another_has_and_only_its_death_gives_it_back);
    RUN(so_many_runs_at_once_and_the_rest_is_for_others);
    RUN(what_finds_no_room_comes_later_in_order);
    RUN(a_forked_child_gives_up_its_copies_and_nothing_else);
    RUN(the_run_of_a_file_that_cannot_be_removed_stays_locked);
    RUN(so_does_that_of_an_open_segment_that_cannot_be_removed);
    RUN(on_a_full_disk_an_open_segment_is_adopted_as_it_is);
    RUN(a_twin_is_sealed_once_even_if_it_was_not_known_for_one);
    RUN(what_has_to_be_sealed_elsewhere_is_adopted_from_there);
    return unit_result();
}
