#include "spool_helper.h"

#include "core/base/gzip.h"
#include "core/record/batch_file.h"

#include <sys/stat.h>
#include <sys/wait.h>

/* ---- life ---- */

CASE(a_spool_touches_no_file_before_it_is_needed) {
    mp_spool *spool = enter();
    DIR *list = opendir(home);
    int n = 0;
    while (readdir(list))
        n++;
    closedir(list);
    CHECK(n == 2);
    leave(spool);
}

CASE(what_is_in_an_open_segment_is_in_its_file) {
    mp_spool *spool = enter();
    mp_segment *segment = with_events(spool, 1, 1);
    char name[MP_BATCH_FILE_NAME];
    mp_buf file = {0};
    int dir;
    CHECK(segment->place.header != NULL);
    CHECK(files(".open", name) == 1);
    CHECK(mp_file_open_dir(MP_FILE_HERE, run_path(), &dir) == 0);
    CHECK(mp_file_read(dir, name, MP_SEGMENT_FILE, &file) == 0);
    CHECK(file.len == MP_SEGMENT_FILE);
    CHECK(memcmp(file.data, MP_SEGMENT_MAGIC, 8) == 0);
    size_t n = strlen(event(1));
    CHECK(memcmp(file.data + MP_SEGMENT_HEADER, event(1), n) == 0);
    CHECK(memcmp(file.data + MP_SEGMENT_HEADER + n, ",\n", 3) == 0);
    mp_buf_free(&file);
    mp_file_close(dir);
    CHECK(mp_spool_discard(segment, why) == 0);
    CHECK(count_files("") == 0);
    mp_segment_free(segment);
    leave(spool);
}

CASE(a_run_that_ends_with_nothing_left_removes_its_directories) {
    mp_spool *spool = enter();
    mp_segment *segment = make(spool, 0);
    CHECK(mp_spool_discard(segment, why) == 0);
    mp_segment_free(segment);
    mp_spool_free(spool);
    CHECK(rmdir(home) == 0);
}

CASE(a_sealed_batch_is_gzip_json_with_its_state_in_the_name) {
    mp_spool *spool = enter();
    mp_segment *segment = with_events(spool, 1, 2);
    mp_batch_file *file = seal(spool, segment), seen;
    char name[MP_BATCH_FILE_NAME], command[4400], json[512] = "";
    CHECK(count_files("") == 1 && files(".json.gz", name) == 1);
    CHECK(mp_batch_file_parse(name, &seen));
    CHECK(seen.count == 2 && seen.attempt == 0 && seen.in_doubt == 0);
    CHECK(seen.seq == ((base + seqs - 1) & MP_SEGMENT_SEQ));
    snprintf(command, sizeof command, "zcat %s/%s", run_path(), name);
    FILE *zcat = popen(command, "r");
    json[fread(json, 1, sizeof json - 1, zcat)] = '\0';
    pclose(zcat);
    char expected[512];
    int n = snprintf(expected, sizeof expected, "[%s,\n", event(1));
    snprintf(expected + n, sizeof expected - (size_t)n, "%s]", event(2));
    CHECK(strcmp(json, expected) == 0);
    segment->place.sealed = file;
    CHECK(mp_spool_mark_start(segment, MP_IN_DOUBT_IDEMPOTENT, false, why) ==
          0);
    CHECK(files(".json.gz", name) == 1 && mp_batch_file_parse(name, &seen));
    CHECK(seen.attempt == 1 && seen.in_doubt == MP_IN_DOUBT_IDEMPOTENT);
    CHECK(mp_spool_mark_end(segment, MP_IN_DOUBT_NONE, why) == 0);
    CHECK(files(".json.gz", name) == 1 && mp_batch_file_parse(name, &seen));
    CHECK(seen.attempt == 1 && seen.in_doubt == MP_IN_DOUBT_NONE);
    CHECK(mp_spool_discard(segment, why) == 0);
    CHECK(count_files("") == 0);
    mp_segment_free(segment);
    leave(spool);
}

