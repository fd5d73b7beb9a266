#include "response_helper.h"

CASE(other_statuses) {
    static const struct {
        int status;
        mp_result result;
    } rows[] = {
        {201, MP_RESULT_UNREADABLE},   {202, MP_RESULT_UNREADABLE},
        {204, MP_RESULT_UNREADABLE},   {301, MP_RESULT_UNAUTHORIZED},
        {302, MP_RESULT_UNAUTHORIZED}, {307, MP_RESULT_UNAUTHORIZED},
        {401, MP_RESULT_UNAUTHORIZED}, {402, MP_RESULT_FOREIGN},
        {403, MP_RESULT_FORBIDDEN},    {404, MP_RESULT_FORBIDDEN},
        {405, MP_RESULT_FOREIGN},      {408, MP_RESULT_BUSY},
        {410, MP_RESULT_FOREIGN},      {413, MP_RESULT_TOO_LARGE},
        {422, MP_RESULT_FOREIGN},      {429, MP_RESULT_BUSY},
        {451, MP_RESULT_FOREIGN},      {499, MP_RESULT_FOREIGN},
        {500, MP_RESULT_SERVER_ERROR}, {502, MP_RESULT_SERVER_ERROR},
        {504, MP_RESULT_SERVER_ERROR}, {599, MP_RESULT_SERVER_ERROR},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK(result_of(rows[i].status, "") == rows[i].result);
        mp_result said = rows[i].result == MP_RESULT_FOREIGN
                             ? MP_RESULT_REJECTED
                             : rows[i].result;
        CHECK(result_of(rows[i].status, "{\"error\":null,\"status\":1}") ==
              said);
    }
}

CASE(no_reply_may_have_been_received_or_not) {
    for (int sent = 0; sent < 2; sent++) {
        mp_reply reply = {.sent = sent, .failure = "connection refused"};
        mp_response response;
        CHECK(mp_response_read(&response, &reply, &mp_endpoints[MP_LANE_IMPORT],
                               5) == MP_OK);
        CHECK(response.result == (sent ? MP_RESULT_LOST : MP_RESULT_NOTHING));
        CHECK(response.status == 0);
        CHECK_TEXT(response.text, strlen(response.text), "connection refused");
        mp_response_free(&response);
    }
}

CASE(a_long_failure_is_cut) {
    mp_reply reply = {.sent = true};
    memset(reply.failure, 'x', sizeof reply.failure - 1);
    mp_response response;
    CHECK(mp_response_read(&response, &reply, &mp_endpoints[MP_LANE_IMPORT],
                           5) == MP_OK);
    check_response(&response, 5);
    mp_response_free(&response);
}

CASE(yes_without_verbose) {
    CHECK(result_of(200, "1") == MP_RESULT_DELIVERED);
    CHECK(result_of(200, "1\n") == MP_RESULT_DELIVERED);
    CHECK(result_of(200, " \r\n1 ") == MP_RESULT_DELIVERED);
    CHECK(result_of(200, "true") == MP_RESULT_DELIVERED);
}

CASE(no_without_verbose) {
    CHECK(result_of(200, "0") == MP_RESULT_REFUSED);
    CHECK(result_of(200, "0\n") == MP_RESULT_REFUSED);
    CHECK(result_of(200, "false") == MP_RESULT_REFUSED);
}

CASE(status_as_number_or_bool_or_text) {
    CHECK(result_of(200, "{\"status\":1}") == MP_RESULT_DELIVERED);
    CHECK(result_of(200, "{\"status\":true}") == MP_RESULT_DELIVERED);
    CHECK(result_of(200, "{\"status\":\"OK\"}") == MP_RESULT_DELIVERED);
    CHECK(result_of(200, "{\"status\":0}") == MP_RESULT_REFUSED);
    CHECK(result_of(200, "{\"status\":false}") == MP_RESULT_REFUSED);
    CHECK(result_of(200, "{\"status\":\"error\"}") == MP_RESULT_REFUSED);
    CHECK(result_of(200, "{\"code\":200}") == MP_RESULT_DELIVERED);
    CHECK(result_of(200, "{\"code\":200,\"status\":0}") == MP_RESULT_REFUSED);
    CHECK(result_of(200, "{\"code\":200,\"status\":false}") ==
          MP_RESULT_REFUSED);
}

