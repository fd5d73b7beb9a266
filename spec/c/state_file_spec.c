#include "core/os/file.h"
#include "core/user/state_file.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define START   "{\"version\":1"
#define UNKNOWN START ",\"distinct_id\":\"u\"}\n"
#define GIVEN   START ",\"consent\":\"given\",\"distinct_id\":\"u\"}\n"
#define REFUSED START ",\"consent\":\"refused\"}\n"

static char home[32], path[64];

static void start(void) {
    strcpy(home, "/tmp/mp_state_XXXXXX");
    CHECK(mkdtemp(home) != NULL);
    snprintf(path, sizeof path, "%s/state", home);
}

static void end(void) {
    unlink(path);
    CHECK(rmdir(home) == 0);
}

static bool put(mp_state_file *file, const char *text) {
    mp_err err;
    mp_buf buf = {0};
    CHECK(mp_buf_puts(&buf, text) == MP_OK);
    bool holds = mp_state_file_put(file, &buf, &err);
    CHECK(err == MP_OK);
    mp_buf_free(&buf);
    return holds;
}

static void check_disk(const char *text) {
    mp_buf got = {0};
    CHECK(mp_file_read(MP_FILE_HERE, path, 100, &got) == 0);
    CHECK_TEXT(got.data, got.len, text);
    mp_buf_free(&got);
}

/* As another process does it. */
static void store(const char *text) {
    CHECK(mp_file_replace(MP_FILE_HERE, path, text, strlen(text)) == 0);
}

/* A refusal here is one that keeps nothing else. */
static void decide(mp_state_file *file, mp_consent consent) {
    const mp_user user = {.consent = consent,
                          .forgetful = consent == MP_CONSENT_REFUSED};
    mp_state_file_decide(file, &user);
}

CASE(one_file_has_one_entry_however_it_is_named) {
    char other[64], link[64];
    start();
    snprintf(link, sizeof link, "%s.link", home);
    snprintf(other, sizeof other, "%s.link/state", home);
    CHECK(symlink(home, link) == 0);
    mp_state_file *a = mp_state_file_open(path);
    mp_state_file *b = mp_state_file_open(other);
    CHECK(a != NULL && a == b);
    snprintf(other, sizeof other, "%s/other", home);
    mp_state_file *c = mp_state_file_open(other);
    CHECK(c != NULL && c != a);
    mp_state_file_close(a);
    mp_state_file_close(b);
    mp_state_file_close(c);
    CHECK(unlink(link) == 0);
    end();
}

CASE(a_text_whose_consent_holds_no_more_is_not_taken) {
    start();
    mp_state_file *file = mp_state_file_open(path);
    decide(file, MP_CONSENT_REFUSED);
    CHECK(!put(file, UNKNOWN) && put(file, REFUSED));
    decide(file, MP_CONSENT_GIVEN);
    CHECK(!put(file, REFUSED) && put(file, GIVEN));
    CHECK(mp_state_file_write(file) == 0);
    check_disk(GIVEN);
    mp_state_file_close(file);
    end();
}

CASE(what_is_not_written_is_known_to_who_comes_next) {
    mp_buf got = {0};
    start();
    mp_state_file *file = mp_state_file_open(path);
    decide(file, MP_CONSENT_REFUSED);
    CHECK(put(file, REFUSED));
    mp_state_file_close(file);
    file = mp_state_file_open(path);
    CHECK(mp_state_file_consent(file) == MP_CONSENT_REFUSED);
    CHECK(mp_state_file_read(file, 100, &got) == 0);
    CHECK_TEXT(got.data, got.len, REFUSED);
    CHECK(mp_state_file_write(file) == 0);
    mp_state_file_close(file);
    CHECK(unlink(path) == 0);
    file = mp_state_file_open(path); /* the disk has the last word again */
    CHECK(mp_state_file_consent(file) == MP_CONSENT_UNKNOWN);
    mp_state_file_close(file);
    mp_buf_free(&got);
    end();
}

CASE(a_stored_refusal_yields_to_who_knew_of_it) {
    mp_user seen = {.consent = MP_CONSENT_REFUSED};
    start();
    store(REFUSED);
    mp_state_file *file = mp_state_file_open(path);
    decide(file, MP_CONSENT_GIVEN);
    CHECK(put(file, GIVEN) && mp_state_file_write(file) == 0);
    check_disk(REFUSED);
    CHECK(mp_state_file_consent(file) == MP_CONSENT_REFUSED);
    mp_state_file_get(file, &seen);
    CHECK(seen.forgetful);
    decide(file, MP_CONSENT_UNKNOWN);
    mp_state_file_learn(file, &seen); /* is older */
    CHECK(mp_state_file_consent(file) == MP_CONSENT_UNKNOWN);
    CHECK(put(file, UNKNOWN) && mp_state_file_write(file) == 0);
    check_disk(UNKNOWN);
    store(REFUSED); /* that decision is written: it counts no more */
    CHECK(put(file, UNKNOWN) && mp_state_file_write(file) == 0);
    check_disk(REFUSED);
    mp_state_file_close(file);
    end();
}

static int failing_read;

static int64_t fail_to_read(int fd, void *bytes, size_t n) {
    (void)fd, (void)bytes, (void)n;
    errno = failing_read;
    return -1;
}

CASE(what_cannot_be_read_is_not_replaced) {
    char message[MP_MESSAGE];
    mp_buf got = {0};
    mp_file_calls faulty = mp_file_system;
    faulty.read = fail_to_read;
    failing_read = EIO;
    start();
    store(UNKNOWN);
    mp_state_file *file = mp_state_file_open(path);
    CHECK(put(file, GIVEN));
    mp_file_use(&faulty);
    int err = mp_state_file_write(file);
    mp_file_use(&mp_file_system);
    CHECK(err == EIO);
    check_disk(UNKNOWN);
    store("function love.load() end");
    CHECK(mp_state_file_write(file) == EEXIST);
    check_disk("function love.load() end");
    mp_state_file_describe(file, "write", EEXIST, message);
    CHECK(strstr(message, "is a file of something else") != NULL);
    store(UNKNOWN);
    CHECK(mp_state_file_write(file) == 0);
    check_disk(GIVEN);
    mp_file_use(&faulty);
    err = mp_state_file_read(file, 100, &got);
    mp_file_use(&mp_file_system);
    CHECK(err == EIO && got.len == 0);
    mp_buf_free(&got);
    mp_state_file_close(file);
    end();
}

CASE(a_write_waits_for_the_lock_of_the_folder) {
    int fd;
    char message[MP_MESSAGE];
    start();
    mp_state_file *file = mp_state_file_open(path);
    CHECK(put(file, UNKNOWN));
    CHECK(mp_file_lock_dir(MP_FILE_HERE, home, &fd) == 0);
    CHECK(mp_state_file_write(file) == EWOULDBLOCK);
    mp_state_file_describe(file, "write", EWOULDBLOCK, message);
    CHECK(strstr(message, "keeps its folder locked") != NULL);
    mp_file_unlock_dir(fd);
    CHECK(mp_state_file_write(file) == 0);
    check_disk(UNKNOWN);
    mp_state_file_close(file);
    end();
}

int main(void) {
    RUN(one_file_has_one_entry_however_it_is_named);
    RUN(a_text_whose_consent_holds_no_more_is_not_taken);
    RUN(what_is_not_written_is_known_to_who_comes_next);
    RUN(a_stored_refusal_yields_to_who_knew_of_it);
    RUN(what_cannot_be_read_is_not_replaced);
    RUN(a_write_waits_for_the_lock_of_the_folder);
    return unit_result();
}
