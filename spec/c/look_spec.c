#include "spool_helper.h"

#include "core/spool/look.h"

#include <fcntl.h>
#include <sys/stat.h>

static char text[16384]; /* what was seen last */

static int look(const mp_spool *spool) {
    mp_buf out = {0};
    int err = mp_look_list(spool, &out, why);
    CHECK(out.len < sizeof text);
    memcpy(text, out.data, out.len);
    text[out.len] = '\0';
    mp_buf_free(&out);
    return err;
}

static bool has(const char *part) {
    if (strstr(text, part))
        return true;
    fprintf(stderr, "not in %s: %s\n", text, part);
    return false;
}

static int read_back(const char *path, mp_look *seen) {
    mp_buf lines = {0};
    int err = mp_look_records(path, &lines, seen, why);
    snprintf(text, sizeof text, "%.*s", (int)lines.len,
             lines.data ? lines.data : "");
    mp_buf_free(&lines);
    return err;
}

/* The only file of the only run with this ending. */
static const char *path_of(const char *ending) {
    static char path[4400];
    char name[MP_BATCH_FILE_NAME];
    CHECK(files(ending, name) == 1);
    snprintf(path, sizeof path, "%s/%s", run_path(), name);
    return path;
}

static void write_file(const char *name, const char *content) {
    char path[4400];
    snprintf(path, sizeof path, "%s/%s", run_path(), name);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    fputs(content, file);
    fclose(file);
}

CASE(a_spool_that_is_not_there_is_said_and_not_made) {
    mp_spool *spool = enter();
    CHECK(rmdir(home) == 0);
    CHECK(look(spool) == ENOENT && strstr(why, home));
    CHECK(access(home, F_OK) != 0);
    mp_spool_free(spool);
}

CASE(a_project_without_files_has_no_run) {
    mp_spool *spool = enter();
    char other[128];
    CHECK(look(spool) == 0 && has("\"runs\":[]") && has("\"foreign\":0"));
    snprintf(other, sizeof other, "%s/0123456789abcdef0123456789abcdef", home);
    CHECK(mkdir(other, 0700) == 0);
    CHECK(look(spool) == 0 && has("\"foreign\":1"));
    leave(spool);
}

CASE(a_directory_that_others_can_write_to_is_refused) {
    mp_spool *spool = enter();
    CHECK(chmod(home, 0777) == 0);
    CHECK(look(spool) == EPERM && strstr(why, "others can write to it"));
    leave(spool);
}

CASE(a_living_run_is_seen_and_keeps_its_lock) {
    mp_spool *spool = enter(), *another = open_spool();
    char pid[32];
    snprintf(pid, sizeof pid, "\"pid\":%d,", (int)getpid());
    mp_segment_free(with_events(spool, 1, 3));
    for (int i = 0; i < 2; i++) { /* not given up by the first look */
        CHECK(look(another) == 0 && has("\"alive\":true"));
        CHECK(has("\"own\":false") && has(pid));
        CHECK(has("\"kind\":\"open\"") && has("\"records\":3"));
        CHECK(!strstr(text, "problem"));
    }
    CHECK(look(spool) == 0 && has("\"own\":true"));
    mp_spool_free(another);
    leave(spool);
}

CASE(a_dead_run_is_seen_and_may_be_adopted_afterwards) {
    mp_spool *spool = enter();
    mp_adopted got;
    mp_segment *a = with_events(spool, 1, 3);
    free(seal(spool, a));
    mp_segment_free(a);
    mp_segment_free(with_events(spool, 4, 5));
    die(spool);
    CHECK(look(spool) == 0 && has("\"alive\":false") && !strstr(text, "pid"));
    CHECK(has("\"kind\":\"batch\"") && has("\"records\":3"));
    CHECK(has("\"time\":1795460000.123") && has("\"attempts\":0"));
    CHECK(has("\"in_doubt\":false") && has("\"endpoint\":\"events\""));
    CHECK(has("\"kind\":\"open\"") && has("\"records\":2"));
    CHECK(count_files("") == 2); /* nothing was made */
    CHECK(length(adopt(spool, &got)) == 2);
    free_list(got.list);
    leave(spool);
}

CASE(records_are_read_as_they_are) {
    mp_spool *spool = enter();
    mp_look seen;
    char expected[1024] = "";
    mp_segment *a = with_events(spool, 1, 3);
    for (int i = 1; i <= 3; i++) {
        strcat(expected, event(i));
        strcat(expected, "\n");
    }
    CHECK(read_back(path_of(".open"), &seen) == 0);
    CHECK(strcmp(text, expected) == 0 && seen.problem[0] == '\0');
    free(seal(spool, a));
    mp_segment_free(a);
    CHECK(read_back(path_of(".gz"), &seen) == 0);
    CHECK(strcmp(text, expected) == 0 && seen.problem[0] == '\0');
    CHECK(seen.records == 3 && seen.lane == MP_LANE_EVENTS);
    leave(spool);
}

