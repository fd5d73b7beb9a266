#include "core/flags/coerce.h"
#include "core/flags/rule.h"
#include "core/flags/value_json.h"
#include "unit.h"

#include <stdlib.h>
#include <time.h>

static json_t *parse(const char *text) {
    json_error_t why;
    json_t *json = mp_parse(text, strlen(text), JSON_DECODE_ANY, &why);
    if (!json)
        fprintf(stderr, "no JSON: %s\n", text);
    return json;
}

/* The JSON of what a rule makes of data, or "error" or "limit". */
static const char *apply(const char *rule_text, const char *data_text) {
    static char result[4096];
    mp_arena arena = {.limit = 4 * 1024 * 1024};
    mp_buf out = {0};
    mp_value data, value;
    const mp_rule *rule;
    json_t *rule_json = parse(rule_text), *data_json = parse(data_text);
    CHECK(rule_json && data_json);
    mp_err err = mp_rule_compile(rule_json, &arena, &rule);
    CHECK(mp_value_from_json(data_json, MP_VALUE_LOWER_TEXT, MP_VALUE_LEVELS,
                             &arena, &data) == MP_OK);
    if (err != MP_OK) {
        strcpy(result, "too deep");
    } else {
        mp_rule_result how = mp_rule_apply(rule, &data, &arena, &value);
        if (how == MP_RULE_TRUE && mp_value_write(&value, &out) == MP_OK &&
            out.len < sizeof result) {
            memcpy(result, out.data, out.len);
            result[out.len] = '\0';
        } else {
            strcpy(result, how == MP_RULE_ERROR ? "error" : "limit");
        }
    }
    json_decref(rule_json);
    json_decref(data_json);
    mp_buf_free(&out);
    mp_arena_free(&arena);
    return result;
}

#define CHECK_RULE(rule, data, result)                                         \
    do {                                                                       \
        const char *got = apply(rule, data);                                   \
        CHECK_TEXT(got, strlen(got), result);                                  \
    } while (0)

CASE(what_is_missing_is_null) {
    CHECK_RULE("{\"<\":[{\"var\":\"missing\"},5]}", "{}", "true");
    CHECK_RULE("{\"===\":[{\"var\":\"missing\"},null]}", "{}", "true");
    CHECK_RULE("{\"var\":[\"a.b\",7]}", "{\"a\":{}}", "7");
    CHECK_RULE("{\"var\":[\"a.b\",7]}", "{\"a\":{\"b\":null}}", "null");
    CHECK_RULE("{\"var\":\"a.b.c\"}", "{\"a\":null}", "null");
}

CASE(nothing_is_not_all_and_is_none) {
    CHECK_RULE("{\"all\":[[],true]}", "{}", "false");
    CHECK_RULE("{\"none\":[[],true]}", "{}", "true");
    CHECK_RULE("{\"some\":[[],true]}", "{}", "false");
}

CASE(names_reach_into_arrays_and_texts) {
    CHECK_RULE("{\"var\":\"a.1.b\"}", "{\"a\":[1,{\"b\":2}]}", "2");
    CHECK_RULE("{\"var\":\"a.length\"}", "{\"a\":[1,2,3]}", "3");
    CHECK_RULE("{\"var\":\"a.01\"}", "{\"a\":[1,2,3]}", "null");
    CHECK_RULE("{\"var\":\"a.length\"}", "{\"a\":\"x\xf0\x9f\x98\x80\"}", "3");
    CHECK_RULE("{\"var\":\"a.0\"}", "{\"a\":\"\xc3\xa9x\"}", "\"\xc3\xa9\"");
    CHECK_RULE("{\"var\":\"constructor\"}", "{}", "null");
    CHECK_RULE("{\"var\":1}", "[5,6]", "6");
    CHECK_RULE("{\"var\":\"\"}", "[5,6]", "[5,6]");
}

