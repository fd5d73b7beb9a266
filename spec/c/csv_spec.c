#include "core/ingest/csv.h"
#include "unit.h"

#include <stdlib.h>

static mp_csv_column columns[] = {
    {.name = "\"event\":", .outside = true, .is_text = true},
    {.name = "\"a\":"},
    {.name = "\"zip\":", .is_text = true},
};

static mp_csv three_columns(void) {
    return (mp_csv){
        .separator = ',',
        .columns = columns,
        .count = 3,
        .outside = "",
        .inside = "\"properties\":",
        .members = "",
    };
}

static mp_buf out;
static mp_fault fault;

/* Reads a row in a block of its size, so that ASan sees whoever reads beyond.
 */
static mp_err read(const mp_csv *csv, const char *text, size_t len) {
    mp_csv_fields fields = {0};
    char *exact = malloc(len > 0 ? len : 1);
    memcpy(exact, text, len);
    mp_buf_clear(&out);
    mp_fault_start(&fault, "");
    mp_span row = {exact, len};
    mp_err err = mp_csv_read(csv, &fields, &row, &out, &fault);
    mp_csv_fields_free(&fields);
    free(exact);
    return err;
}

#define CHECK_ROW(csv, text, expected)                                         \
    do {                                                                       \
        mp_err row_err = read((csv), (text), strlen(text));                    \
        CHECK(row_err == MP_OK);                                               \
        CHECK_TEXT(out.data, out.len, (expected));                             \
    } while (0)

#define CHECK_NO_ROW(csv, text, why)                                           \
    do {                                                                       \
        CHECK(read((csv), (text), strlen(text)) == MP_INVALID);                \
        CHECK_TEXT(fault.reason, strlen(fault.reason), (why));                 \
    } while (0)

#define RECORD(a, zip)                                                         \
    "{\"event\":\"E\",\"properties\":{\"a\":" a ",\"zip\":\"" zip "\"}}"

CASE(fields_are_numbers_booleans_or_text) {
    mp_csv csv = three_columns();
    CHECK_ROW(&csv, "E,1,02134", RECORD("1", "02134"));
    CHECK_ROW(&csv, "E,-1.50,5", RECORD("-1.50", "5"));
    CHECK_ROW(&csv, "E,true,true", RECORD("true", "true"));
    CHECK_ROW(&csv, "E,0,0", RECORD("0", "0"));
    CHECK_ROW(&csv, "E,\"7\",0", RECORD("7", "0"));
    static const char *const texts[] = {"007", "1e5", ".5",   "1.",
                                        "+1",  "-",   "True", "1 "};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char row[32], expected[80];
        snprintf(row, sizeof row, "E,%s,z", texts[i]);
        snprintf(expected, sizeof expected, RECORD("\"%s\"", "z"), texts[i]);
        CHECK_ROW(&csv, row, expected);
    }
}

CASE(numbers_that_a_double_does_not_hold_are_text) {
    mp_csv csv = three_columns();
    CHECK_ROW(&csv, "E,123456789012345,z", RECORD("123456789012345", "z"));
    CHECK_ROW(&csv, "E,1234567890123456,z",
              RECORD("\"1234567890123456\"", "z"));
    CHECK_ROW(&csv, "E,76561197960265728,z",
              RECORD("\"76561197960265728\"", "z"));
}

CASE(empty_fields_are_left_out) {
    mp_csv csv = three_columns();
    CHECK_ROW(&csv, "E,,", "{\"event\":\"E\",\"properties\":{}}");
    CHECK_ROW(&csv, ",,\"\"", "{\"properties\":{}}");
}

CASE(quotes_hold_everything) {
    mp_csv csv = three_columns();
    CHECK_ROW(&csv, "E,\"x,y\",\"l\r\nm\"",
              RECORD("\"x,y\"", "l\\u000d\\u000am"));
    CHECK_ROW(&csv, "E,\"she said \"\"go\"\"\",z",
              RECORD("\"she said \\u0022go\\u0022\"", "z"));
    CHECK_ROW(&csv, "E,\"\"\"\",z", RECORD("\"\\u0022\"", "z"));
    CHECK_ROW(&csv, "E,a\"b,z", RECORD("\"a\\u0022b\"", "z"));
    CHECK_ROW(&csv, "E,C:\\x,\xc3\xa9", RECORD("\"C:\\u005cx\"", "\xc3\xa9"));
    CHECK_NO_ROW(&csv, "E,\"x\"y,z", "field 2: text behind its quotes");
    CHECK_NO_ROW(&csv, "E,a,\"open", "a field in quotes does not end");
    CHECK_NO_ROW(&csv, "E,a,\"", "a field in quotes does not end");
}

CASE(rows_have_the_width_of_the_header) {
    mp_csv csv = three_columns();
    csv.header = "event,a,zip";
    CHECK_NO_ROW(&csv, "E,1", "2 fields, expected 3");
    CHECK_NO_ROW(&csv, "E,1,2,3", "4 fields, expected 3");
    CHECK_NO_ROW(&csv, "event,a,zip", "the row of names once more");
}

CASE(columns_may_be_left_out_and_members_added) {
    mp_csv csv = three_columns();
    mp_csv_column some[] = {columns[0], {0}, columns[2]};
    csv.columns = some;
    csv.separator = '\t';
    csv.outside = "\"$token\":\"T\",";
    csv.members = "\"source\":\"old\",";
    CHECK_ROW(&csv, "E\t1\t",
              "{\"$token\":\"T\",\"event\":\"E\",\"properties\":{\"source\":"
              "\"old\"}}");
}

CASE(any_number_of_fields_is_counted) {
    mp_csv csv = three_columns();
    static char many[500];
    memset(many, ',', sizeof many);
    CHECK(read(&csv, many, sizeof many) == MP_INVALID);
    CHECK_TEXT(fault.reason, strlen(fault.reason), "501 fields, expected 3");
}

/* Where the first row ends; -1: it goes on. */
static int row_end(const char *text) {
    mp_csv csv = three_columns();
    size_t len = strlen(text);
    char *exact = malloc(len > 0 ? len : 1);
    memcpy(exact, text, len);
    const char *end = mp_csv_row(&csv, exact, exact + len);
    int at = end ? (int)(end - exact) : -1;
    free(exact);
    return at;
}

CASE(rows_end_at_a_line_end_outside_of_quotes) {
    CHECK(row_end("") == -1);
    CHECK(row_end("a,b") == -1);
    CHECK(row_end("\n") == 0);
    CHECK(row_end("a,b\nc") == 3);
    CHECK(row_end("a,\"x\ny\"\nc") == 7);
    CHECK(row_end("a,\"x\n") == -1);
    CHECK(row_end("a,\"x\"") == -1); /* one more quote may follow */
    CHECK(row_end("a,\"x\"\"\n\"\nc") == 8);
    CHECK(row_end("a\"b\n") == 3); /* a quote inside is none */
}

int main(void) {
    RUN(fields_are_numbers_booleans_or_text);
    RUN(numbers_that_a_double_does_not_hold_are_text);
    RUN(empty_fields_are_left_out);
    RUN(quotes_hold_everything);
    RUN(rows_have_the_width_of_the_header);
    RUN(columns_may_be_left_out_and_members_added);
    RUN(any_number_of_fields_is_counted);
    RUN(rows_end_at_a_line_end_outside_of_quotes);
    mp_buf_free(&out);
    return unit_result();
}
