#include "ingest_helper.h"

#include "core/base/text.h"

#define EVENT(more)                                                            \
    "{\"event\":\"E\",\"properties\":{\"time\":1700000000,"                    \
    "\"distinct_id\":\"d\"" more "}}"

static mp_ingest_rules item_rules(mp_ingest_items items) {
    mp_ingest_rules rules = helper_rules(MP_LANE_IMPORT);
    rules.token_optional = true;
    rules.time_required = true;
    rules.keep_equal = true;
    rules.items = items;
    rules.last = true;
    return rules;
}

/* Reads it; taken and refused must be so many. */
#define CHECK_ITEMS(rules, text, n, bad)                                       \
    do {                                                                       \
        CHECK(helper_read((rules), (text), strlen(text)) == MP_OK);            \
        CHECK_NUMBER(helper_result.taken, (n));                                \
        CHECK_NUMBER(helper_result.refused, (bad));                            \
    } while (0)

CASE(lines_are_judged_one_by_one) {
    mp_ingest_rules rules = item_rules(MP_INGEST_LINES);
    CHECK_ITEMS(&rules,
                EVENT("") "\r\n\n  \n{no\n" EVENT("") "x\n[1]\n" EVENT(""), 2,
                3);
    CHECK_NUMBER(helper_result.consumed,
                 strlen(EVENT("")) * 3 + strlen("\r\n\n  \n{no\nx\n[1]\n"));
    const mp_ingest_refusal *r = helper_result.refusals;
    CHECK_NUMBER(r[0].offset, strlen(EVENT("")) + 6);
    CHECK_NUMBER(r[0].len, 3);
    CHECK_TEXT(r[0].reason, strlen(r[0].reason),
               "no JSON: expected a string, at byte 2");
    CHECK_TEXT(r[2].reason, strlen(r[2].reason), "expected an object");
    CHECK_NUMBER(helper_result.marks[0].offset, 0);
    CHECK_NUMBER(helper_result.marks[1].offset, r[2].offset + 4);
}

