/* Which files of dead processes make room, and what becomes of odd ones. */
#include "total_helper.h"

CASE(an_open_segment_is_counted_by_what_is_in_it) {
    mp_spool *spool = enter(), *dead = open_spool();
    mp_bound got;
    mp_segment_free(with_events(dead, 1, 17));
    mp_segment_free(make(dead, 0)); /* a spare */
    go_on(dead);
    mp_file_in_child();
    CHECK(count_files(".open") == 2);
    bound(spool, OPEN, &got); /* the spare goes, which is no loss */
    CHECK(!got.evicted && elsewhere(&got, 1, 1, OPEN));
    bound(spool, OPEN - 1, &got);
    CHECK(got.records == 17);
    mp_spool_free(spool);
    CHECK(rmdir(home) == 0);
}

static int let_stay(int dir, const char *path) {
    if (strstr(path, ".open")) {
        errno = EIO;
        return -1;
    }
    return mp_file_system.unlink(dir, path);
}

/* It died before it could remove the open one. */
CASE(what_is_in_two_files_counts_once) {
    mp_spool *spool = enter(), *dead = open_spool();
    mp_file_calls faulty = mp_file_system;
    mp_bound got;
    mp_batch_file *file = NULL;
    mp_segment *segment = with_events(dead, 1, 5);
    mp_segment_header header = *segment->place.header;
    faulty.unlink = let_stay;
    mp_file_use(&faulty);
    mp_spool_seal(dead, 0, segment, NULL, 1000, &file, why);
    mp_file_use(&mp_file_system);
    CHECK(file != NULL);
    /* as it was before it was emptied */
    atomic_store(&segment->place.header->used, atomic_load(&header.used));
    mp_segment_free(segment);
    mp_batch_file_free(file);
    CHECK(count_files(".open") == 1 && count_files(".json.gz") == 1);
    go_on(dead);
    mp_file_in_child();
    bound(spool, 0, &got);
    CHECK(got.records == 5);
    mp_spool_free(spool);
    CHECK(rmdir(home) == 0);
}

static void spoil(const char *ending, long at) {
    char name[MP_BATCH_FILE_NAME], path[4400];
    CHECK(files(ending, name) == 1);
    snprintf(path, sizeof path, "%s/%s", run_path(), name);
    FILE *file = fopen(path, "r+");
    CHECK(file && fseek(file, at, SEEK_SET) == 0 && fputs("junk!", file) >= 0);
    fclose(file);
}

CASE(what_is_damaged_is_set_aside_as_ever) {
    static const long places[] = {0, MP_SEGMENT_HEADER};
    for (int i = 0; i < 2; i++) {
        mp_spool *spool = enter(), *dead = open_spool();
        mp_bound got;
        mp_segment_free(with_events(dead, 1, 3));
        go_on(dead);
        mp_file_in_child();
        spoil(".open", places[i]);
        bound(spool, 0, &got);
        CHECK(got.quarantined == 1 && got.records == (i == 0 ? 0 : 2));
        CHECK(reports == 1 && count_files(".bad") == 1);
        CHECK(count_files("") == 1);
        bound(spool, 0, &got);
        CHECK(!got.evicted && elsewhere(&got, 0, 0, 0));
        leave(spool);
    }
}

static int refuse(int dir, const char *path) {
    if (strstr(path, "-1000.v1.json.gz")) {
        errno = EROFS;
        return -1;
    }
    return mp_file_system.unlink(dir, path);
}

CASE(what_cannot_be_removed_is_told_and_does_not_count) {
    mp_spool *spool = enter();
    mp_file_calls faulty = mp_file_system;
    mp_bound got;
    for (int i = 1; i <= 3; i++)
        leave_run(i, 1000 * i);
    mp_file_in_child();
    faulty.unlink = refuse;
    mp_file_use(&faulty);
    bound(spool, 1, &got);
    mp_file_use(&mp_file_system);
    CHECK(got.records == 2 && reports == 1);
    CHECK(strstr(reported, "cannot remove"));
    CHECK(is_there(1000) && !is_there(2000));
    leave(spool);
}

CASE(updates_of_profiles_are_left_to_who_may_adopt_them) {
    mp_spool *spool = enter(), *other = open_spool(), *dead = open_spool();
    mp_bound got;
    mp_segment *a = make(dead, MP_LANE_PEOPLE);
    add(a, "{\"$token\":\"token\",\"$distinct_id\":\"u\",\"$set\":{}}");
    free(seal(dead, a));
    mp_segment_free(a);
    go_on(dead);
    leave_run(4, 1);
    mp_file_in_child();
    mp_run_place place = mp_spool_place(other);
    CHECK(mp_run_lock_profiles(&place, &other->profiles, why) == 0);
    bound(spool, 0, &got);
    CHECK(got.records == 4 && count_files(".json.gz") == 1 && reports == 0);
    CHECK(elsewhere(&got, 2, 2, 2));
    mp_spool_free(other);
    bound(spool, 0, &got);
    CHECK(got.records == 1 && spool->profiles < 0);
    CHECK(count_files("") == 0);
    leave(spool);
}

CASE(what_a_newer_version_wrote_stays) {
    mp_spool *spool = enter(), *dead = open_spool();
    mp_bound got;
    mp_segment *segment = with_events(dead, 1, 3);
    segment->place.header->version = MP_SEGMENT_VERSION + 1;
    mp_segment_free(segment);
    go_on(dead);
    mp_file_in_child();
    bound(spool, 0, &got);
    CHECK(!got.evicted && count_files(".open") == 1 && reports == 0);
    leave(spool);
}

int main(void) {
    RUN(an_open_segment_is_counted_by_what_is_in_it);
    RUN(what_is_in_two_files_counts_once);
    RUN(what_is_damaged_is_set_aside_as_ever);
    RUN(what_cannot_be_removed_is_told_and_does_not_count);
    RUN(updates_of_profiles_are_left_to_who_may_adopt_them);
    RUN(what_a_newer_version_wrote_stays);
    return unit_result();
}
