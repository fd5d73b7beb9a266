#include "core/user/user_text.h"
#include "unit.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static mp_err read_text(mp_user *user, const char *text, char why[MP_MESSAGE]) {
    *user = (mp_user){0};
    why[0] = '\0';
    return mp_user_read(user, text, strlen(text), why);
}

/* A text that is read becomes itself when it is written. */
static void check_round(const char *text) {
    mp_user user;
    char why[MP_MESSAGE];
    mp_buf out = {0};
    CHECK(read_text(&user, text, why) == MP_OK);
    CHECK(mp_user_write(&user, &out) == MP_OK);
    CHECK_TEXT(out.data, out.len, text);
    mp_buf_free(&out);
    mp_user_free(&user);
}

CASE(what_is_written_is_read_as_it_was) {
    check_round("{\"version\":1,\"distinct_id\":\"u\"}\n");
    check_round("{\"version\":1,\"consent\":\"given\",\"distinct_id\":\"a\","
                "\"device_id\":\"d\",\"user_id\":\"u\",\"alias\":\"u\","
                "\"had_distinct_id\":true,\"identified\":true,"
                "\"properties\":{\"a\":\"18446744073709551615\","
                "\"b \\\"q\\\"\":\"0.1\",\"c\":\"{\\\"x\\\\u0000\\\":[1]}\"},"
                "\"timers\":{\"E\":1795460000123},"
                "\"held\":[\"{\\\"$set\\\":{\\\"a\\\":1}}\","
                "\"{\\\"$ip\\\":\\\"1\\\",\\\"$add\\\":{\\\"n\\\":1}}\"]}\n");
}

CASE(pending_updates_know_if_they_are_idempotent) {
    mp_user user;
    char why[MP_MESSAGE];
    CHECK(read_text(&user,
                    "{\"version\":1,\"held\":["
                    "\"{\\\"$set\\\":{\\\"$add\\\":{\\\"$ip\\\":1}}}\","
                    "\"{\\\"$ip\\\":\\\"1\\\",\\\"$append\\\":{\\\"n\\\":1}}\","
                    "\"{\\\"$add\\\":{\\\"n\\\":1}}\"]}",
                    why) == MP_OK);
    const mp_pending_update *updates = user.pending.updates;
    CHECK(user.pending.count == 3);
    CHECK(updates[0].kind == MP_PLAIN && !updates[0].has_ip);
    CHECK(updates[1].kind == MP_NON_IDEMPOTENT && updates[1].has_ip);
    CHECK(updates[2].kind == MP_NON_IDEMPOTENT && !updates[2].has_ip);
    CHECK_TEXT(updates[2].body, updates[2].len, ",\"$add\":{\"n\":1}}");
    mp_user_free(&user);
}

CASE(what_is_no_state_says_why) {
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{\"version\":1} x",
        "{}",
        "{\"version\":\"1\"}",
        "{\"version\":1,\"version\":1}",
        "{\"version\":1,\"distinct_id\":\"\"}",
        "{\"version\":1,\"device_id\":1}",
        "{\"version\":1,\"alias\":\"anonymous\"}",
        "{\"version\":1,\"consent\":true}",
        "{\"version\":1,\"properties\":[]}",
        "{\"version\":1,\"properties\":{\"a\":1}}",
        "{\"version\":1,\"properties\":{\"a\":\"\"}}",
        "{\"version\":1,\"properties\":{\"a\":\"1 2\"}}",
        "{\"version\":1,\"properties\":{\"a\":\"1\\n\"}}",
        "{\"version\":1,\"timers\":[]}",
        "{\"version\":1,\"timers\":{\"a\":\"b\"}}",
        "{\"version\":1,\"timers\":{\"a\":1e300}}",
        "{\"version\":1,\"timers\":{\"a\":-1}}",
        "{\"version\":1,\"held\":{}}",
        "{\"version\":1,\"held\":[\"1\"]}",
        "{\"version\":1,\"held\":[\"{\"]}",
        "{\"version\":1,\"held\":[\"{}\"]}",
        "{\"version\":1,\"held\":[\"{\\\"$token\\\":\\\"t\\\"}\"]}",
        "{\"version\":1,\"held\":[\"{\\\"\\\\u0024set\\\":{}}\"]}",
        "{\"version\":1,\"held\":[\"{\\\"$set\\\":{\\\"\\\\u0000\\\":\"]}",
        "{\"version\":1,\"properties\":{\"a\":\"{\\\"\\\\u0000\\\":}[\"}}",
        "{\"version\":1,\"identified\":1}",
        "{\"version\":1,\"had_distinct_id\":\"\"}",
    };
    mp_user user;
    char why[MP_MESSAGE];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(read_text(&user, bad[i], why) == MP_INVALID);
        CHECK(why[0] != '\0');
        mp_user_free(&user);
    }
}