/* As after a clock was put back to 1970 while the records waited. */
CASE(a_batch_from_before_1970_is_found_by_others) {
    mp_spool *spool = enter();
    mp_segment *segment = with_events(spool, 1, 2);
    mp_batch_file *file = NULL;
    mp_adopted got;
    CHECK(mp_spool_seal(spool, 0, segment, NULL, -69, &file, why) == 0);
    free(file);
    mp_segment_free(segment);
    die(spool);
    mp_batch_file *adopted = adopt(spool, &got);
    CHECK(length(adopted) == 1 && adopted->count == 2);
    CHECK(reports == 0);
    free_list(adopted);
    leave(spool);
}

CASE(a_batch_is_read_back_as_it_was) {
    mp_spool *spool = enter();
    mp_segment *segment = make(spool, 2), *read = NULL;
    mp_buf body = {0};
    seqs = 0;
    add(segment, "{\"$token\":\"t\",\"$distinct_id\":\"a\",\"$set\":{}}");
    add(segment, "{\"$token\":\"t\",\"$distinct_id\":\"b\",\"$add\":{\"n\":"
                 "18446744073709551615}}");
    add(segment, "{\"$token\":\"t\",\"$distinct_id\":\"a\",\"$append\":{\"x\":"
                 "\"\\u0000\"}}");
    mp_batch_file *file = seal(spool, segment);
    CHECK(mp_spool_load(spool, file, &read, why) == 0);
    CHECK(read->count == 3 && read->used == segment->used);
    CHECK(memcmp(read->data, segment->data, segment->used) == 0);
    CHECK(read->gzip.len > 0 && segment->gzip.len == 0);
    CHECK(mp_gunzip_add(&body, read->gzip.data, read->gzip.len, 1000) == MP_OK);
    CHECK(body.len == read->used && body.data[body.len - 1] == ']');
    CHECK(memcmp(body.data + 1, read->data, read->used - 2) == 0);
    mp_buf_free(&body);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK(read->entries[i].seq == base + i + 1);
        CHECK(read->entries[i].offset == segment->entries[i].offset);
        CHECK(read->entries[i].length == segment->entries[i].length);
    }
    CHECK(read->entries[0].kind == MP_PLAIN);
    CHECK(read->entries[1].kind == MP_NON_IDEMPOTENT);
    CHECK(read->entries[2].kind == MP_NON_IDEMPOTENT);
    CHECK(read->entries[0].ordering_key == read->entries[2].ordering_key);
    CHECK(read->entries[0].ordering_key != read->entries[1].ordering_key);
    CHECK(read->place.sealed == file && !read->adopted);
    CHECK(mp_spool_discard(read, why) == 0);
    mp_segment_free(read);
    mp_segment_free(segment);
    leave(spool);
}

CASE(an_event_read_back_has_its_time_and_kind) {
    mp_spool *spool = enter();
    mp_segment *segment = make(spool, 0), *read = NULL;
    add(segment, event(1));
    add(segment, "{\"event\":\"$identify\",\"properties\":{}}");
    add(segment, "{\"event\":\"$merge\",\"properties\":{\"time\":-5}}");
    mp_batch_file *file = seal(spool, segment);
    CHECK(mp_spool_load(spool, file, &read, why) == 0);
    CHECK(read->entries[0].time_ms == 1795460000123);
    CHECK(read->entries[0].kind == MP_PLAIN);
    CHECK(read->entries[1].kind == MP_IDENTITY &&
          read->entries[1].time_ms == MP_NO_TIME);
    CHECK(read->entries[2].kind == MP_IDENTITY &&
          read->entries[2].time_ms == MP_NO_TIME);
    mp_spool_discard(read, why);
    mp_segment_free(read);
    mp_segment_free(segment);
    leave(spool);
}

/* ---- the dead ---- */

