#include "spool_helper.h"

#include "core/record/batch_file.h"

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

/* After a loss of power; nobody can have been told that it holds something. */
CASE(a_spare_without_a_header_is_swept) {
    static const char zeros[MP_SEGMENT_FILE];
    static const size_t lengths[] = {0, 100, sizeof zeros};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        mp_spool *spool = enter();
        mp_adopted got;
        mp_segment_free(make(spool, 0));
        damage(".open", (off_t)lengths[i], 0, zeros, lengths[i]);
        die(spool);
        CHECK(adopt(spool, &got) == NULL && got.quarantined == 0);
        CHECK(reports == 0 && count_files("") == 0);
        leave(spool);
    }
}

static void leave_behind(const char *name) {
    char path[4400];
    snprintf(path, sizeof path, "%s/%s", run_path(), name);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    CHECK(fd >= 0 && write(fd, "[", 1) == 1);
    close(fd);
}

CASE(what_a_dead_process_did_not_finish_is_swept) {
    mp_spool *spool = enter();
    mp_adopted got;
    mp_segment_free(make(spool, 0)); /* a spare */
    leave_behind("events-1a212fc71595b81e-000000000001.v1.open.new");
    leave_behind("events-1a212fc71595b81e-000000000001-2-1-0-1.v1.json.gz.new");
    CHECK(count_files("") == 3);
    mp_spool *other = open_spool();
    CHECK(adopt(other, &got) == NULL); /* it lives */
    mp_spool_free(other);
    CHECK(count_files("") == 3);
    die(spool);
    CHECK(adopt(spool, &got) == NULL && reports == 0 && got.quarantined == 0);
    CHECK(count_files("") == 0); /* and run_path finds one run, this one */
    mp_spool_free(spool);
    CHECK(rmdir(home) == 0);
}