CASE(an_unknown_operator_is_an_error_where_it_is_reached) {
    CHECK_RULE("{\"matches\":[1,2]}", "{}", "error");
    CHECK_RULE("{\"if\":[true,1,{\"matches\":[1,2]}]}", "{}", "1");
    CHECK_RULE("{\"var.x\":[1,2]}", "{}", "error");
}

CASE(an_object_of_two_members_stands_for_itself) {
    CHECK_RULE("{\"b\":{\"var\":\"X\"},\"a\":\"X\"}", "{}",
               "{\"a\":\"x\",\"b\":{\"var\":\"x\"}}");
}

CASE(texts_of_rules_are_lower_case) {
    CHECK_RULE("{\"===\":[{\"var\":\"Plan\"},\"PRO\"]}", "{\"plan\":\"Pro\"}",
               "true");
    CHECK_RULE("{\"in\":[{\"var\":\"c\"},[\"DE\",\"AT\"]]}", "{\"c\":\"at\"}",
               "true");
}

CASE(numbers_are_those_of_javascript) {
    CHECK_RULE("{\"cat\":[1e21,\" \",0.1,\" \",9007199254740993]}", "{}",
               "\"1e+21 0.1 9007199254740993\"");
    CHECK_RULE("{\"+\":[\"3.14abc\",\"0x10\",true]}", "{}", "null");
    CHECK_RULE("{\"+\":[\" 3.14abc\",\"0x10\"]}", "{}", "3.14");
    CHECK_RULE("{\"-\":[\"0x10\",\" 1e1 \"]}", "{}", "6");
    CHECK_RULE("{\"*\":[\"Abc\"]}", "{}", "\"abc\"");
    CHECK_RULE("{\"*\":[]}", "{}", "error");
    CHECK_RULE("{\"-\":[\"\",\"0b11\"]}", "{}", "-3");
    CHECK_RULE("{\"%\":[-7,3]}", "{}", "-1");
    CHECK_RULE("{\"min\":[]}", "{}", "null");
    CHECK_RULE("{\"max\":[\"3\",[7],null]}", "{}", "7");
    CHECK_RULE("{\"-\":[\"1e400\",1]}", "{}", "null");
    CHECK_RULE("{\"/\":[1,4]}", "{}", "0.25");
}

CASE(integers_beyond_doubles_are_told_apart) {
    CHECK_RULE("{\"===\":[9007199254740993,{\"var\":\"i\"}]}",
               "{\"i\":9007199254740992}", "false");
    CHECK_RULE("{\"<\":[{\"var\":\"i\"},9007199254740995]}",
               "{\"i\":9007199254740994}", "true");
}

CASE(texts_are_cut_by_units_of_utf16) {
    CHECK_RULE("{\"substr\":[\"jsonlogic\",4]}", "{}", "\"logic\"");
    CHECK_RULE("{\"substr\":[\"jsonlogic\",-5]}", "{}", "\"logic\"");
    CHECK_RULE("{\"substr\":[\"jsonlogic\",1,3]}", "{}", "\"son\"");
    CHECK_RULE("{\"substr\":[\"jsonlogic\",4,-2]}", "{}", "\"log\"");
    CHECK_RULE("{\"substr\":[\"jsonlogic\",4,\"-2\"]}", "{}", "\"\"");
    CHECK_RULE("{\"substr\":[\"a\xf0\x9f\x98\x80z\",3]}", "{}", "\"z\"");
}

CASE(lists_are_made_and_merged) {
    CHECK_RULE("{\"map\":[[1,2],{\"*\":[{\"var\":\"\"},2]}]}", "{}", "[2,4]");
    CHECK_RULE("{\"filter\":[{\"var\":\"a\"},{\">\":[{\"var\":\"\"},1]}]}",
               "{\"a\":[1,2,3]}", "[2,3]");
    CHECK_RULE("{\"reduce\":[[1,2,3],{\"+\":[{\"var\":\"current\"},"
               "{\"var\":\"accumulator\"}]},10]}",
               "{}", "16");
    CHECK_RULE("{\"merge\":[[1],2,[[3]]]}", "{}", "[1,2,[3]]");
    CHECK_RULE("{\"missing\":[\"a\",\"b\"]}", "{\"a\":1}", "[\"b\"]");
    CHECK_RULE("{\"missing_some\":[1,[\"a\",\"b\"]]}", "{\"a\":1}", "[]");
    CHECK_RULE("{\"missing_some\":[2,[\"a\",\"b\"]]}", "{\"a\":1}", "[\"b\"]");
}