CASE(what_is_not_whole_is_left_for_the_next_text) {
    static const struct {
        mp_ingest_items items;
        const char *text;
        size_t taken, consumed;
    } rows[] = {
        {MP_INGEST_LINES, EVENT("") "\n" EVENT(""), 1, sizeof EVENT("")},
        {MP_INGEST_LINES, EVENT(""), 0, 0},
        {MP_INGEST_VALUES, "[" EVENT("") ",\n{\"event\":\"E", 1,
         sizeof EVENT("") + 2},
        {MP_INGEST_VALUES, "[" EVENT(",\"s\":\"}\\\"") ",", 0, 1},
        {MP_INGEST_VALUES, "[" EVENT("") "]\n", 1, sizeof EVENT("") + 2},
        {MP_INGEST_VALUES, " [\n", 0, 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        mp_ingest_rules rules = item_rules(rows[i].items);
        rules.last = false;
        CHECK_ITEMS(&rules, rows[i].text, rows[i].taken, 0);
        CHECK_NUMBER(helper_result.consumed, rows[i].consumed);
    }
}

CASE(values_stand_in_lists_or_behind_each_other) {
    mp_ingest_rules rules = item_rules(MP_INGEST_VALUES);
    CHECK_ITEMS(&rules, "[" EVENT("") " ,\n" EVENT("") "]", 2, 0);
    CHECK_ITEMS(&rules, EVENT("") EVENT("") " " EVENT(""), 3, 0);
    CHECK_ITEMS(&rules, "[1, \"x\",\n" EVENT("") ", {\"event\":}]", 1, 3);
    CHECK_ITEMS(&rules, "[{\"event\":\"E", 0, 1);
    CHECK_ITEMS(&rules, "", 0, 0);
}

static const mp_csv_column columns[] = {
    {.name = "\"event\":", .outside = true, .is_text = true},
    {.name = "\"time\":", .is_text = true},
    {.name = "\"distinct_id\":", .is_text = true},
};

static mp_csv three_columns(void) {
    return (mp_csv){.separator = ',',
                    .columns = columns,
                    .count = 3,
                    .outside = "",
                    .inside = "\"properties\":",
                    .members = ""};
}

CASE(rows_become_records) {
    mp_csv csv = three_columns();
    mp_ingest_rules rules = item_rules(MP_INGEST_ROWS);
    rules.csv = &csv;
    rules.time_text = true;
    CHECK_ITEMS(&rules, "E,2026-01-02,\"a\nb\"\r\nE,1\nE,,x\nE,1700000000,y", 2,
                2);
    CHECK(helper_result.records[0].time_ms == 1767312000000);
    const mp_ingest_refusal *r = helper_result.refusals;
    CHECK_NUMBER(r[0].json_len, 0);
    CHECK_TEXT(r[1].field, strlen(r[1].field), "properties.time");
    CHECK_TEXT(helper_result.rows + r[1].json, r[1].json_len,
               "{\"event\":\"E\",\"properties\":{\"distinct_id\":\"x\"}}");
    CHECK_NUMBER(r[1].offset, strlen("E,2026-01-02,\"a\nb\"\r\nE,1\n"));
}

/* The $insert_id of the i-th record, in `id`. */
static void get_id(size_t i, char *id, size_t size) {
    const mp_record *record = &helper_result.records[i];
    const char *at = NULL, *end = record->head + record->head_len;
    for (size_t k = 0; k + 14 < record->head_len && !at; k++)
        if (memcmp(record->head + k, "\"$insert_id\":\"", 14) == 0)
            at = record->head + k + 14;
    const char *quote = at ? memchr(at, '"', (size_t)(end - at)) : NULL;
    CHECK(quote);
    snprintf(id, size, "%.*s", quote ? (int)(quote - at) : 0, at ? at : "");
}

CASE(equal_records_stay_two_and_repeats_stay_one) {
    mp_ingest_rules rules = item_rules(MP_INGEST_LINES);
    char first[40], second[40], again[40];
    CHECK_ITEMS(&rules, EVENT("") "\n" EVENT(""), 2, 0);
    get_id(0, first, sizeof first);
    get_id(1, second, sizeof second);
    CHECK(strcmp(first, second) != 0);
    rules.position = sizeof EVENT(""); /* of the second, as a text of its own */
    CHECK_ITEMS(&rules, EVENT(""), 1, 0);
    get_id(0, again, sizeof again);
    CHECK_TEXT(again, strlen(again), second);
}

CASE(updates_in_doubt_are_refused) {
    mp_ingest_rules rules = item_rules(MP_INGEST_LINES);
    static const char text[] = "{\"$distinct_id\":\"d\",\"$add\":{\"n\":1}}\n"
                               "{\"$distinct_id\":\"d\",\"$set\":{\"n\":1}}\n"
                               "{\"$distinct_id\":\"d\",\"$add\":{\"n\":1}}\n";
    rules.lane = MP_LANE_PEOPLE;
    rules.position = 1000;
    rules.doubt_end = 1001;
    CHECK_ITEMS(&rules, text, 2, 1);
    CHECK_NUMBER(helper_result.refusals->offset, 0);
    rules.doubt_end = 2000;
    CHECK_ITEMS(&rules, text, 1, 2);
}

CASE(split_takes_nothing_and_judges_nothing) {
    mp_ingest_rules rules = item_rules(MP_INGEST_VALUES);
    rules.split = true;
    CHECK_ITEMS(&rules, "[{\"no\":\"event\"}, 7,\n{\"a\":1}]", 0, 3);
    for (size_t i = 0; i < helper_result.refused; i++)
        CHECK(helper_result.refusals[i].reason[0] == '\0');
    CHECK_NUMBER(helper_result.refusals[2].offset, 20);
    CHECK_NUMBER(helper_result.refusals[2].len, 7);
    mp_csv csv = three_columns();
    rules.items = MP_INGEST_ROWS;
    rules.csv = &csv;
    CHECK_ITEMS(&rules, "E,soon,x\nE\n", 0, 2);
    const mp_ingest_refusal *r = helper_result.refusals;
    CHECK_TEXT(helper_result.rows + r[0].json, r[0].json_len,
               "{\"event\":\"E\",\"properties\":{\"time\":\"soon\","
               "\"distinct_id\":\"x\"}}");
    CHECK(r[0].reason[0] == '\0');
    CHECK_TEXT(r[1].reason, strlen(r[1].reason), "1 fields, expected 3");
}

int main(void) {
    RUN(lines_are_judged_one_by_one);
    RUN(what_is_not_whole_is_left_for_the_next_text);
    RUN(values_stand_in_lists_or_behind_each_other);
    RUN(rows_become_records);
    RUN(equal_records_stay_two_and_repeats_stay_one);
    RUN(updates_in_doubt_are_refused);
    RUN(split_takes_nothing_and_judges_nothing);
    mp_ingest_free(helper_ingest);
    return unit_result();
}