CASE(records_behind_a_header_of_zeros_are_quarantined) {
    mp_spool *spool = enter();
    mp_adopted got;
    static const char zeros[MP_SEGMENT_HEADER];
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

static int no_rename(int from_dir, const char *from, int to_dir,
                     const char *to) {
    if (!strstr(to, ".bad"))
        return mp_file_system.rename(from_dir, from, to_dir, to);
    errno = EACCES;
    return -1;
}

CASE(nothing_is_called_set_aside_that_was_not) {
    mp_spool *spool = enter();
    mp_file_calls faulty = mp_file_system;
    mp_adopted got;
    mp_segment_free(with_events(spool, 1, 3));
    damage(".open", -1, MP_SEGMENT_HEADER + 3, "\0\0\0", 3);
    die(spool);
    faulty.write = no_space; /* what can be read of it needs a file first */
    mp_file_use(&faulty);
    CHECK(adopt(spool, &got) == NULL && got.quarantined == 0 && got.left);
    CHECK(reports == 1 && !strstr(reported, ".bad"));
    CHECK(count_files(".open") == 1);
    faulty = mp_file_system;
    faulty.rename = no_rename;
    mp_file_use(&faulty);
    CHECK(length(adopt(spool, &got)) == 1 && got.quarantined == 0);
    CHECK(reports == 2 && strstr(reported, "cannot rename"));
    mp_file_use(&mp_file_system);
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
    CHECK(reports == 1 && strstr(reported, "a newer version of this module"));
    CHECK(newer == 1);
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
    CHECK(newer == 1 && strstr(reported, "a newer version of this module"));
    CHECK(access(to, F_OK) == 0);
    leave(spool);
}

/* Whatever is in it, also what would be swept of this version. */
CASE(a_run_of_a_future_version_is_left_as_it_is) {
    mp_spool *spool = enter();
    mp_adopted got;
    char run[4400], file[4500];
    mp_segment_free(with_events(spool, 1, 3));
    snprintf(run, sizeof run, "%s.v2", run_path());
    snprintf(file, sizeof file, "%s/events.new", run);
    CHECK(rename(run_path(), run) == 0);
    int fd = open(file, O_CREAT | O_WRONLY, 0600);
    CHECK(fd >= 0);
    close(fd);
    die(spool);
    CHECK(adopt(spool, &got) == NULL && got.quarantined == 0);
    CHECK(reports == 1 && newer == 1 && strstr(reported, ".v2: a newer"));
    CHECK(access(file, F_OK) == 0);
    mp_spool_free(spool);
    spool = open_spool();
    CHECK(count_files("") == 2);
    leave(spool);
}

CASE(names_of_a_future_version_are_known) {
    static const char *const future[] = {
        "events-1a212fc71595b81e-000000000001.v2.open",
        "1a212fc71595b81e.v2",
        "x.v10.json.zst",
        "x.v2.json.gz.new",
        "a.v.v2",
        "x.v99999999999999999"};
    static const char *const others[] = {
        "events-1a212fc71595b81e-000000000001.v1.open",
        "1a212fc71595b81e",
        "x.v1.json.gz.new",
        "x.v2x",
        "x.v",
        "v2",
        "x.v0.open"};
    for (size_t i = 0; i < sizeof future / sizeof *future; i++)
        CHECK(mp_batch_file_is_newer(future[i]));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        CHECK(!mp_batch_file_is_newer(others[i]));
}

/* ---- version 0.1 ---- */

static void put(const char *path, const void *bytes, size_t n, off_t at) {
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    CHECK(fd >= 0 && pwrite(fd, bytes, n, at) == (ssize_t)n);
    close(fd);
}

/* As that version wrote it: nothing here may change with the code. */
static void write_0_1(void) {
    char run[256], path[512], command[1024];
    snprintf(run, sizeof run, "%s/189ce8120cb5b7a7a5f159b128d8ecea", home);
    CHECK(mkdir(run, 0700) == 0);
    strcat(run, "/1a212fc71595b81e");
    CHECK(mkdir(run, 0700) == 0);
    snprintf(command, sizeof command,
             "echo '[%s,\n{\"event\":\"F\",\"properties\":{}}]' | tr -d "
             "'\\n' | sed 's/},{/},\\n{/' | gzip > %s/"
             "events-1a212fc71595b81e-000000000001-2-1-0-1795614863583.v1.json."
             "gz",
             event(1), run);
    CHECK(system(command) == 0);
    snprintf(path, sizeof path,
             "%s/people-1a212fc71595b81e-000000000001.v1.open", run);
    static const char line[] =
        "{\"$token\":\"token\",\"$distinct_id\":\"u\",\"$add\":{\"n\":1}},\n";
    const uint32_t words[] = {1, 0}; /* version, to the end */
    const uint64_t seq = 7, used = sizeof line - 1;
    const uint32_t doubt[] = {2, 0};
    put(path, "mpsegmnt", 8, 0);
    put(path, words, sizeof words, 8);
    put(path, &seq, sizeof seq, 16);
    put(path, doubt, sizeof doubt, 24);
    put(path, &used, sizeof used, 32);
    put(path, line, sizeof line - 1, 4096);
    put(path, "", 1, 4096 + 1114112 - 1);
}

CASE(what_0_1_wrote_is_read) {
    mp_spool *spool = enter();
    mp_adopted got;
    mp_segment *read = NULL;
    write_0_1();
    mp_batch_file *list = adopt(spool, &got);
    CHECK(length(list) == 2 && reports == 0 && newer == 0);
    for (mp_batch_file *s = list, *next; s; s = next) {
        next = s->next;
        s->next = NULL;
        s->first = 1;
        s->last = 2;
        bool people = s->lane == MP_LANE_PEOPLE;
        CHECK(s->count == (people ? 1 : 2) && s->seq == (people ? 7 : 1));
        CHECK(s->in_doubt ==
              (people ? MP_IN_DOUBT_NON_IDEMPOTENT : MP_IN_DOUBT_NONE));
        CHECK(s->run == UINT64_C(0x1a212fc71595b81e));
        CHECK(people || (s->attempt == 1 && s->wall_ms == 1795614863583));
        CHECK(mp_spool_load(spool, s, &read, why) == 0);
        CHECK(memcmp(read->data, people ? "{\"$token\"" : event(1), 9) == 0);
        mp_spool_discard(read, why);
        mp_segment_free(read);
    }
    leave(spool);
}

static void check_unreadable(void) {
    mp_spool *spool = open_spool();
    mp_adopted got;
    mp_segment *read = NULL;
    CHECK(length(adopt(spool, &got)) == 1);
    got.list->first = 1;
    CHECK(mp_spool_load(spool, got.list, &read, why) == EBADMSG && why[0]);
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
    CHECK(mp_spool_load(spool, got.list, &read, why) == ELOOP && read == NULL);
    CHECK(strstr(why, "cannot read events-") != NULL);
    CHECK(count_files(".json.gz") == 1 && count_files("") == 1);
    CHECK(unlink(secret) == 0);
    free_list(got.list);
    free(file);
    leave(spool);
}

int main(void) {
    RUN(a_truncated_segment_gives_what_is_left_of_it);
    RUN(a_spare_without_a_header_is_swept);
    RUN(what_a_dead_process_did_not_finish_is_swept);
    RUN(records_behind_a_header_of_zeros_are_quarantined);
    RUN(a_line_that_is_no_record_does_not_cost_the_others);
    RUN(nothing_is_called_set_aside_that_was_not);
    RUN(a_segment_of_a_future_version_is_left_as_it_is);
    RUN(a_batch_of_a_future_version_is_left_as_it_is);
    RUN(a_run_of_a_future_version_is_left_as_it_is);
    RUN(names_of_a_future_version_are_known);
    RUN(what_0_1_wrote_is_read);
    RUN(a_damaged_batch_is_quarantined_whole);
    RUN(a_batch_with_another_count_is_quarantined);
    RUN(a_planted_link_is_not_followed);
    return unit_result();
}