CASE(what_a_dead_process_left_is_adopted_in_order) {
    mp_spool *spool = enter();
    mp_adopted got;
    mp_segment *a = with_events(spool, 1, 3), *b = with_events(spool, 4, 5);
    mp_batch_file *sealed = seal(spool, a);
    free(sealed);
    mp_segment_free(a);
    mp_segment_free(b); /* its file stays open */
    die(spool);
    mp_batch_file *first = adopt(spool, &got);
    CHECK(length(first) == 2 && reports == 0 && got.quarantined == 0);
    CHECK(first->count == 3 && first->next->count == 2);
    CHECK(first->adopted && first->bytes == 4096);
    CHECK(count_files("") == 2 && count_files(".json.gz") == 2);
    for (mp_batch_file *s = first, *next; s; s = next) {
        mp_segment *read = NULL;
        next = s->next;
        s->next = NULL;
        s->first = s == first ? 1 : 4;
        s->last = 9;
        CHECK(mp_spool_load(spool, s, &read, why) == 0);
        CHECK(read->adopted && read->count == s->count);
        CHECK(memcmp(read->data, event((int)s->first), 20) == 0);
        CHECK(read->entries[0].seq == s->first);
        mp_spool_discard(read, why);
        mp_segment_free(read);
    }
    leave(spool);
}

CASE(the_living_are_left_alone) {
    mp_spool *spool = enter(), *other = open_spool();
    mp_adopted got;
    mp_segment *a = with_events(spool, 1, 3);
    CHECK(adopt(other, &got) == NULL);
    mp_spool_discard(a, why);
    mp_segment_free(a);
    mp_spool_free(other);
    leave(spool);
}

CASE(another_project_s_files_are_counted_and_left_alone) {
    mp_spool *spool = enter();
    mp_spool *other = mp_spool_new(home, "token2", "https://host", "");
    mp_spool *third = mp_spool_new(home, "token", "https://host2", "");
    CHECK(!mp_spool_same(spool, other) && !mp_spool_same(spool, third));
    mp_adopted got;
    mp_segment_free(with_events(spool, 1, 3));
    mp_segment_free(with_events(third, 1, 3));
    die(spool);
    die(third);
    CHECK(adopt(other, &got) == NULL && got.foreign == 2);
    mp_spool_free(third);
    mp_spool_free(other);
    CHECK(length(adopt(spool, &got)) == 1 && got.foreign == 1);
    free_list(got.list);
    leave(spool);
}

CASE(an_open_segment_of_a_sealed_batch_is_not_adopted) {
    mp_spool *spool = enter();
    mp_adopted got;
    char name[MP_BATCH_FILE_NAME], from[4400], to[4400];
    mp_segment *a = with_events(spool, 1, 3);
    CHECK(files(".open", name) == 1);
    snprintf(from, sizeof from, "%s/%s", run_path(), name);
    snprintf(to, sizeof to, "%s.kept", home);
    CHECK(link(from, to) == 0);
    free(seal(spool, a));
    CHECK(rename(to, from) == 0); /* as if it died before the removal */
    mp_segment_free(a);
    die(spool);
    CHECK(length(adopt(spool, &got)) == 1 && got.list->count == 3);
    CHECK(count_files("") == 1);
    free_list(got.list);
    leave(spool);
}

/* Or what it accepts would go before what it adopts, once it is adopted
 * itself. */
CASE(a_run_comes_behind_one_of_a_clock_that_was_ahead) {
    mp_spool *spool = enter();
    char ahead[4400];
    mp_segment_free(with_events(spool, 1, 1));
    snprintf(ahead, sizeof ahead, "%.4000s/../7000000000000000", run_path());
    CHECK(rename(run_path(), ahead) == 0);
    die(spool);
    mp_segment_free(with_events(spool, 2, 2));
    CHECK(spool->run->run.id > UINT64_C(0x7000000000000000));
    leave(spool);
}

