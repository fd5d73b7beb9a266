/* The reader against jansson, over generated texts: both call the same texts
 * JSON, and a record says the same before and after. */
#include "core/base/reader.h"
#include "core/record/parse.h"
#include "ingest_helper.h"

enum {
    ROUNDS = 20000,
    ROOM = 64 * 1024
};

static uint64_t state = 88172645463325252;

static uint32_t any(uint32_t below) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 33) % below;
}

/* ---- generating ---- */

static char text[ROOM];
static size_t used;

static void put(const char *piece) {
    size_t n = strlen(piece);
    if (used + n < ROOM) {
        memcpy(text + used, piece, n);
        used += n;
    }
}

static const char *one_of(const char *const *list, uint32_t n) {
    return list[any(n)];
}
#define ONE_OF(list) one_of((list), sizeof(list) / sizeof *(list))

static void put_space(void) {
    static const char *const spaces[] = {"", "", "", " ", "\n", "\r\n\t"};
    put(ONE_OF(spaces));
}

static void put_string(void) {
    static const char *const pieces[] = {
        "a",       "plain text of some length",
        "\\n",     "\\\"",
        "\\\\",    "\\u00e9",
        "\\/",     "\xc3\xa9",
        "\\b\\f",  "\xf0\x9f\x98\x80",
        "\\t\\r",  "\\ud83d\\ude00",
        " ",       "\xe2\x82\xac",
        "\\u20AC", "\x7f",
    };
    put("\"");
    for (uint32_t n = any(5); n > 0; n--)
        put(ONE_OF(pieces));
    put("\"");
}

static void put_number(void) {
    static const char *const numbers[] = {
        "0",
        "-0",
        "7",
        "-12",
        "3.25",
        "1e5",
        "1E-5",
        "2e+10",
        "-0.5",
        "9007199254740993",
        "1e308",
        "0.1",
        "123456789012345678901234567890",
    };
    put(ONE_OF(numbers));
}

static void put_value(int depth);

static void put_name(uint32_t i) {
    char name[32];
    snprintf(name, sizeof name, any(8) ? "\"k%u\"" : "\"\\u006b-%u\"", i);
    put(name);
    put_space();
    put(":");
}

static void put_members(int depth) {
    for (uint32_t i = 0, n = any(5); i < n; i++) {
        put(i > 0 ? "," : "");
        put_space();
        put_name(i);
        put_space();
        put_value(depth);
    }
}

static void put_value(int depth) {
    static const char *const literals[] = {"true", "false", "null"};
    switch (any(depth > 0 ? 6 : 4)) {
    case 0:
        put_number();
        break;
    case 1:
        put(ONE_OF(literals));
        break;
    case 4:
        put("{");
        put_members(depth - 1);
        put_space();
        put("}");
        break;
    case 5:
        put("[");
        for (uint32_t i = 0, n = any(4); i < n; i++) {
            put(i > 0 ? " ," : "");
            put_value(depth - 1);
        }
        put("]");
        break;
    default:
        put_string();
    }
}

static void put_event(void) {
    put("{\"event\":\"e\\u0041\",\"properties\":{\"token\":\"T\",\"time\":"
        "1700000000.5,\"$insert_id\":\"i\",\"distinct_id\":\"\\u00e9\"");
    for (uint32_t i = 0, n = any(12); i < n; i++) {
        put(",");
        put_space();
        put_name(i);
        put_value(3);
    }
    put("}}");
}

/* ---- comparing ---- */

static json_t *parse(const char *from, size_t len, json_error_t *why) {
    return mp_parse(from, len,
                    JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL,
                    why);
}

CASE(says_the_same_as_before) {
    mp_ingest_rules rules = helper_rules(MP_LANE_EVENTS);
    json_error_t why;
    for (int round = 0; round < ROUNDS && !unit_bad; round++) {
        used = 0;
        put_event();
        CHECK(helper_read(&rules, text, used) == MP_OK);
        CHECK(helper_result.taken == 1);
        if (unit_bad)
            break;
        const mp_record *record = helper_result.records;
        json_t *before = parse(text, used, &why);
        json_t *after = parse(record->head, record->head_len, &why);
        CHECK(before && after && json_equal(before, after));
        json_decref(before);
        json_decref(after);
        if (unit_bad)
            fprintf(stderr, "%.*s\n", (int)used, text);
    }
}

/* What jansson refuses though it follows the grammar. */
static bool is_beyond_grammar(const json_error_t *why) {
    enum json_error_code code = json_error_code(why);
    return code == json_error_invalid_utf8 ||
           code == json_error_null_byte_in_key ||
           code == json_error_numeric_overflow ||
           code == json_error_stack_overflow || strstr(why->text, "Unicode");
}

static void damage(void) {
    static const char bytes[] = "{}[]:,\"\\ 0e.-+x\n\xff";
    for (uint32_t n = 1 + any(3); n > 0 && used > 0; n--) {
        uint32_t at = any((uint32_t)used);
        switch (any(3)) {
        case 0:
            text[at] = bytes[any(sizeof bytes - 1)]; /* jansson skips NULs */
            break;
        case 1:
            memmove(text + at, text + at + 1, used - at - 1);
            used--;
            break;
        default:
            used = at + 1;
        }
    }
}

CASE(calls_the_same_texts_json) {
    mp_reader reader;
    json_error_t why;
    uint32_t valid = 0, invalid = 0;
    for (int round = 0; round < 5 * ROUNDS && !unit_bad; round++) {
        used = 0;
        put_value(4);
        if (round % 4 > 0)
            damage();
        json_t *theirs = parse(text, used, &why);
        mp_reader_start(&reader, text, used);
        bool ours = mp_reader_skip(&reader) && mp_reader_peek(&reader) == 0 &&
                    reader.at == reader.end;
        CHECK(ours == (theirs != NULL) || (ours && is_beyond_grammar(&why)));
        if (unit_bad)
            fprintf(stderr, "%s, %s: %.*s\n", reader.error, why.text, (int)used,
                    text);
        valid += theirs != NULL;
        invalid += theirs == NULL;
        json_decref(theirs);
    }
    CHECK(valid > ROUNDS && invalid > ROUNDS);
}

int main(void) {
    mp_parse_set_up(1);
    RUN(says_the_same_as_before);
    RUN(calls_the_same_texts_json);
    mp_ingest_free(helper_ingest);
    return unit_result();
}