CASE(a_consent_is_read_whatever_the_rest_is) {
    mp_user user;
    char why[MP_MESSAGE];
    CHECK(read_text(&user, "{\"version\":2,\"consent\":\"refused\"}", why) ==
          MP_INVALID);
    CHECK(user.consent == MP_CONSENT_REFUSED);
    mp_user_free(&user);
    CHECK(read_text(&user,
                    "{\"version\":1,\"timers\":1,\"consent\":\"refused\"}",
                    why) == MP_INVALID);
    CHECK(user.consent == MP_CONSENT_REFUSED);
    mp_user_free(&user);
}

CASE(a_cut_refusal_is_still_one) {
    static const char whole[] = "{\"version\":1,\"consent\":\"refused\","
                                "\"distinct_id\":\"u\"}\n";
    const size_t enough = sizeof "{\"version\":1,\"consent\":\"r" - 1;
    mp_user user;
    char why[MP_MESSAGE];
    for (size_t len = enough; len < sizeof whole - 2; len++) {
        user = (mp_user){0};
        CHECK(mp_user_read(&user, whole, len, why) == MP_INVALID);
        CHECK(user.consent == MP_CONSENT_REFUSED);
        CHECK(mp_user_text_is_ours(whole, len));
        mp_user_free(&user);
    }
    CHECK(read_text(&user,
                    "{\"version\":1,\"properties\":{\"a\":"
                    "\"\\\"consent\\\":\\\"refused\\\"\"}",
                    why) == MP_INVALID);
    CHECK(user.consent == MP_CONSENT_UNKNOWN);
    mp_user_free(&user);
}

static bool is_refusal(const char *text) {
    return mp_user_text_refuses(text, strlen(text));
}

CASE(a_refusal_may_have_white_space) {
    CHECK(is_refusal("\"consent\":\"r"));
    CHECK(is_refusal("{\"version\": 1, \"consent\": \"refused\"}"));
    CHECK(is_refusal("\"consent\",\"consent\"\r\n\t : \n\"refused"));
    CHECK(!is_refusal("") && !is_refusal("\"consent\"") &&
          !is_refusal("\"consent\" : ") && !is_refusal("\"consent\" \"r") &&
          !is_refusal("\"consent\" : \"given\"") &&
          !is_refusal("\\\"consent\\\": \\\"refused"));
}

CASE(no_file_of_something_else_is_ours) {
    CHECK(mp_user_text_is_ours("", 0));
    CHECK(mp_user_text_is_ours("\0\0", 2));
    CHECK(!mp_user_text_is_ours("\0x", 2));
    CHECK(!mp_user_text_is_ours("[]", 2));
    CHECK(!mp_user_text_is_ours("{\"version", 9));
    CHECK(mp_user_text_is_ours("{\"version\":9", 12));
}

/* Whatever a cut or a changed byte makes of a state, reading it ends well. */
CASE(no_damage_does_harm) {
    static const char whole[] =
        "{\"version\":1,\"consent\":\"refused\",\"distinct_id\":\"u\","
        "\"properties\":{\"a\":\"[1,\\\"x\\\"]\"},\"timers\":{\"E\":5},"
        "\"held\":[\"{\\\"$set\\\":{\\\"a\\\":1}}\"]}";
    mp_user user;
    char text[sizeof whole], why[MP_MESSAGE];
    for (size_t i = 0; i < sizeof whole - 1; i++) {
        for (int c = -1; c < 256; c += c < 0 ? 1 : 3) {
            memcpy(text, whole, sizeof whole);
            size_t len = c < 0 ? i : sizeof whole - 1;
            if (c >= 0)
                text[i] = (char)c;
            user = (mp_user){0};
            mp_err err = mp_user_read(&user, text, len, why);
            CHECK(err == MP_OK || err == MP_INVALID);
            mp_user_free(&user);
        }
    }
}

CASE(who_opted_out_is_forgotten) {
    mp_user user = {.consent = MP_CONSENT_REFUSED, .forgetful = true};
    mp_buf out = {0};
    mp_ids_of_new_device(&user.ids);
    CHECK(mp_user_write(&user, &out) == MP_OK);
    CHECK_TEXT(out.data, out.len, "{\"version\":1,\"consent\":\"refused\"}\n");
    mp_buf_free(&out);
    mp_user_free(&user);
}

CASE(what_could_not_be_sent_is_no_state) {
    enum {
        ROOM = MP_RECORD_MAX + 100
    };
    char *text = malloc(ROOM), why[MP_MESSAGE];
    mp_user user;
    int n = snprintf(text, ROOM, "{\"version\":1,\"held\":[\"{\\\"");
    memset(text + n, 'x', MP_RECORD_MAX);
    strcpy(text + n + MP_RECORD_MAX, "\\\":1}\"]}");
    CHECK(read_text(&user, text, why) == MP_INVALID);
    mp_user_free(&user);
    n = snprintf(text, ROOM, "{\"version\":1,\"user_id\":\"");
    memset(text + n, 'x', 800);
    strcpy(text + n + 800, "\"}");
    CHECK(read_text(&user, text, why) == MP_INVALID);
    mp_user_free(&user);
    free(text);
}

