#include "ingest_helper.h"

#include "core/record/line.h"

#define E(name)                                                                \
    "{\"event\":\"" name "\",\"properties\":{\"token\":\"T\","                 \
    "\"time\":1700000000,\"$insert_id\":\"i\"}}"

static mp_err read_text(const mp_ingest_rules *rules, const char *text) {
    return helper_read(rules, text, strlen(text));
}

CASE(takes_lists_and_single_records) {
    mp_ingest_rules rules = helper_rules(MP_LANE_EVENTS);
    CHECK(read_text(&rules, " [ " E("a") " , " E("b") "\n]\t") == MP_OK);
    CHECK(helper_result.taken == 2 && helper_result.refused == 0);
    for (uint32_t i = 0; i < 2; i++) {
        mp_record back;
        const mp_record *record = &helper_result.records[i];
        CHECK(helper_result.marks[i].index == i && !record->body);
        CHECK(mp_line_read(record->head, record->head_len,
                           &mp_endpoints[MP_LANE_EVENTS], NULL, &back,
                           NULL) == MP_OK);
        CHECK(back.time_ms == 1700000000000);
    }
    CHECK(read_text(&rules, "\xef\xbb\xbf" E("a")) == MP_OK);
    CHECK(helper_result.taken == 1);
    CHECK(read_text(&rules, "[]") == MP_OK && helper_result.taken == 0);
}

CASE(judges_each_record_by_itself) {
    mp_ingest_rules rules = helper_rules(MP_LANE_EVENTS);
    const char *text = "[" E("a") ",{\"event\":1,\"x\":[{},{\"y\":\"]\"}]}," E(
        "b") ",7," E("c") "]";
    CHECK(read_text(&rules, text) == MP_OK);
    CHECK(helper_result.taken == 3 && helper_result.refused == 2);
    const mp_ingest_refusal *r = helper_result.refusals;
    CHECK(r[0].index == 1 && r[1].index == 3);
    CHECK_TEXT(text + r[0].offset, r[0].len,
               "{\"event\":1,\"x\":[{},{\"y\":\"]\"}]}");
    CHECK_TEXT(text + r[1].offset, r[1].len, "7");
    CHECK(helper_result.marks[1].index == 2);
    CHECK(helper_result.marks[2].index == 4);
}

CASE(takes_lines_when_told_to) {
    mp_ingest_rules rules = helper_rules(MP_LANE_EVENTS);
    const char *text = E("a") "\n" E("b") "\r\n\n[" E("c") "]\n";
    CHECK_ERROR(&rules, text, strlen(E("a")) + 1,
                "the text goes on after its end");
    rules.lines = true;
    CHECK(read_text(&rules, text) == MP_OK && helper_result.taken == 3);
}

CASE(says_where_the_text_is_no_json) {
    mp_ingest_rules rules = helper_rules(MP_LANE_EVENTS);
    static const char *const cases[][3] = {
        {"", "", "expected an object or a list of objects"},
        {"true", "", "expected an object or a list of objects"},
        {"[", "[", "expected a value"},
        {"[1", "[1", "expected , or ]"},
        {"[1,]", "[1,", "expected a value"},
        {"[1 2]", "[1 ", "expected , or ]"},
        {"{\"a\"", "{\"a\"", "expected :"},
        {"{\"a\":}", "{\"a\":", "expected a value"},
        {"{\"a\":1,}", "{\"a\":1,", "expected a string"},
        {"{a:1}", "{", "expected a string"},
        {"{\"a\":1]", "{\"a\":1", "expected , or }"},
        {"{\"a\":\"x", "{\"a\":\"x", "the string does not end"},
        {"{\"a\":\"x\n\"}", "{\"a\":\"x", "a control character in a string"},
        {"{\"a\":\"\\x\"}", "{\"a\":\"", "a backslash that begins no escape"},
        {"{\"a\":\"\\u12g4\"}", "{\"a\":\"",
         "a backslash that begins no escape"},
        {"{\"a\":01}", "{\"a\":0", "expected , or }"},
        {"{\"a\":-}", "{\"a\":-", "expected a digit"},
        {"{\"a\":1.}", "{\"a\":1.", "expected a digit"},
        {"{\"a\":1e+}", "{\"a\":1e+", "expected a digit"},
        {"{\"a\":.5}", "{\"a\":", "expected a value"},
        {"{\"a\":+1}", "{\"a\":", "expected a value"},
        {"{\"a\":nul}", "{\"a\":", "expected a value"},
        {"{\"a\":NaN}", "{\"a\":", "expected a value"},
        {"{\"a\":'x'}", "{\"a\":", "expected a value"},
        {"[1]x", "[1]", "the text goes on after its end"},
        {"[[1}]", "[[1", "expected , or ]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_ERROR(&rules, cases[i][0], strlen(cases[i][1]), cases[i][2]);
    CHECK(helper_read(&rules, "[\0]", 3) == MP_INVALID);
    CHECK(helper_read(&rules, "[]\0", 3) == MP_INVALID);
}

CASE(finds_what_is_no_json_in_a_record_that_is_refused_before) {
    mp_ingest_rules rules = helper_rules(MP_LANE_EVENTS);
    CHECK_ERROR(&rules, "[{\"event\":1,\"x\":[1,}]", 19, "expected a value");
}

CASE(bounds_records_and_nesting) {
    mp_ingest_rules rules = helper_rules(MP_LANE_EVENTS);
    rules.records_max = 2;
    CHECK(read_text(&rules, "[" E("a") ",1]") == MP_OK);
    CHECK_ERROR(&rules, "[" E("a") ",1,2]", strlen("[" E("a") ",1,"),
                "more records than are taken at once");
    CHECK(helper_result.too_many);
    enum {
        DEEP = 10000
    };
    static char text[DEEP + 1];
    memset(text, '[', DEEP);
    CHECK_ERROR(&rules, text, 1025, "nested deeper than 1024 levels");
    CHECK(!helper_result.too_many);
}

CASE(survives_a_million_names) {
    mp_ingest_rules rules = helper_rules(MP_LANE_PEOPLE);
    rules.token_optional = true;
    size_t n = 300000;
    char *text = malloc(n * 20 + 100), *at;
    at = text + sprintf(text, "%s", "{\"$distinct_id\":\"d\",\"$delete\":[");
    for (size_t i = 0; i < n; i++)
        at += sprintf(at, "%s{\"k%zu\":0}", i > 0 ? "," : "", i);
    strcpy(at, "]}");
    CHECK(read_text(&rules, text) == MP_OK && helper_result.refused == 1);
    CHECK(read_text(&rules, "{\"$distinct_id\":\"d\",\"$set\":{\"a\":1}}") ==
              MP_OK &&
          helper_result.taken == 1);
    free(text);
}

int main(void) {
    RUN(takes_lists_and_single_records);
    RUN(judges_each_record_by_itself);
    RUN(takes_lines_when_told_to);
    RUN(says_where_the_text_is_no_json);
    RUN(finds_what_is_no_json_in_a_record_that_is_refused_before);
    RUN(bounds_records_and_nesting);
    RUN(survives_a_million_names);
    mp_ingest_free(helper_ingest);
    return unit_result();
}