CASE(an_error_outweighs_a_good_status) {
    CHECK(result_of(200, "{\"error\":\"oops\",\"status\":1}") ==
          MP_RESULT_REFUSED);
    CHECK(result_of(200, "{\"error\":\"oops\",\"code\":200}") ==
          MP_RESULT_REFUSED);
    CHECK(result_of(200, "{\"error\":\"\",\"status\":1}") ==
          MP_RESULT_DELIVERED);
    CHECK(result_of(200, "{\"error\":null,\"status\":1}") ==
          MP_RESULT_DELIVERED);
    CHECK(result_of(200, "{\"error\":\"\",\"status\":0}") == MP_RESULT_REFUSED);
}

CASE(a_200_that_says_neither_is_unreadable) {
    static const char *const bodies[] = {
        "",
        " ",
        "2",
        "-1",
        "10",
        "01",
        "1 1",
        "null",
        "[]",
        "[1]",
        "{}",
        "{\"code\":500}",
        "{\"status\":null}",
        "{\"error\":null}",
        "OK",
        "<html><body>Sign in to the hotel's network</body></html>",
        "{\"status\":1",
        "{\"status\":1}}",
        "{\"status\":1,\"error\":\"\xff\xfe\"}",
        "{\"num_records_imported\":10}"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        CHECK(result_of(200, bodies[i]) == MP_RESULT_UNREADABLE);
        if (result_of(200, bodies[i]) != MP_RESULT_UNREADABLE)
            fprintf(stderr, "body: %s\n", bodies[i]);
    }
}

static uint32_t missing(int status, const char *body, uint32_t count) {
    mp_response response = read_text(status, body, count);
    mp_response_free(&response);
    return response.missing;
}

CASE(fewer_imported_than_sent_are_missing) {
    static const char ok[] = "{\"code\":200,\"num_records_imported\":7}";
    CHECK(result_of(200, ok) == MP_RESULT_DELIVERED);
    CHECK(missing(200, ok, 10) == 3);
    CHECK(missing(200, ok, 7) == 0);
    CHECK(missing(200, ok, 5) == 0);
    CHECK(missing(200, "{\"code\":200}", 10) == 0);
    CHECK(missing(200, "{\"code\":200,\"num_records_imported\":0}", 10) == 10);
    CHECK(missing(200, "{\"code\":200,\"num_records_imported\":-1}", 10) == 0);
    CHECK(missing(200, "{\"code\":200,\"num_records_imported\":\"7\"}", 10) ==
          0);
    CHECK(missing(200, "{\"code\":200,\"num_records_imported\":4294967296}",
                  10) == 0);
}

CASE(the_refused_do_not_count_as_missing) {
    static const char body[] =
        "{\"failed_records\":[{\"index\":1}],\"num_records_imported\":8}";
    CHECK(missing(400, body, 9) == 0);
    CHECK(missing(400, body, 10) == 1);
}

CASE(a_failed_record_has_field_and_message) {
    mp_response response = read_text(
        400,
        "{\"failed_records\":[{\"index\":2,\"$insert_id\":\"a\",\"field\":"
        "\"properties.time\",\"message\":\"is invalid\"},{\"index\":0,"
        "\"insert_id\":\"b\"}]}",
        3);
    CHECK(response.result == MP_RESULT_PARTLY && response.failed_count == 2);
    CHECK(response.failed[0].index == 0 && response.failed[1].index == 2);
    CHECK_TEXT(response.failed[0].field, strlen(response.failed[0].field), "");
    CHECK_TEXT(response.failed[1].field, strlen(response.failed[1].field),
               "properties.time");
    CHECK_TEXT(response.failed[1].message, strlen(response.failed[1].message),
               "is invalid");
    mp_response_free(&response);
}

