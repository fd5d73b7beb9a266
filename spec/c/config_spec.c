#include "core/config/config.h"
#include "unit.h"

static char message[MP_MESSAGE];

/* True if a message was left, whole, that shows `value`. */
static bool reported(const char *value) {
    return memchr(message, '\0', sizeof message) && message[0] != '\0' &&
           strstr(message, value);
}

static mp_err token(const char *text, size_t len) {
    mp_config config = {0};
    message[0] = '\0';
    mp_err err = mp_config_token(&config, text, len, message);
    CHECK((config.token != NULL) == (err == MP_OK));
    if (err == MP_OK)
        CHECK_TEXT(config.token, strlen(config.token), text);
    else
        CHECK(reported("token"));
    mp_config_free(&config);
    return err;
}

CASE(tokens_are_plain_words) {
    CHECK(token("0123456789abcdef0123456789abcdef", 32) == MP_OK);
    CHECK(token("projecttoken", 12) == MP_OK);
    CHECK(token("a", 1) == MP_OK);
}

CASE(a_token_that_would_break_out_is_refused) {
    static const char *const wrong[] = {
        "",     " a",  "a ",   "a b",      "a\n", "a\tb", "a\"b",
        "a\\b", "a:b", "\x7f", "\xc3\xa9", "a\r", "\x01"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK(token(wrong[i], strlen(wrong[i])) == MP_INVALID);
    CHECK(token("a\0b", 3) == MP_INVALID);
}

CASE(a_refused_token_leaves_the_old_one) {
    mp_config config = {0};
    CHECK(mp_config_token(&config, "old", 3, message) == MP_OK);
    CHECK(mp_config_token(&config, "a b", 3, message) == MP_INVALID);
    CHECK_TEXT(config.token, strlen(config.token), "old");
    CHECK(mp_config_token(&config, "new", 3, message) == MP_OK);
    CHECK_TEXT(config.token, strlen(config.token), "new");
    mp_config_free(&config);
}

static void check_residency(const char *residency, const char *url) {
    mp_config config = {0};
    CHECK(mp_config_residency(&config, residency, message) == MP_OK);
    CHECK(config.base_url != NULL);
    CHECK_TEXT(config.base_url, strlen(config.base_url), url);
    mp_config_free(&config);
}

CASE(residency_chooses_the_host) {
    check_residency("us", "https://api.mixpanel.com");
    check_residency("eu", "https://api-eu.mixpanel.com");
    check_residency("in", "https://api-in.mixpanel.com");
}

CASE(other_residencies_are_refused) {
    static const char *const wrong[] = {"US", "", "de", "us ", "eu.evil.com"};
    mp_config config = {0};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        message[0] = '\0';
        CHECK(mp_config_residency(&config, wrong[i], message) == MP_INVALID);
        CHECK(reported(wrong[i]) && reported("residency"));
        CHECK(!config.base_url);
    }
    mp_config_free(&config);
}

/* The base URL that is made of `url`, NULL when it is refused. */
static const char *host(const char *url, bool allow_http) {
    static char made[512];
    mp_config config = {0};
    message[0] = '\0';
    mp_err err = mp_config_host(&config, url, allow_http, message);
    CHECK((config.base_url != NULL) == (err == MP_OK));
    if (config.base_url)
        strcpy(made, config.base_url);
    else
        CHECK(err == MP_INVALID && reported("api_host"));
    mp_config_free(&config);
    return err == MP_OK ? made : NULL;
}

static void check_host(const char *url, const char *expected) {
    const char *made = host(url, false);
    CHECK(made != NULL);
    if (made)
        CHECK_TEXT(made, strlen(made), expected);
    else
        fprintf(stderr, "refused: %s\n", url);
}

static void check_refused(const char *url, bool allow_http) {
    const char *made = host(url, allow_http);
    CHECK(made == NULL);
    if (made)
        fprintf(stderr, "taken: %s\n", made);
}

CASE(https_hosts_are_taken) {
    check_host("https://example.com", "https://example.com");
    check_host("https://example.com:8443", "https://example.com:8443");
    check_host("https://example.com/a/b", "https://example.com/a/b");
    check_host("HTTPS://Example.com", "HTTPS://Example.com");
    check_host("https://[2001:db8::1]:8443/mp",
               "https://[2001:db8::1]:8443/mp");
    check_host("https://192.0.2.1", "https://192.0.2.1");
}

CASE(slashes_at_the_end_are_cut) {
    check_host("https://example.com/", "https://example.com");
    check_host("https://example.com///", "https://example.com");
    check_host("https://example.com/mp//", "https://example.com/mp");
    check_host("http://[::1]/", "http://[::1]");
}