CASE(of_a_damaged_segment_is_read_what_can_be) {
    mp_spool *spool = enter();
    mp_adopted got;
    mp_look seen;
    mp_segment_free(with_events(spool, 1, 3));
    off_t two = (off_t)(2 * (strlen(event(1)) + 2));
    CHECK(truncate(path_of(".open"), MP_SEGMENT_HEADER + two + 10) == 0);
    die(spool);
    adopt(spool, &got);
    free_list(got.list);
    CHECK(read_back(path_of(".open.bad"), &seen) == 0);
    CHECK(seen.records == 2 && strstr(text, event(2)));
    CHECK(strcmp(seen.problem, "2 pieces of it are no record") == 0);
    CHECK(look(spool) == 0 && has("\"kind\":\"damaged\""));
    CHECK(has("\"problem\":\"2 pieces of it are no record\""));
    leave(spool);
}

CASE(a_damaged_batch_says_what_is_wrong) {
    mp_spool *spool = enter();
    mp_look seen;
    char wrong[4400], other[4400];
    mp_segment *a = with_events(spool, 1, 3);
    mp_batch_file *file = seal(spool, a);
    mp_segment_free(a);
    snprintf(wrong, sizeof wrong, "%s", path_of(".gz"));
    mp_batch_file renamed = *file;
    renamed.count = 5;
    char name[MP_BATCH_FILE_NAME];
    mp_batch_file_name(&renamed, name);
    snprintf(other, sizeof other, "%s/%s", run_path(), name);
    CHECK(rename(wrong, other) == 0);
    CHECK(read_back(other, &seen) == 0 && seen.records == 3);
    CHECK(strcmp(seen.problem, "its name says 5 records, and it has 3") == 0);
    CHECK(truncate(other, 40) == 0);
    CHECK(read_back(other, &seen) == 0 && seen.records == 0);
    CHECK(strstr(seen.problem, "no gzip of a list"));
    free(file);
    leave(spool);
}

CASE(other_files_are_named) {
    mp_spool *spool = enter();
    mp_segment *a = with_events(spool, 1, 1);
    write_file("rejected.jsonl", "{}\n{}\n");
    write_file("events-1-2.v2.json.gz", "");
    write_file("notes.txt", "");
    write_file("people-1-2.v1.open.new", "");
    write_file("notes.bad", "");
    CHECK(look(spool) == 0);
    CHECK(has("\"kind\":\"rejected\"") && has("\"records\":2"));
    CHECK(has("\"kind\":\"newer\"") && has("\"kind\":\"unfinished\""));
    CHECK(has("\"name\":\"notes.txt\",\"kind\":\"other\""));
    CHECK(has("\"name\":\"notes.bad\",\"kind\":\"other\""));
    mp_segment_free(a);
    leave(spool);
}

CASE(a_segment_of_a_newer_version_says_so) {
    mp_spool *spool = enter();
    uint32_t version = MP_SEGMENT_VERSION + 1;
    mp_segment_free(with_events(spool, 1, 3));
    int fd = open(path_of(".open"), O_RDWR);
    CHECK(pwrite(fd, &version, sizeof version, 8) == sizeof version);
    close(fd);
    die(spool);
    CHECK(look(spool) == 0 && has("a newer version wrote it"));
    leave(spool);
}

CASE(what_is_no_file_of_a_spool_is_not_read) {
    mp_look seen;
    CHECK(read_back("/etc/passwd", &seen) == EINVAL && *why);
    CHECK(read_back("/nowhere/events-0000000000000001-000000000001.v1.open",
                    &seen) == ENOENT);
    CHECK(strstr(why, "cannot read /nowhere/events"));
}

int main(void) {
    RUN(a_spool_that_is_not_there_is_said_and_not_made);
    RUN(a_project_without_files_has_no_run);
    RUN(a_directory_that_others_can_write_to_is_refused);
    RUN(a_living_run_is_seen_and_keeps_its_lock);
    RUN(a_dead_run_is_seen_and_may_be_adopted_afterwards);
    RUN(records_are_read_as_they_are);
    RUN(of_a_damaged_segment_is_read_what_can_be);
    RUN(a_damaged_batch_says_what_is_wrong);
    RUN(other_files_are_named);
    RUN(a_segment_of_a_newer_version_says_so);
    RUN(what_is_no_file_of_a_spool_is_not_read);
    return unit_result();
}