CASE(doubled_indexes_count_once) {
    mp_response response = read_text(
        400,
        "{\"failed_records\":[{\"index\":2},{\"index\":1},{\"index\":2},"
        "{\"index\":1},{\"index\":2},{\"index\":9}]}",
        10);
    CHECK(response.result == MP_RESULT_PARTLY && response.failed_count == 3);
    mp_response_free(&response);
}

CASE(all_may_be_refused_by_name) {
    CHECK(result_of(400, "{\"failed_records\":[{\"index\":0}]}") ==
          MP_RESULT_PARTLY);
    mp_response response =
        read_text(400, "{\"failed_records\":[{\"index\":0}]}", 1);
    CHECK(response.result == MP_RESULT_PARTLY && response.failed_count == 1);
    mp_response_free(&response);
}

CASE(indexes_that_cannot_be_used_say_nothing) {
    static const char *const lists[] = {"[]",
                                        "{}",
                                        "null",
                                        "7",
                                        "\"text\"",
                                        "[\"identity events are not allowed\"]",
                                        "[{\"index\":10}]",
                                        "[{\"index\":-1}]",
                                        "[{\"index\":4294967296}]",
                                        "[{\"index\":\"0\"}]",
                                        "[{\"index\":0.5}]",
                                        "[{\"index\":null}]",
                                        "[{}]",
                                        "[null]",
                                        "[{\"index\":0},\"text\"]",
                                        "[{\"index\":0},{\"index\":10}]"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        char body[128];
        snprintf(body, sizeof body, "{\"failed_records\":%s}", lists[i]);
        CHECK(result_of(400, body) == MP_RESULT_BAD);
    }
}

CASE(a_failed_record_that_is_a_text_gives_the_text) {
    mp_response response =
        read_text(400, "{\"failed_records\":[\"not allowed\"]}", 10);
    CHECK_TEXT(response.text, strlen(response.text), "not allowed");
    mp_response_free(&response);
}

CASE(only_import_names_records) {
    static const char body[] = "{\"failed_records\":[{\"index\":0}]}";
    mp_response response = read_bytes(400, body, strlen(body), 10, false);
    CHECK(response.result == MP_RESULT_BAD && response.failed_count == 0);
    mp_response_free(&response);
}

CASE(a_body_without_an_error_is_quoted) {
    mp_response response =
        read_text(502, "\r\n<html>\n\t<b>Bad\x1b[31m \xc3\xa9Gateway\n", 1);
    CHECK_TEXT(response.text, strlen(response.text),
               "HTTP 502: <html> <b>Bad [31m Gateway");
    mp_response_free(&response);
    response = read_text(502, "", 1);
    CHECK_TEXT(response.text, strlen(response.text), "HTTP 502");
    mp_response_free(&response);
    response = read_text(502, "\n\n \t", 1);
    CHECK_TEXT(response.text, strlen(response.text), "HTTP 502");
    mp_response_free(&response);
}

CASE(an_error_with_control_characters_stays_one_line) {
    static const char *const errors[] = {"a\\nb", "a\\r\\nb", "a\\u001b[31mb",
                                         "a\\tb", "a\\u007fb"};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        char body[128];
        snprintf(body, sizeof body, "{\"error\":\"%s\",\"status\":0}",
                 errors[i]);
        CHECK(result_of(200, body) == MP_RESULT_REFUSED);
        snprintf(body, sizeof body, "{\"failed_records\":[\"%s\"]}", errors[i]);
        CHECK(result_of(400, body) == MP_RESULT_BAD);
        snprintf(body, sizeof body,
                 "{\"failed_records\":[{\"index\":0,\"field\":\"%s\","
                 "\"message\":\"%s\"}]}",
                 errors[i], errors[i]);
        CHECK(result_of(400, body) == MP_RESULT_PARTLY);
    }
}