CASE(a_process_without_its_directory_adopts_all_the_same) {
    mp_spool *dead = enter(), *spool = open_spool();
    mp_adopted got;
    mp_segment_free(make(spool, 0));
    remove_tree(run_path());
    mp_segment_free(with_events(dead, 1, 2));
    mp_file_close(dead->run->run.dir); /* and with it the lock */
    CHECK(length(adopt(spool, &got)) == 1 && got.list->count == 2);
    free_list(got.list);
    mp_spool_after_fork_child(dead);
    mp_spool_free(dead);
    leave(spool);
}

/* ---- directories ---- */

CASE(a_directory_that_others_can_write_to_is_refused) {
    mp_spool *spool = enter();
    mp_segment *segment = NULL;
    CHECK(chmod(home, 0777) == 0);
    CHECK(mp_spool_segment(spool, 0, &segment, why) == EPERM);
    CHECK(strstr(why, "others can write to it") && strstr(why, home));
    CHECK(chmod(home, 0700) == 0);
    CHECK(mp_spool_segment(spool, 0, &segment, why) == 0);
    mp_segment_free(segment);
    leave(spool);
}

static void refused(mp_spool *spool, const char *why_not) {
    mp_segment *segment = NULL;
    CHECK(mp_spool_segment(spool, 0, &segment, why) == EPERM);
    CHECK(strstr(why, why_not) && strstr(why, "spool_owner") &&
          strstr(why, home));
}

CASE(a_directory_of_others_is_used_where_that_is_wanted) {
    mp_spool *spool = enter();
    mp_segment *segment = NULL;
    CHECK(chmod(home, 0770) == 0);
    refused(spool, "its group can write to it");
    CHECK(chmod(home, 0700) == 0);
    if (geteuid() == 0) {
        CHECK(chown(home, 65534, 65534) == 0);
        refused(spool, "it belongs to user 65534");
    }
    CHECK(chmod(home, 0777) == 0);
    mp_spool_set_trust(spool, MP_TRUST_ANY);
    CHECK(mp_spool_segment(spool, 0, &segment, why) == EPERM);
    CHECK(chmod(home, 0770) == 0);
    CHECK(mp_spool_segment(spool, 0, &segment, why) == 0);
    mp_segment_free(segment);
    leave(spool);
}

CASE(a_link_is_no_spool) {
    mp_spool *spool = enter();
    mp_segment *segment = NULL;
    char link[128];
    snprintf(link, sizeof link, "%s.link", home);
    CHECK(symlink(home, link) == 0);
    mp_spool *linked = mp_spool_new(link, "token", "https://host", "");
    CHECK(mp_spool_segment(linked, 0, &segment, why) != 0 && why[0]);
    unlink(link);
    mp_spool_free(linked);
    leave(spool);
}

CASE(a_spool_whose_parent_is_missing_says_so) {
    mp_spool *spool =
        mp_spool_new("/tmp/mp_none/spool", "token", "https://host", "");
    mp_segment *segment = NULL;
    CHECK(mp_spool_segment(spool, 0, &segment, why) == ENOENT);
    CHECK(strstr(why, "/tmp/mp_none/spool"));
    mp_spool_free(spool);
}

CASE(a_directory_that_vanished_is_made_again) {
    mp_spool *spool = enter();
    mp_segment *a = with_events(spool, 1, 3), *b;
    remove_tree(home);
    b = with_events(spool, 4, 5);
    CHECK(count_files(".open") == 1);
    remove_tree(home);
    mp_batch_file *file = seal(spool, a);
    CHECK(count_files(".json.gz") == 1);
    CHECK(mp_spool_discard(b, why) == 0);
    CHECK(mp_spool_remove(file, why) == 0);
    free(file);
    mp_segment_free(a);
    mp_segment_free(b);
    leave(spool);
}

CASE(a_directory_may_vanish_any_number_of_times) {
    mp_spool *spool = enter();
    for (int i = 0; i < 100; i++) {
        remove_tree(home);
        mp_segment *a = with_events(spool, 1, 2);
        CHECK(count_files(".open") == 1);
        remove_tree(home);
        mp_batch_file *file = seal(spool, a);
        CHECK(count_files(".json.gz") == 1);
        free(file);
        mp_segment_free(a);
    }
    leave(spool);
}

