#include "spool_helper.h"

#include "core/spool/batch_file.h"

#include <fcntl.h>
#include <sys/stat.h>

/* Overwrites or cuts the only file of the dead run. */
static void damage(const char *ending, off_t cut, off_t at, const char *bytes,
                   size_t n) {
    char name[MP_BATCH_FILE_NAME], path[4400];
    CHECK(files(ending, name) == 1);
    snprintf(path, sizeof path, "%s/%s", run_path(), name);
    int fd = open(path, O_RDWR);
    if (cut >= 0)
        CHECK(ftruncate(fd, cut) == 0);
    if (n > 0)
        CHECK(pwrite(fd, bytes, n, at) == (ssize_t)n);
    close(fd);
}

CASE(a_truncated_segment_gives_what_is_left_of_it) {
    mp_spool *spool = enter();
    mp_adopted got;
    mp_segment_free(with_events(spool, 1, 3));
    off_t two = (off_t)(2 * (strlen(event(1)) + 2));
    damage(".open", MP_SEGMENT_HEADER + two + 10, 0, NULL, 0);
    die(spool);
    CHECK(length(adopt(spool, &got)) == 1);
    CHECK(got.list->count == 2 && got.quarantined == 1);
    CHECK(reports == 1 && strstr(reported, "2 records of it were read"));
    CHECK(count_files(".json.gz") == 1 && count_files(".bad") == 1);
    free_list(got.list);
    leave(spool);
}

CASE(a_file_of_zeros_is_quarantined) {
    mp_spool *spool = enter();
    mp_adopted got;
    static const char zeros[MP_SEGMENT_FILE];
    mp_segment_free(with_events(spool, 1, 3));
    damage(".open", -1, 0, zeros, sizeof zeros);
    die(spool);
    CHECK(adopt(spool, &got) == NULL && got.quarantined == 1);
    CHECK(reports == 1 && strstr(reported, "cannot read events-"));
    CHECK(count_files("") == 1 && count_files(".open.bad") == 1);
    die(spool); /* and never read again */
    CHECK(adopt(spool, &got) == NULL && got.quarantined == 0 && reports == 1);
    CHECK(count_files(".open.bad") == 1);
    leave(spool);
}

CASE(a_line_that_is_no_record_does_not_cost_the_others) {
    mp_spool *spool = enter();
    mp_adopted got;
    mp_segment_free(with_events(spool, 1, 3));
    off_t second = MP_SEGMENT_HEADER + (off_t)strlen(event(1)) + 2;
    damage(".open", -1, second + 3, "\0\0\0", 3);
    die(spool);
    CHECK(length(adopt(spool, &got)) == 1);
    CHECK(got.list->count == 2 && got.quarantined == 1);
    CHECK(strstr(reported, "2 records of it were read, 2 pieces were not"));
    free_list(got.list);
    leave(spool);
}

/* Of the only open segment. */
static void set_version(uint32_t version) {
    char bytes[sizeof version];
    memcpy(bytes, &version, sizeof bytes);
    damage(".open", -1, 8, bytes, sizeof bytes);
}

CASE(a_segment_of_a_future_version_is_left_as_it_is) {
    mp_spool *spool = enter();
    mp_adopted got;
    mp_segment_free(with_events(spool, 1, 3));
    set_version(2);
    die(spool);
    CHECK(adopt(spool, &got) == NULL && got.quarantined == 0);
    CHECK(reports == 1 && strstr(reported, "cannot read"));
    mp_spool_free(spool);
    spool = open_spool();
    set_version(1); /* that can be read */
    CHECK(length(adopt(spool, &got)) == 1 && got.list->count == 3);
    free_list(got.list);
    leave(spool);
}

CASE(a_batch_of_a_future_version_is_left_as_it_is) {
    mp_spool *spool = enter();
    mp_adopted got;
    char name[MP_BATCH_FILE_NAME], from[4400], to[4400];
    mp_segment *a = with_events(spool, 1, 3);
    free(seal(spool, a));
    mp_segment_free(a);
    CHECK(files(".json.gz", name) == 1);
    snprintf(from, sizeof from, "%s/%s", run_path(), name);
    snprintf(to, sizeof to, "%s/%.*s.v2.json.gz", run_path(),
             (int)strlen(name) - 11, name);
    CHECK(rename(from, to) == 0);
    die(spool);
    CHECK(adopt(spool, &got) == NULL && got.quarantined == 0);
    CHECK(reports == 1 && strstr(reported, "passed over events-"));
    CHECK(access(to, F_OK) == 0);
    leave(spool);
}