CASE(a_long_error_is_cut_between_characters) {
    char body[2048];
    for (size_t shift = 0; shift < 4; shift++) {
        size_t len = (size_t)sprintf(body, "{\"status\":0,\"error\":\"%.*s",
                                     (int)shift, "xxx");
        for (int i = 0; i < 200; i++)
            len += (size_t)sprintf(body + len, "\xe2\x82\xac");
        sprintf(body + len, "\"}");
        mp_response response = read_text(200, body, 10);
        CHECK((strlen(response.text) - shift) % 3 == 0);
        CHECK(strlen(response.text) > MP_MESSAGE - 5);
        mp_response_free(&response);
    }
}

/* Proxies and gateways answer too, some of them in JSON. */
CASE(what_mixpanel_did_not_write_is_known) {
    static const char *const others[] = {
        "",
        "<html>Bad Request</html>",
        "{\"message\":\"no Route matched\",\"request_id\":\"a\"}",
        "{\"status\":400,\"error\":\"Bad Request\",\"path\":\"/track\"}",
        "{\"code\":400}",
        "{\"error\":\"bad\"}",
        "[]",
        "{\"code\":400,\"failed_rec"};
    static const char *const ours[] = {
        "{\"code\":400,\"error\":\"bad\",\"status\":\"Bad Request\"}",
        "{\"error\":\"bad\",\"status\":0}",
        "{\"code\":400,\"failed_records\":[\"no\"]}", "0"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        CHECK(result_of(400, others[i]) == MP_RESULT_FORBIDDEN);
        CHECK(result_of(410, others[i]) == MP_RESULT_FOREIGN);
    }
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        CHECK(result_of(400, ours[i]) == MP_RESULT_BAD);
        CHECK(result_of(410, ours[i]) == MP_RESULT_REJECTED);
    }
}

CASE(huge_bodies_are_read) {
    enum {
        HUGE_BODY = 4 * 1024 * 1024
    };
    char *body = malloc(HUGE_BODY);
    memset(body, 'x', HUGE_BODY);
    mp_response response = read_bytes(200, body, HUGE_BODY, 10, true);
    CHECK(response.result == MP_RESULT_UNREADABLE);
    mp_response_free(&response);
    memset(body, '[', HUGE_BODY);
    response = read_bytes(400, body, HUGE_BODY, 10, true);
    CHECK(response.result == MP_RESULT_FORBIDDEN && response.foreign);
    mp_response_free(&response);
    size_t len = (size_t)sprintf(body, "{\"failed_records\":[");
    for (int i = 0; i < 2000; i++)
        len += (size_t)sprintf(body + len, "%s{\"index\":%d}", i ? "," : "",
                               1999 - i);
    len += (size_t)sprintf(body + len, "]}");
    response = read_bytes(400, body, len, 2000, true);
    CHECK(response.result == MP_RESULT_PARTLY && response.failed_count == 2000);
    mp_response_free(&response);
    free(body);
}

int main(void) {
    RUN(other_statuses);
    RUN(no_reply_may_have_been_received_or_not);
    RUN(a_long_failure_is_cut);
    RUN(yes_without_verbose);
    RUN(no_without_verbose);
    RUN(status_as_number_or_bool_or_text);
    RUN(an_error_outweighs_a_good_status);
    RUN(a_200_that_says_neither_is_unreadable);
    RUN(fewer_imported_than_sent_are_missing);
    RUN(the_refused_do_not_count_as_missing);
    RUN(a_failed_record_has_field_and_message);
    RUN(doubled_indexes_count_once);
    RUN(all_may_be_refused_by_name);
    RUN(indexes_that_cannot_be_used_say_nothing);
    RUN(a_failed_record_that_is_a_text_gives_the_text);
    RUN(only_import_names_records);
    RUN(a_body_without_an_error_is_quoted);
    RUN(an_error_with_control_characters_stays_one_line);
    RUN(a_long_error_is_cut_between_characters);
    RUN(what_mixpanel_did_not_write_is_known);
    RUN(huge_bodies_are_read);
    return unit_result();
}
