#include "core/os/clock.h"
#include "core/os/file.h"
#include "core/project/project.h"
#include "core/project/saves.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static mp_state_file *open_file(const char *path) {
    mp_state_file *file = mp_state_file_open(path);
    CHECK(file != NULL && strcmp(mp_state_file_path(file), path) == 0);
    return file;
}

CASE(a_change_waits_for_others_and_for_the_write_before) {
    mp_saves saves = {0};
    mp_state_file *a = open_file("/nowhere/a");
    CHECK(mp_saves_due(&saves) == INT64_MAX);
    CHECK(mp_saves_put(&saves, a, 1000) == MP_OK);
    CHECK(mp_saves_put(&saves, a, 1200) == MP_OK);
    CHECK(mp_saves_due(&saves) == 1000 + MP_SAVE_DELAY_MS);
    CHECK(!mp_saves_take(&saves, 1000 + MP_SAVE_DELAY_MS - 1));
    mp_save *save = mp_saves_take(&saves, 1250);
    CHECK(save != NULL && !mp_saves_take(&saves, 9999));
    CHECK(save->file == a && mp_saves_find(&saves, a) == save);
    CHECK(mp_saves_put(&saves, a, 1260) == MP_OK);
    CHECK(mp_saves_due(&saves) == INT64_MAX); /* not at the same time */
    mp_saves_done(&saves, save, NULL, 1270);
    CHECK(mp_saves_due(&saves) == 1260 + MP_SAVE_DELAY_MS);
    save = mp_saves_take(&saves, 2000);
    mp_saves_done(&saves, save, NULL, 2000);
    CHECK(!mp_saves_find(&saves, a) && mp_saves_due(&saves) == INT64_MAX);
    mp_state_file_close(a);
}

CASE(what_failed_is_tried_again_ever_more_slowly) {
    mp_saves saves = {0};
    int64_t now_ms = 0, last_ms = 0;
    mp_state_file *a = open_file("/nowhere/a");
    CHECK(mp_saves_put(&saves, a, now_ms) == MP_OK);
    for (int i = 0; i < 12; i++) {
        int64_t due_ms = mp_saves_due(&saves);
        CHECK(i == 0 || due_ms - now_ms >= last_ms);
        CHECK(due_ms - now_ms <= 60000);
        last_ms = i == 0 ? 0 : due_ms - now_ms;
        now_ms = due_ms;
        mp_save *save = mp_saves_take(&saves, now_ms);
        mp_saves_done(&saves, save, "no", now_ms);
        CHECK(save->failures == (uint32_t)i + 1);
        if (i == 5)
            CHECK(mp_saves_put(&saves, a, now_ms) == MP_OK);
    }
    CHECK(last_ms == 60000);
    mp_saves_clear(&saves);
    mp_state_file_close(a);
}

CASE(files_wait_apart) {
    mp_saves saves = {0};
    mp_state_file *a = open_file("/nowhere/a"), *b = open_file("/nowhere/b");
    CHECK(mp_saves_put(&saves, a, 0) == MP_OK);
    CHECK(mp_saves_put(&saves, b, 100) == MP_OK);
    mp_save *save = mp_saves_take(&saves, 250);
    CHECK(save->file == a);
    CHECK(mp_saves_due(&saves) == 350);
    mp_saves_done(&saves, save, NULL, 250);
    mp_saves_clear(&saves);
    mp_state_file_close(a);
    mp_state_file_close(b);
}

/* ---- a project that writes, while calls to the system fail ---- */

static int calls_left;

static bool fails(void) {
    if (calls_left-- != 0)
        return false;
    errno = ENOSPC;
    return true;
}

static int open_or_fail(int at, const char *path, unsigned flags) {
    return fails() ? -1 : mp_file_system.open(at, path, flags);
}