CASE(other_schemes_are_refused) {
    static const char *const wrong[] = {
        "example.com",          "//example.com",
        "ftp://example.com",    "https:/example.com",
        "https:example.com",    "file:///etc/passwd",
        " https://example.com", ""};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        check_refused(wrong[i], true);
        CHECK(reported(wrong[i]));
    }
}

CASE(a_url_without_a_host_is_refused) {
    static const char *const wrong[] = {"https://", "https:///", "https://:80",
                                        "https:///path", "http://"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_refused(wrong[i], true);
}

CASE(only_host_port_and_path_are_taken) {
    static const char *const wrong[] = {
        "https://example.com?x=1",     "https://example.com/?x=1",
        "https://example.com#x",       "https://example.com/a b",
        "https://example.com/\n",      "https://example.com\\@evil.com",
        "https://example.com/\"",      "https://ex\xc3\xa4mple.com",
        "https://user@example.com",    "https://user:pass@example.com",
        "https://example.com/\x7f",    "https://example.com\r\nX: y",
        "http://127.0.0.1:80@evil.com"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_refused(wrong[i], true);
}

CASE(brackets_must_hold_an_address_to_their_end) {
    static const char *const wrong[] = {"https://[", "https://[::1",
                                        "https://[/path", "https://[]",
                                        "https://[::1]evil.com"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_refused(wrong[i], true);
}

CASE(loopback_needs_no_https) {
    static const char *const right[] = {
        "http://localhost",      "http://localhost:8080", "http://LocalHost/mp",
        "http://127.0.0.1",      "http://127.0.0.1:8080", "http://127.8.9.10/a",
        "http://[::1]",          "http://[::1]:8080",     "http://[::1]/mp",
        "HTTP://localhost:8080", "http://127.0.0.1:1/a"};
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        check_host(right[i], right[i]);
}

CASE(what_only_looks_like_loopback_needs_it) {
    static const char *const wrong[] = {"http://example.com",
                                        "http://127.0.0.1.evil.com",
                                        "http://localhost.evil.com",
                                        "http://localhostevil.com",
                                        "http://evil.com/localhost",
                                        "http://127.evil.com",
                                        "http://evil.com:127.0.0.1",
                                        "http://128.0.0.1",
                                        "http://0.0.0.0",
                                        "http://10.0.0.1",
                                        "http://[::2]",
                                        "http://[::1]evil.com",
                                        "http://[::1].evil.com",
                                        "http://[::1",
                                        "http://1127.0.0.1",
                                        "http://127",
                                        "http://evil.com#@localhost/",
                                        "http://evil.com?localhost"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_refused(wrong[i], false);
}

CASE(five_numbers_are_a_name_not_an_address) {
    check_refused("http://127.0.0.1.5", false);
    check_refused("http://127.0.0.1000", false);
    check_refused("http://127..1", false);
}

CASE(allow_http_allows_http) {
    CHECK(host("http://example.com", true) != NULL);
    CHECK(host("http://10.0.0.1:8080/mp", true) != NULL);
    check_refused("http://example.com", false);
    CHECK(reported("allow_http") && reported("http://example.com"));
}

CASE(a_refused_host_leaves_the_old_one) {
    mp_config config = {0};
    CHECK(mp_config_residency(&config, "eu", message) == MP_OK);
    CHECK(mp_config_host(&config, "http://evil.com", false, message) ==
          MP_INVALID);
    CHECK_TEXT(config.base_url, strlen(config.base_url),
               "https://api-eu.mixpanel.com");
    mp_config_free(&config);
}

CASE(messages_never_show_a_password) {
    CHECK(!host("https://user:hunter2@example.com", false));
    CHECK(!reported("hunter2"));
    CHECK(!host("http://user:hunter2@example.com", false));
    CHECK(!reported("hunter2"));
    CHECK(!host("ftp://user:hunter2@example.com", false));
    CHECK(!reported("hunter2"));
}

CASE(long_values_are_cut_in_messages) {
    static char url[4096];
    memset(url, 'x', sizeof url - 1);
    CHECK(!host(url, false));
    CHECK(strlen(message) < MP_MESSAGE - 1);
    mp_config config = {0};
    CHECK(mp_config_residency(&config, url, message) == MP_INVALID);
    CHECK(strlen(message) < MP_MESSAGE - 1);
    mp_config_free(&config);
}

static mp_err account(const char *username, const char *secret,
                      const char *project_id) {
    mp_config config = {0};
    message[0] = '\0';
    mp_err err =
        mp_config_account(&config, username, secret, project_id, message);
    if (err == MP_OK) {
        CHECK(strcmp(config.username, username) == 0);
        CHECK(strcmp(config.secret, secret) == 0);
        CHECK(strcmp(config.project_id, project_id) == 0);
    } else {
        CHECK(!config.username && !config.secret && !config.project_id);
        CHECK(reported("service_account"));
        CHECK(*secret == '\0' || !reported(secret));
    }
    mp_config_free(&config);
    return err;
}

CASE(a_service_account_is_complete) {
    CHECK(account("user.b1c2.mp-service-account", "S3cr3t:x", "12") == MP_OK);
    CHECK(account("", "hunter2", "12") == MP_INVALID);
    CHECK(account("a:b", "hunter2", "12") == MP_INVALID);
    CHECK(account("user", "", "12") == MP_INVALID);
    CHECK(account("user", "hunter2", "") == MP_INVALID);
    CHECK(account("user", "hunter2", "12a") == MP_INVALID);
    CHECK(account("user", "hunter2", "-1") == MP_INVALID);
    CHECK(account("user", "hunter2", "1&ip=1") == MP_INVALID);
}

static mp_err finish(const char *url, const char *secret) {
    mp_config config = {0};
    message[0] = '\0';
    CHECK(!url || mp_config_host(&config, url, true, message) == MP_OK);
    CHECK(!secret ||
          mp_config_account(&config, "user", secret, "1", message) == MP_OK);
    mp_err err = mp_config_finish(&config, message);
    CHECK(config.base_url != NULL);
    CHECK(err != MP_OK || config.name != NULL);
    CHECK(!secret || !reported(secret));
    mp_config_free(&config);
    return err;
}

CASE(a_secret_never_goes_over_plain_http) {
    CHECK(finish("http://example.com", "hunter2") == MP_INVALID);
    CHECK(reported("service_account"));
    CHECK(finish("http://localhost:8080", "hunter2") == MP_INVALID);
    CHECK(finish("http://127.0.0.1", "hunter2") == MP_INVALID);
    CHECK(finish("http://[::1]", "hunter2") == MP_INVALID);
    CHECK(finish("HTTP://[::1]", "hunter2") == MP_INVALID);
    CHECK(finish("https://example.com", "hunter2") == MP_OK);
    CHECK(finish("HTTPS://example.com", "hunter2") == MP_OK);
    CHECK(finish(NULL, "hunter2") == MP_OK);
    CHECK(finish("http://example.com", NULL) == MP_OK);
}

CASE(the_us_is_the_default) {
    mp_config config = {0};
    CHECK(mp_config_finish(&config, message) == MP_OK);
    CHECK_TEXT(config.base_url, strlen(config.base_url),
               "https://api.mixpanel.com");
    CHECK_TEXT(config.name, strlen(config.name), "");
    mp_config_free(&config);
}

static mp_config a_config(void) {
    mp_config config = {0};
    CHECK(mp_config_token(&config, "token", 5, message) == MP_OK);
    CHECK(mp_config_finish(&config, message) == MP_OK);
    return config;
}

CASE(every_part_of_the_key_tells_projects_apart) {
    mp_config a = a_config();
    for (int i = 0; i < 6; i++) {
        mp_config b = a_config();
        CHECK(mp_config_same(&a, &b) && mp_config_same(&b, &a));
        if (i == 0)
            CHECK(mp_config_token(&b, "other", 5, message) == MP_OK);
        else if (i == 1)
            CHECK(mp_config_residency(&b, "eu", message) == MP_OK);
        else if (i == 2)
            CHECK(mp_config_name(&b, "second") == MP_OK);
        else if (i == 3)
            b.events_via_import = true;
        else if (i == 4)
            CHECK(mp_config_account(&b, "u", "s", "1", message) == MP_OK);
        else
            b.secret = strdup("s");
        CHECK(!mp_config_same(&a, &b) && !mp_config_same(&b, &a));
        mp_config_free(&b);
    }
    mp_config_free(&a);
}

int main(void) {
    RUN(tokens_are_plain_words);
    RUN(a_token_that_would_break_out_is_refused);
    RUN(a_refused_token_leaves_the_old_one);
    RUN(residency_chooses_the_host);
    RUN(other_residencies_are_refused);
    RUN(https_hosts_are_taken);
    RUN(slashes_at_the_end_are_cut);
    RUN(other_schemes_are_refused);
    RUN(a_url_without_a_host_is_refused);
    RUN(only_host_port_and_path_are_taken);
    RUN(brackets_must_hold_an_address_to_their_end);
    RUN(loopback_needs_no_https);
    RUN(what_only_looks_like_loopback_needs_it);
    RUN(five_numbers_are_a_name_not_an_address);
    RUN(allow_http_allows_http);
    RUN(a_refused_host_leaves_the_old_one);
    RUN(messages_never_show_a_password);
    RUN(long_values_are_cut_in_messages);
    RUN(a_service_account_is_complete);
    RUN(a_secret_never_goes_over_plain_http);
    RUN(the_us_is_the_default);
    RUN(every_part_of_the_key_tells_projects_apart);
    return unit_result();
}
