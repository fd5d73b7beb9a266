#include "core/config/overrides.h"
#include "unit.h"

#include <stdlib.h>
#include <unistd.h>

static char message[MP_MESSAGE];

/* True if a message was left, whole, that shows `value`. */
static bool reported(const char *value) {
    return memchr(message, '\0', sizeof message) && message[0] != '\0' &&
           strstr(message, value);
}

/* Reads a file with these bytes as ca_file into settings that hold "old". */
static mp_err ca_file(const char *bytes, size_t len) {
    char path[] = "/tmp/config_spec.XXXXXX";
    int file = mkstemp(path);
    CHECK(file >= 0 && write(file, bytes, len) == (ssize_t)len);
    close(file);
    mp_settings *settings = mp_settings_new(MP_IN_MEMORY);
    const mp_setting *setting = mp_setting_find("ca_file");
    CHECK(mp_settings_text(settings, setting, "old") == MP_OK);
    message[0] = '\0';
    mp_err err = mp_settings_pem(settings, setting, path, message);
    if (err == MP_OK) {
        CHECK(strlen(settings->ca_file) == len);
        CHECK(memcmp(settings->ca_file, bytes, len) == 0);
    } else {
        CHECK(err == MP_INVALID && reported(path) && reported("ca_file"));
        CHECK_TEXT(settings->ca_file, strlen(settings->ca_file), "old");
    }
    mp_settings_release(settings);
    unlink(path);
    return err;
}

static mp_err ca_text(const char *text) {
    return ca_file(text, strlen(text));
}

CASE(a_ca_file_holds_certificates) {
    CHECK(ca_text("-----BEGIN CERTIFICATE-----\nAA==\n"
                  "-----END CERTIFICATE-----\n") == MP_OK);
    CHECK(ca_text("# A bundle\nSubject: x\n-----BEGIN CERTIFICATE-----\nAA==\n"
                  "-----END CERTIFICATE-----\n") == MP_OK);
    CHECK(ca_text("-----BEGIN TRUSTED CERTIFICATE-----\nAA==\n"
                  "-----END TRUSTED CERTIFICATE-----\n") == MP_OK);
}

CASE(a_file_without_certificates_is_refused) {
    CHECK(ca_text("") == MP_INVALID);
    CHECK(ca_text("hello") == MP_INVALID);
    CHECK(ca_text("\x30\x82\x03\x45") == MP_INVALID);
}

CASE(a_key_is_not_a_certificate) {
    CHECK(ca_text("-----BEGIN PRIVATE KEY-----\nAA==\n"
                  "-----END PRIVATE KEY-----\n") == MP_INVALID);
}

CASE(a_large_ca_file_is_read_whole) {
    enum {
        LARGE = 300000
    };
    static const char mark[] = "-----BEGIN CERTIFICATE-----\n";
    char *bytes = malloc(LARGE);
    memset(bytes, '#', LARGE);
    memcpy(bytes + LARGE - sizeof mark + 1, mark, sizeof mark - 1);
    CHECK(ca_file(bytes, LARGE) == MP_OK);
    free(bytes);
}

CASE(what_is_no_file_is_refused) {
    static const char *const paths[] = {"/nonexistent/ca.pem", "/", "",
                                        "/dev/null"};
    mp_settings *settings = mp_settings_new(MP_IN_MEMORY);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        message[0] = '\0';
        CHECK(mp_settings_pem(settings, mp_setting_find("ca_file"), paths[i],
                              message) == MP_INVALID);
        CHECK(reported(paths[i]) && reported("ca_file"));
        CHECK(!settings->ca_file);
    }
    mp_settings_release(settings);
}

CASE(settings_start_from_the_defaults) {
    mp_settings *s = mp_settings_new(MP_IN_MEMORY);
    CHECK(s->gzip == 1 && !s->geolocate && !s->reject_invalid);
    CHECK(s->max_batch_size == 2000 && s->max_in_flight == 4);
    CHECK(s->max_queue_bytes == 64u * 1024 * 1024);
    CHECK(s->flush_interval_ms == 5000 && s->exit_timeout_ms == 2000);
    CHECK(s->connect_timeout_ms == 10000 && s->request_timeout_ms == 30000);
    CHECK(s->max_retry_delay_ms == 60000);
    CHECK(!s->proxy && !s->ca_file && !s->ca_path);
    mp_settings_release(s);
    mp_settings_release(NULL);
}

CASE(with_a_spool_records_age) {
    mp_settings *s = mp_settings_new(MP_SPOOLED);
    CHECK(s->max_age_ms == INT64_C(30) * 24 * 3600 * 1000);
    mp_settings_release(s);
}

/* ---- the table ---- */

CASE(every_default_is_within_its_limits) {
    for (size_t i = 0; i < MP_SETTINGS; i++) {
        const mp_setting *s = &mp_setting_table[i];
        CHECK(mp_setting_find(s->name) == s);
        CHECK(s->expected && s->expected[0]);
        if (s->max > 0 && !(s->flags & MP_SETTING_OR_FALSE))
            CHECK(s->initial >= s->min && s->initial <= s->max);
    }
    CHECK(!mp_setting_find("gzip "));
}