CASE(runs_of_the_same_moment_have_directories_of_their_own) {
    enum {
        PROCESSES = 8
    };
    mp_spool *spool = enter();
    pid_t pids[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i] != 0)
            continue;
        for (int k = 0; k < 30; k++) { /* makes, adopts and ends runs */
            mp_adopted got;
            mp_spool *own = open_spool();
            mp_segment *segment = with_events(own, 1, 2);
            adopt(own, &got);
            if (got.list)
                _exit(1); /* everybody alive is left alone */
            mp_spool_discard(segment, why);
            mp_segment_free(segment);
            mp_spool_free(own);
        }
        _exit(unit_bad || reports > 0);
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        CHECK(waitpid(pids[i], &status, 0) == pids[i] && status == 0);
    }
    mp_spool_free(spool);
    CHECK(rmdir(home) == 0);
}

CASE(rejected_records_are_kept_short) {
    mp_spool *spool = enter();
    mp_buf lines = {0};
    char name[MP_BATCH_FILE_NAME];
    for (int i = 0; i < 4096; i++)
        mp_buf_puts(&lines, "{\"message\":\"no\"}\n");
    for (int i = 0; i < 64; i++)
        CHECK(mp_spool_reject(spool, &lines, why) == 0);
    CHECK(files(".jsonl", name) == 2);
    char command[4400];
    snprintf(command, sizeof command,
             "du -b --exclude=. %s/* | awk '{ n += $1 "
             "} END { exit n > 3000000 }'",
             run_path());
    CHECK(system(command) == 0);
    mp_adopted got;
    die(spool);
    CHECK(adopt(spool, &got) == NULL && reports == 0);
    CHECK(count_files(".jsonl") == 2); /* they moved along */
    for (int i = 0; i < 64; i++) {     /* and are no longer for that */
        die(spool);
        mp_spool_free(spool);
        spool = open_spool();
        CHECK(adopt(spool, &got) == NULL);
        CHECK(mp_spool_reject(spool, &lines, why) == 0);
    }
    snprintf(command, sizeof command,
             "du -b --exclude=. %s/* | awk '{ n += $1 "
             "} END { exit n > 3000000 }'",
             run_path());
    CHECK(system(command) == 0);
    mp_buf_free(&lines);
    leave(spool);
}

int main(void) {
    RUN(a_spool_touches_no_file_before_it_is_needed);
    RUN(what_is_in_an_open_segment_is_in_its_file);
    RUN(a_run_that_ends_with_nothing_left_removes_its_directories);
    RUN(a_sealed_batch_is_gzip_json_with_its_state_in_the_name);
    RUN(a_batch_from_before_1970_is_found_by_others);
    RUN(a_batch_is_read_back_as_it_was);
    RUN(an_event_read_back_has_its_time_and_kind);
    RUN(what_a_dead_process_left_is_adopted_in_order);
    RUN(the_living_are_left_alone);
    RUN(another_project_s_files_are_counted_and_left_alone);
    RUN(an_open_segment_of_a_sealed_batch_is_not_adopted);
    RUN(a_run_comes_behind_one_of_a_clock_that_was_ahead);
    RUN(a_process_without_its_directory_adopts_all_the_same);
    RUN(a_directory_that_others_can_write_to_is_refused);
    RUN(a_directory_of_others_is_used_where_that_is_wanted);
    RUN(a_link_is_no_spool);
    RUN(a_spool_whose_parent_is_missing_says_so);
    RUN(a_directory_that_vanished_is_made_again);
    RUN(a_directory_may_vanish_any_number_of_times);
    RUN(runs_of_the_same_moment_have_directories_of_their_own);
    RUN(rejected_records_are_kept_short);
    return unit_result();
}
