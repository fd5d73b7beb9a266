#include "core/config/config.h"
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
    mp_settings *settings = mp_settings_new(NULL);
    settings->ca_pem = strdup("old");
    settings->ca_len = 3;
    message[0] = '\0';
    mp_err err = mp_settings_ca_file(settings, path, message);
    if (err == MP_OK) {
        CHECK(settings->ca_len == len);
        CHECK(memcmp(settings->ca_pem, bytes, len) == 0);
    } else {
        CHECK(err == MP_INVALID && reported(path) && reported("ca_file"));
        CHECK_TEXT(settings->ca_pem, settings->ca_len, "old");
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
    memcpy(bytes + LARGE - sizeof mark, mark, sizeof mark);
    CHECK(ca_file(bytes, LARGE) == MP_OK);
    free(bytes);
}

CASE(what_is_no_file_is_refused) {
    static const char *const paths[] = {"/nonexistent/ca.pem", "/", "",
                                        "/dev/null"};
    mp_settings *settings = mp_settings_new(NULL);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        message[0] = '\0';
        CHECK(mp_settings_ca_file(settings, paths[i], message) == MP_INVALID);
        CHECK(reported(paths[i]) && reported("ca_file"));
        CHECK(!settings->ca_pem);
    }
    mp_settings_release(settings);
}

CASE(settings_start_from_the_defaults) {
    mp_settings *s = mp_settings_new(NULL);
    CHECK(s->gzip == 1 && !s->geolocate && !s->reject_invalid);
    CHECK(s->max_batch_size == 2000 && s->max_in_flight == 4);
    CHECK(s->max_queue_bytes == 64u * 1024 * 1024);
    CHECK(s->flush_interval_ms == 5000 && s->exit_timeout_ms == 2000);
    CHECK(s->connect_timeout_ms == 10000 && s->request_timeout_ms == 30000);
    CHECK(s->max_retry_delay_ms == 60000);
    CHECK(!s->proxy && !s->ca_pem && !s->ca_path);
    mp_settings_release(s);
    mp_settings_release(NULL);
}

CASE(a_copy_of_settings_owns_its_texts) {
    mp_settings *a = mp_settings_new(NULL);
    a->max_batch_size = 7;
    CHECK(mp_settings_text(&a->proxy, "http://proxy:3128") == MP_OK);
    CHECK(mp_settings_text(&a->debug, "/tmp/trace") == MP_OK);
    CHECK(mp_settings_text(&a->ca_pem, "pem") == MP_OK);
    a->ca_len = 3;
    mp_settings *b = mp_settings_new(a);
    CHECK(mp_settings_retain(a) == a);
    mp_settings_release(a);
    mp_settings_release(a);
    CHECK(b->max_batch_size == 7 && b->ca_len == 3);
    CHECK_TEXT(b->proxy, strlen(b->proxy), "http://proxy:3128");
    CHECK_TEXT(b->debug, strlen(b->debug), "/tmp/trace");
    CHECK_TEXT(b->ca_pem, b->ca_len, "pem");
    CHECK(mp_settings_text(&b->proxy, NULL) == MP_OK && !b->proxy);
    mp_settings_release(b);
}

int main(void) {
    RUN(a_ca_file_holds_certificates);
    RUN(a_file_without_certificates_is_refused);
    RUN(a_key_is_not_a_certificate);
    RUN(a_large_ca_file_is_read_whole);
    RUN(what_is_no_file_is_refused);
    RUN(settings_start_from_the_defaults);
    RUN(a_copy_of_settings_owns_its_texts);
    return unit_result();
}