/* ---- limits ---- */

static char *nest(int levels, const char *open, const char *close) {
    static char text[256 * 1024];
    char *at = text;
    for (int i = 0; i < levels; i++)
        at = stpcpy(at, open);
    at = stpcpy(at, "1");
    for (int i = 0; i < levels; i++)
        at = stpcpy(at, close);
    return text;
}

CASE(rules_have_64_levels) {
    CHECK_RULE(nest(64, "{\"!\":", "}"), "{}", "true");
    CHECK_RULE(nest(65, "{\"!\":", "}"), "{}", "too deep");
    CHECK_RULE(nest(1000, "{\"!\":[", "]}"), "{}", "too deep");
    CHECK_RULE(nest(1000, "[", "]"), "{}", "too deep");
}

static char *list_of(int count) {
    static char text[64 * 1024];
    char *at = stpcpy(text, "{\"a\":[1");
    for (int i = 1; i < count; i++)
        at = stpcpy(at, ",1");
    stpcpy(at, "]}");
    return text;
}

CASE(rules_have_10000_steps) {
    static const char rule[] = "{\"all\":[{\"var\":\"a\"},{\"some\":["
                               "[1,1,1],{\"===\":[{\"var\":\"\"},1]}]}]}";
    CHECK_RULE(rule, list_of(1000), "true");
    CHECK_RULE(rule, list_of(2000), "limit");
}

CASE(rules_that_grow_their_data_end) {
    CHECK_RULE("{\"reduce\":[{\"var\":\"a\"},{\"cat\":[{\"var\":"
               "\"accumulator\"},{\"var\":\"accumulator\"}]},\"abcdefgh\"]}",
               list_of(100), "limit");
    CHECK_RULE("{\"reduce\":[{\"var\":\"a\"},{\"merge\":[{\"var\":"
               "\"accumulator\"},{\"var\":\"accumulator\"}]},[1,2]]}",
               list_of(100), "limit");
    CHECK_RULE("{\"==\":[{\"reduce\":[{\"var\":\"a\"},[{\"var\":"
               "\"accumulator\"}],[]]},1]}",
               list_of(1000), "limit");
}

/* ---- what is read ---- */

/* ---- long texts ---- */

/* Whether `part` is in `whole`, as a rule finds it. */
static bool finds(const char *part, uint32_t part_len, const char *whole,
                  uint32_t whole_len) {
    mp_arena arena = {.limit = 4 * 1024 * 1024};
    mp_member members[2] = {{"p", 1, mp_value_text(part, part_len)},
                            {"w", 1, mp_value_text(whole, whole_len)}};
    mp_value data = {.kind = MP_VALUE_OBJECT, .len = 2, .as.members = members};
    const mp_rule *rule;
    json_t *json = parse("{\"in\":[{\"var\":\"p\"},{\"var\":\"w\"}]}");
    CHECK(mp_rule_compile(json, &arena, &rule) == MP_OK);
    mp_rule_result result = mp_rule_holds(rule, &data, &arena);
    CHECK(result == MP_RULE_TRUE || result == MP_RULE_FALSE);
    json_decref(json);
    mp_arena_free(&arena);
    return result == MP_RULE_TRUE;
}