CASE(every_setting_is_copied_and_nothing_else) {
    for (size_t i = 0; i < MP_SETTINGS; i++) {
        const mp_setting *s = &mp_setting_table[i];
        mp_settings *from = mp_settings_new(MP_IN_MEMORY);
        mp_settings *to = mp_settings_new(MP_IN_MEMORY);
        mp_settings_number(from, s, 3);
        bool text = s->kind == MP_SETTING_PATH || s->kind == MP_SETTING_URL ||
                    s->kind == MP_SETTING_PEM;
        if (text)
            CHECK(mp_settings_text(from, s, "x") == MP_OK);
        CHECK(mp_settings_copy(to, from, s) == MP_OK);
        if (text)
            mp_settings_text(from, s, NULL);
        else
            CHECK(memcmp(from, to, sizeof *from) == 0);
        mp_settings_release(from);
        mp_settings_release(to);
    }
}

CASE(a_copy_owns_its_text) {
    const mp_setting *proxy = mp_setting_find("proxy");
    mp_settings *a = mp_settings_new(MP_IN_MEMORY),
                *b = mp_settings_new(MP_IN_MEMORY);
    CHECK(mp_settings_text(a, proxy, "http://proxy:3128") == MP_OK);
    CHECK(mp_settings_copy(b, a, proxy) == MP_OK);
    CHECK(mp_settings_retain(a) == a);
    mp_settings_release(a);
    mp_settings_release(a);
    CHECK_TEXT(b->proxy, strlen(b->proxy), "http://proxy:3128");
    CHECK(mp_settings_text(b, proxy, NULL) == MP_OK && !b->proxy);
    mp_settings_release(b);
}

/* ---- several clients ---- */

/* A client that says gzip and flush_interval; 0: it does not. */
static mp_overrides *client(int gzip, int64_t flush_ms, uint64_t now) {
    mp_overrides *o = mp_overrides_new();
    o->values->gzip = gzip;
    o->values->flush_interval_ms = flush_ms;
    if (gzip > 0)
        mp_overrides_say(o, mp_setting_find("gzip"));
    if (flush_ms > 0)
        mp_overrides_say(o, mp_setting_find("flush_interval"));
    mp_overrides_stamp(o, now);
    return o;
}

/* spool_total_bytes where a client says so much of it and of spool_max_bytes;
 * 0: nothing. */
static uint64_t total_of(uint64_t total, uint64_t most) {
    mp_overrides *o = client(1, 0, 1);
    o->values->spool_total_bytes = total;
    o->values->spool_max_bytes = most;
    if (total > 0)
        mp_overrides_say(o, mp_setting_find("spool_total_bytes"));
    if (most > 0)
        mp_overrides_say(o, mp_setting_find("spool_max_bytes"));
    mp_settings *s = mp_overrides_in_force(o, MP_SPOOLED);
    uint64_t in_force = s->spool_total_bytes;
    mp_settings_release(s);
    mp_overrides_free(o);
    return in_force;
}

CASE(the_total_of_a_spool_follows_what_one_process_may_have) {
    static const uint64_t mib = 1024 * 1024;
    mp_settings *s = mp_settings_new(MP_SPOOLED);
    CHECK(s->spool_total_bytes == 4 * s->spool_max_bytes);
    mp_settings_release(s);
    CHECK(total_of(0, 0) == 1024 * mib && total_of(0, 5 * mib) == 20 * mib);
    CHECK(total_of(0, mib * mib) == 4 * mib * mib);
    CHECK(total_of(6 * mib, 5 * mib) == 6 * mib);
    CHECK(total_of(5 * mib, 5 * mib) == 5 * mib);
    CHECK(total_of(4 * mib, 5 * mib) == 5 * mib); /* said by two clients */
    CHECK(total_of(4 * mib, 0) == 256 * mib);
}

static void check_in_force(const mp_overrides *list, int gzip,
                           int64_t flush_ms) {
    mp_settings *s = mp_overrides_in_force(list, MP_IN_MEMORY);
    CHECK(s->gzip == gzip && s->flush_interval_ms == flush_ms);
    mp_settings_release(s);
}

CASE(what_was_said_last_is_in_force) {
    mp_overrides *a = client(6, 1000, 1), *b = client(0, 2000, 2);
    check_in_force(NULL, 1, 5000);
    a->next = b;
    check_in_force(a, 6, 2000);
    check_in_force(b, 1, 2000);
    b->next = a;
    a->next = NULL;
    check_in_force(b, 6, 2000);
    mp_overrides *more = client(9, 500, 1);
    CHECK(mp_overrides_merge(a, more, 3) == MP_OK);
    check_in_force(b, 9, 500);
    mp_overrides_free(more);
    mp_overrides_free(a);
    mp_overrides_free(b);
    mp_overrides_free(NULL);
}

int main(void) {
    RUN(a_ca_file_holds_certificates);
    RUN(a_file_without_certificates_is_refused);
    RUN(a_key_is_not_a_certificate);
    RUN(a_large_ca_file_is_read_whole);
    RUN(what_is_no_file_is_refused);
    RUN(settings_start_from_the_defaults);
    RUN(with_a_spool_records_age);
    RUN(the_total_of_a_spool_follows_what_one_process_may_have);
    RUN(every_default_is_within_its_limits);
    RUN(every_setting_is_copied_and_nothing_else);
    RUN(a_copy_owns_its_text);
    RUN(what_was_said_last_is_in_force);
    return unit_result();
}