static int64_t write_or_fail(int fd, const void *bytes, size_t n, int64_t at) {
    return fails() ? -1 : mp_file_system.write(fd, bytes, n > 2 ? 2 : n, at);
}

static int sync_or_fail(int fd) {
    return fails() ? -1 : mp_file_system.sync(fd);
}

static int rename_or_fail(int a, const char *from, int b, const char *to) {
    return fails() ? -1 : mp_file_system.rename(a, from, b, to);
}

static mp_project *open_project(void) {
    mp_config config = {.token = strdup("t"),
                        .base_url = strdup("http://127.0.0.1:9"),
                        .name = strdup("")};
    return mp_project_new(&config);
}

#define OLD   "{\"version\":1,\"distinct_id\":\"old\"}"
#define NEWER "{\"version\":1,\"distinct_id\":\"newer\"}"

static void save(mp_project *project, mp_state_file *file, const char *text) {
    bool wake;
    mp_err err;
    mp_buf buf = {0};
    CHECK(mp_buf_puts(&buf, text) == MP_OK);
    CHECK(mp_state_file_put(file, &buf, &err) && err == MP_OK);
    CHECK(mp_project_save(project, file, &wake) == MP_OK);
    mp_buf_free(&buf);
}

/* Returns when to come again. */
static int64_t write_all(mp_project *project) {
    mp_project_flush_saves(project);
    return mp_project_write_saves(project);
}

static void check_file(const char *path, const char *text) {
    mp_buf got = {0};
    CHECK(mp_file_read(MP_FILE_HERE, path, 100, &got) == 0);
    CHECK_TEXT(got.data, got.len, text);
    mp_buf_free(&got);
}

CASE(a_state_is_old_or_new_whatever_call_fails) {
    char home[] = "/tmp/mp_saves_XXXXXX", path[64], why[MP_MESSAGE];
    mp_file_calls faulty = mp_file_system;
    faulty.open = open_or_fail;
    faulty.write = write_or_fail;
    faulty.sync = sync_or_fail;
    faulty.rename = rename_or_fail;
    CHECK(mkdtemp(home) != NULL);
    snprintf(path, sizeof path, "%s/state", home);
    mp_project *project = open_project();
    mp_state_file *file = open_file(path);
    CHECK(mp_project_idle(project));
    bool all_went_well = false;
    for (int n = 0; !all_went_well && n < 50; n++) {
        mp_report report;
        save(project, file, OLD);
        CHECK(write_all(project) == INT64_MAX);
        check_file(path, OLD);
        save(project, file, NEWER);
        CHECK(!mp_project_idle(project));
        calls_left = n;
        mp_file_use(&faulty);
        int64_t due_ms = write_all(project);
        mp_file_use(&mp_file_system);
        all_went_well = calls_left >= 0;
        CHECK((due_ms == INT64_MAX) == all_went_well);
        CHECK(due_ms > mp_clock_mono_ms());
        bool reported = mp_project_take_report(project, &report);
        CHECK(reported == !all_went_well);
        if (reported) {
            CHECK(report.outcome == MP_REPORT_STATE && report.count == 0);
            CHECK(strstr(report.message, path) != NULL);
            CHECK(mp_project_await_save(project, file, 0, why) == MP_TIMEOUT);
            mp_report_free(&report);
        }
        CHECK(write_all(project) == INT64_MAX);
        check_file(path, NEWER);
        CHECK(mp_project_await_save(project, file, 0, why) == MP_OK);
        CHECK(mp_project_idle(project));
    }
    CHECK(all_went_well);
    mp_project_release(project);
    mp_state_file_close(file);
    CHECK(unlink(path) == 0 && rmdir(home) == 0);
}

int main(void) {
    RUN(a_change_waits_for_others_and_for_the_write_before);
    RUN(what_failed_is_tried_again_ever_more_slowly);
    RUN(files_wait_apart);
    RUN(a_state_is_old_or_new_whatever_call_fails);
    return unit_result();
}