static void check_unreadable(void) {
    mp_spool *spool = open_spool();
    mp_adopted got;
    mp_segment *read = NULL;
    CHECK(length(adopt(spool, &got)) == 1);
    got.list->first = 1;
    CHECK(mp_spool_load(got.list, &read, why) == EBADMSG && why[0]);
    CHECK(mp_spool_quarantine(got.list, why) == 0);
    CHECK(count_files(".json.gz.bad") == 1 && count_files("") == 1);
    free_list(got.list);
    mp_spool_free(spool);
}

CASE(a_damaged_batch_is_quarantined_whole) {
    static const char *const ways[] = {"cut", "flipped", "empty", "zeros"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        mp_spool *spool = enter();
        mp_segment *a = with_events(spool, 1, 3);
        mp_batch_file *file = seal(spool, a);
        mp_segment_free(a);
        die(spool);
        if (i == 0)
            damage(".gz", 40, 0, NULL, 0);
        else if (i == 1)
            damage(".gz", -1, 30, "???", 3);
        else if (i == 2)
            damage(".gz", 0, 0, NULL, 0);
        else
            damage(".gz", -1, 0, "\0\0\0\0\0\0\0\0", 8);
        check_unreadable();
        free(file);
        leave(spool);
    }
}

CASE(a_batch_with_another_count_is_quarantined) {
    mp_spool *spool = enter();
    char name[MP_BATCH_FILE_NAME], other[MP_BATCH_FILE_NAME], from[4400],
        to[4400];
    mp_segment *a = with_events(spool, 1, 3);
    mp_batch_file *file = seal(spool, a), renamed = *file;
    mp_segment_free(a);
    mp_batch_file_name(file, name);
    renamed.count = 4;
    mp_batch_file_name(&renamed, other);
    snprintf(from, sizeof from, "%s/%s", run_path(), name);
    snprintf(to, sizeof to, "%s/%s", run_path(), other);
    CHECK(rename(from, to) == 0);
    die(spool);
    check_unreadable();
    free(file);
    leave(spool);
}

/* Nothing was read, so nothing is proved: it stays what it is. */
CASE(a_planted_link_is_not_followed) {
    mp_spool *spool = enter();
    char name[MP_BATCH_FILE_NAME], path[4400], secret[128];
    mp_adopted got;
    mp_segment *a = with_events(spool, 1, 3), *read = NULL;
    mp_batch_file *file = seal(spool, a);
    mp_segment_free(a);
    mp_batch_file_name(file, name);
    snprintf(path, sizeof path, "%s/%s", run_path(), name);
    snprintf(secret, sizeof secret, "%s.secret", home);
    CHECK(rename(path, secret) == 0 && symlink(secret, path) == 0);
    die(spool);
    CHECK(length(adopt(spool, &got)) == 1);
    CHECK(mp_spool_load(got.list, &read, why) == ELOOP && read == NULL);
    CHECK(strstr(why, "cannot read events-") != NULL);
    CHECK(count_files(".json.gz") == 1 && count_files("") == 1);
    CHECK(unlink(secret) == 0);
    free_list(got.list);
    free(file);
    leave(spool);
}

int main(void) {
    RUN(a_truncated_segment_gives_what_is_left_of_it);
    RUN(a_file_of_zeros_is_quarantined);
    RUN(a_line_that_is_no_record_does_not_cost_the_others);
    RUN(a_segment_of_a_future_version_is_left_as_it_is);
    RUN(a_batch_of_a_future_version_is_left_as_it_is);
    RUN(a_damaged_batch_is_quarantined_whole);
    RUN(a_batch_with_another_count_is_quarantined);
    RUN(a_planted_link_is_not_followed);
    return unit_result();
}