CASE(no_more_is_pending_than_the_limits_allow) {
    mp_pending pending = {0};
    mp_pending_update update = {.body = ",\"$set\":{\"a\":1}}", .len = 16};
    for (int i = 0; i < MP_PENDING_MAX; i++)
        CHECK(mp_pending_add(&pending, &update) == MP_OK);
    CHECK(mp_pending_add(&pending, &update) == MP_QUEUE_FULL);
    CHECK(pending.count == MP_PENDING_MAX &&
          pending.bytes == 16 * MP_PENDING_MAX);
    mp_pending_clear(&pending);
    char *large = malloc(MP_PENDING_BYTES);
    memset(large, 'x', MP_PENDING_BYTES);
    update = (mp_pending_update){.body = large, .len = MP_PENDING_BYTES - 15};
    CHECK(mp_pending_add(&pending, &update) == MP_OK);
    update = (mp_pending_update){.body = ",\"$set\":{\"a\":1}}", .len = 16};
    CHECK(mp_pending_add(&pending, &update) == MP_QUEUE_FULL);
    CHECK(pending.count == 1);
    mp_pending_clear(&pending);
    free(large);
}

CASE(a_timer_counts_on_the_clock_that_was_running) {
    mp_timers timers = {0};
    mp_timer here = {1000, 50}, before = {1000, INT64_MIN};
    CHECK(mp_timers_start(&timers, "E", 1, &here) == MP_OK);
    CHECK(mp_timers_elapsed(&timers, "E", 1, 0, 80) == 30);
    CHECK(mp_timers_start(&timers, "E", 1, &before) == MP_OK);
    CHECK(mp_timers_elapsed(&timers, "E", 1, 1600, 0) == 600);
    CHECK(mp_timers_elapsed(&timers, "E", 1, 999, 0) == -1);
    CHECK(mp_timers_elapsed(&timers, "F", 1, 1600, 0) == -1);
    CHECK(mp_timers_stop(&timers, "E", 1) && !mp_timers_stop(&timers, "E", 1));
    mp_dict_clear(&timers.dict);
}

/* What is left of an update without the properties a and b. */
static const char *filtered(const char *body) {
    static char text[128];
    mp_dict names = {0};
    mp_buf out = {0};
    mp_pending_update update = {.body = body, .len = strlen(body)};
    CHECK(mp_dict_set(&names, "a", 1, NULL, 0) == MP_OK);
    CHECK(mp_dict_set(&names, "b", 1, NULL, 0) == MP_OK);
    CHECK(mp_pending_filter(&update, &names, &out) == MP_OK);
    snprintf(text, sizeof text, "%.*s", (int)out.len, out.data ? out.data : "");
    mp_buf_free(&out);
    mp_dict_clear(&names);
    return text;
}

CASE(what_is_excluded_is_left_out_of_pending_updates) {
    static const char *const cases[][2] = {
        {",\"$set\":{\"a\":1,\"c\":2,\"b\":3}}", ",\"$set\":{\"c\":2}}"},
        {",\"$set\":{\"c\":{\"a\":[1,{\"b\":\"}\"}]},\"a\":0}}",
         ",\"$set\":{\"c\":{\"a\":[1,{\"b\":\"}\"}]}}}"},
        {",\"$time\":1,\"$add\":{\"b\":{\"a\":1},\"a\":\",\"}}", ""},
        {",\"$set\":{}}", ",\"$set\":{}}"},
        {",\"$unset\":[\"a\"]}", ",\"$unset\":[\"a\"]}"},
        {",\"$ip\":\"a\",\"$union\":{\"\":[],\"b\":[]}}",
         ",\"$ip\":\"a\",\"$union\":{\"\":[]}}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK(strcmp(filtered(cases[i][0]), cases[i][1]) == 0);
}

int main(void) {
    RUN(what_is_written_is_read_as_it_was);
    RUN(pending_updates_know_if_they_are_idempotent);
    RUN(what_is_no_state_says_why);
    RUN(a_consent_is_read_whatever_the_rest_is);
    RUN(a_cut_refusal_is_still_one);
    RUN(a_refusal_may_have_white_space);
    RUN(no_file_of_something_else_is_ours);
    RUN(no_damage_does_harm);
    RUN(who_opted_out_is_forgotten);
    RUN(what_could_not_be_sent_is_no_state);
    RUN(what_is_excluded_is_left_out_of_pending_updates);
    RUN(no_more_is_pending_than_the_limits_allow);
    RUN(a_timer_counts_on_the_clock_that_was_running);
    return unit_result();
}