/* Texts of two letters have many beginnings that come again. */
CASE(texts_of_every_length_are_found) {
    static char whole[2000];
    uint64_t random = 88172645463325252u;
    for (int i = 0; i < 3000; i++) {
        for (size_t k = 0; k < sizeof whole; k++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            whole[k] = "aaab"[random >> 60 & 3];
        }
        uint32_t len = (uint32_t)(random >> 8) % 400 + 1;
        uint32_t at = (uint32_t)(random >> 32) % (2000 - len);
        CHECK(finds(whole + at, len, whole, sizeof whole));
        char last = whole[at + len - 1];
        whole[at + len - 1] = 'c'; /* the only one */
        CHECK(finds(whole + at, len, whole, sizeof whole));
        char copy[400];
        memcpy(copy, whole + at, len);
        whole[at + len - 1] = last;
        CHECK(!finds(copy, len, whole, sizeof whole));
    }
}

/* The seconds of this process that it takes to look for many letters and
 * another one among twice as many; the best of some. */
static double seconds_to_find(uint32_t len) {
    double best = 1e9;
    char *whole = malloc(2 * (size_t)len), *part = malloc(len);
    CHECK(whole && part);
    memset(whole, 'a', 2 * (size_t)len);
    memset(part, 'a', len);
    part[len - 1] = 'b';
    for (int i = 0; i < 5; i++) {
        clock_t start = clock();
        CHECK(!finds(part, len, whole, 2 * len));
        double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
        best = seconds < best ? seconds : best;
    }
    free(whole);
    free(part);
    return best;
}

/* 64 times as long if the work were quadratic. */
CASE(time_is_linear_in_the_length_of_texts) {
    CHECK(seconds_to_find(160000) < 24 * seconds_to_find(20000) + 0.001);
}

static void check_reads(const char *rule_text, bool all, const char *names) {
    mp_arena arena = {0};
    mp_rule_reads reads = {0};
    const mp_rule *rule;
    mp_value list;
    json_t *json = parse(rule_text);
    CHECK(mp_rule_compile(json, &arena, &rule) == MP_OK);
    CHECK(mp_rule_add_reads(rule, &arena, &reads) == MP_OK);
    CHECK(mp_coerce_join(reads.names, reads.count, " ", &arena, &list));
    CHECK(reads.all == all);
    CHECK_TEXT(list.as.text, list.len, names);
    json_decref(json);
    mp_arena_free(&arena);
}

CASE(it_is_known_what_a_rule_reads) {
    check_reads("{\"and\":[{\"==\":[{\"var\":\"A.b\"},1]},{\">\":[{\"var\":"
                "[\"c\",{\"var\":\"a.x\"}]},{\"var\":\"d\"}]}]}",
                false, "a c d");
    check_reads("{\"some\":[{\"var\":\"list\"},{\"==\":[{\"var\":\"id\"},1]}]}",
                false, "list");
    check_reads("{\"var\":\"\"}", true, "");
    check_reads("{\"var\":{\"cat\":[\"a\",\"b\"]}}", true, "");
    check_reads("{\"missing\":[\"a\"]}", true, "");
    check_reads("{\"==\":[1,1]}", false, "");
}

int main(void) {
    mp_parse_set_up(1);
    RUN(what_is_missing_is_null);
    RUN(nothing_is_not_all_and_is_none);
    RUN(names_reach_into_arrays_and_texts);
    RUN(an_unknown_operator_is_an_error_where_it_is_reached);
    RUN(an_object_of_two_members_stands_for_itself);
    RUN(texts_of_rules_are_lower_case);
    RUN(numbers_are_those_of_javascript);
    RUN(integers_beyond_doubles_are_told_apart);
    RUN(texts_are_cut_by_units_of_utf16);
    RUN(lists_are_made_and_merged);
    RUN(rules_have_64_levels);
    RUN(rules_have_10000_steps);
    RUN(rules_that_grow_their_data_end);
    RUN(texts_of_every_length_are_found);
    RUN(time_is_linear_in_the_length_of_texts);
    RUN(it_is_known_what_a_rule_reads);
    return unit_result();
}
