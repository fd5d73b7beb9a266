#include "core/base/text.h"
#include "ingest_helper.h"

#define EVENT(properties)                                                      \
    "{\"event\":\"E\",\"properties\":{\"token\":\"T\",\"time\":1700000000,"    \
    "\"$insert_id\":\"i\",\"distinct_id\":\"d\"," properties "}}"

#define CHECK_PROPERTY(rules, property, expected)                              \
    CHECK_TAKEN((rules), EVENT(property), EVENT(expected))

CASE(keeps_what_is_given) {
    mp_ingest_rules rules = helper_rules(MP_LANE_EVENTS);
    CHECK_PROPERTY(&rules, "\"n\":-1.50e+07", "\"n\":-1.50e+07");
    CHECK_PROPERTY(&rules, "\"n\":12345678901234567890123456789012345678901",
                   "\"n\":12345678901234567890123456789012345678901");
    CHECK_PROPERTY(&rules, "\"s\":\"\xe6\xbc\xa2 \xf0\x9f\x98\x80\"",
                   "\"s\":\"\xe6\xbc\xa2 \xf0\x9f\x98\x80\"");
    CHECK_PROPERTY(&rules, "\"l\" : [ 1 ,\n{ \"a\" : null } , [] , {} ]",
                   "\"l\":[1,{\"a\":null},[],{}]");
    CHECK_PROPERTY(&rules, "\"b\":true,\"c\":false", "\"b\":true,\"c\":false");
    const mp_record *record = helper_record(&rules, EVENT("\"a\":1"));
    CHECK(record->time_ms == 1700000000000 && record->kind == MP_PLAIN);
    CHECK(record->repaired == 0 && helper_result.marks->token == 0);
}

CASE(keeps_the_time_as_it_is_written) {
    mp_ingest_rules rules = helper_rules(MP_LANE_EVENTS);
    const char *text = "{\"event\":\"E\",\"properties\":{\"token\":\"T\","
                       "\"$insert_id\":\"i\",\"$user_id\":\"u\","
                       "\"time\":1575884617.393}}";
    CHECK_TAKEN(
        &rules, text,
        "{\"event\":\"E\",\"properties\":{\"token\":\"T\","
        "\"$insert_id\":\"i\",\"$user_id\":\"u\",\"time\":1575884617.393}}");
    CHECK(helper_result.records->time_ms == 1575884617393);
    rules.lane = MP_LANE_IMPORT;
    CHECK_TAKEN(
        &rules, text,
        "{\"event\":\"E\",\"properties\":{\"token\":\"T\","
        "\"$insert_id\":\"i\",\"$user_id\":\"u\",\"time\":1575884617393}}");
    rules.lane = MP_LANE_EVENTS;
    CHECK_TAKEN(
        &rules, /* these seconds would be read back as milliseconds */
        "{\"event\":\"E\",\"properties\":{\"token\":\"T\","
        "\"$insert_id\":\"i\",\"$user_id\":\"u\",\"time\":5e10}}",
        "{\"event\":\"E\",\"properties\":{\"token\":\"T\","
        "\"$insert_id\":\"i\",\"$user_id\":\"u\",\"time\":50000000000000}}");
}

CASE(rewrites_only_what_json_does_not_demand) {
    mp_ingest_rules rules = helper_rules(MP_LANE_EVENTS);
    CHECK_PROPERTY(&rules, "\"\\u0061\\/\":\"\\u00e9\\n\\u0000\\ud83d\\ude00\"",
                   "\"a/\":\"\xc3\xa9\\n\\u0000\xf0\x9f\x98\x80\"");
    CHECK(helper_result.records->repaired == 0);
    /* As the browser SDK's base64 writes U+1F600. */
    CHECK_PROPERTY(&rules, "\"s\":\"x\xed\xa0\xbd\xed\xb8\x80y\"",
                   "\"s\":\"x\xf0\x9f\x98\x80y\"");
    CHECK(helper_result.records->repaired == 0);
}

CASE(repairs_text_or_refuses_it) {
    mp_ingest_rules rules = helper_rules(MP_LANE_EVENTS);
    CHECK_PROPERTY(&rules,
                   "\"s\":\"a\xff"
                   "b\"",
                   "\"s\":\"a\xef\xbf\xbd"
                   "b\"");
    CHECK(helper_result.records->repaired == 1);
    CHECK_PROPERTY(&rules, "\"s\":\"\xed\xa0\xbd!\"",
                   "\"s\":\"\xef\xbf\xbd!\"");
    CHECK_PROPERTY(&rules, "\"s\":\"\\ude00\\ud83d\"",
                   "\"s\":\"\xef\xbf\xbd\xef\xbf\xbd\"");
    CHECK_PROPERTY(&rules, "\"n\":[1e999,-1e309]", "\"n\":[null,null]");
    CHECK(helper_result.records->repaired == 2);
    rules.reject = true;
    CHECK_REFUSED(&rules, EVENT("\"s\":[\"\xff\"]"), "properties.s[1]",
                  "the text is not valid UTF-8");
    CHECK_REFUSED(&rules, EVENT("\"n\":{\"a b\":1e999}"),
                  "properties.n[\"a b\"]",
                  "the number is larger than any double");
}

CASE(knows_the_largest_double) {
    mp_ingest_rules rules = helper_rules(MP_LANE_EVENTS);
    static const char *const kept[] = {
        "1.7976931348623157e308",
        "0e9999",
        "1e-9999",
        "0.0001e311",
        "179769313486231570000e288",
        "-1.7976931348623157E+308",
    };
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        char text[300], expected[300];
        snprintf(text, sizeof text, EVENT("\"n\":%s"), kept[i]);
        snprintf(expected, sizeof expected, EVENT("\"n\":%s"), kept[i]);
        CHECK_TAKEN(&rules, text, expected);
    }
    CHECK_PROPERTY(&rules, "\"n\":1.7976931348623159e308", "\"n\":null");
    char digits[401], text[1000];
    memset(digits, '7', 400);
    digits[400] = '\0';
    snprintf(text, sizeof text, EVENT("\"n\":%s"), digits);
    CHECK_TAKEN(&rules, text, EVENT("\"n\":null"));
}

CASE(gives_what_is_missing) {
    mp_ingest_rules rules = helper_rules(MP_LANE_EVENTS);
    rules.token_optional = true;
    rules.no_address = true;
    const mp_record *record =
        helper_record(&rules, "{\"properties\":{},\"event\":\"E\"}");
    static const char begin[] = "{\"properties\":{\"token\":\"T\","
                                "\"$insert_id\":\"";
    static const char end[] = "\",\"time\":1795460000123,\"ip\":0,"
                              "\"distinct_id\":\"\"},\"event\":\"E\"}";
    CHECK(record->head_len == sizeof begin - 1 + 32 + sizeof end - 1);
    CHECK(memcmp(record->head, begin, sizeof begin - 1) == 0);
    CHECK(memcmp(record->head + sizeof begin - 1 + 32, end, sizeof end - 1) ==
          0);
    CHECK(record->time_ms == 1795460000123);
    CHECK(helper_record(&rules, "{\"event\":\"E\"}")->time_ms == 1795460000123);
}

static void read_insert_id(char out[33], const mp_ingest_rules *rules,
                           const char *text) {
    const mp_record *record = helper_record(rules, text);
    static const char key[] = "\"$insert_id\":\"";
    memset(out, 0, 33);
    for (size_t i = 0; i + sizeof key + 32 < record->head_len; i++)
        if (memcmp(record->head + i, key, sizeof key - 1) == 0)
            memcpy(out, record->head + i + sizeof key - 1, 32);
    CHECK(out[0] != '\0');
}

CASE(derives_an_insert_id_from_the_bytes) {
    mp_ingest_rules rules = helper_rules(MP_LANE_EVENTS);
    char a[33], b[33];
    const char *timed = "{\"event\":\"E\",\"properties\":{\"token\":\"T\","
                        "\"time\":1700000000}}";
    read_insert_id(a, &rules, timed);
    CHECK_TEXT(a, 32, "b5223ee92ceff9718189aa27be24688e"); /* on any machine */
    read_insert_id(b, &rules, timed);
    CHECK(strcmp(a, b) == 0);
    read_insert_id(b, &rules,
                   "{\"event\":\"E\",\"properties\":{\"token\":\"T\","
                   "\"time\":1700000001}}");
    CHECK(strcmp(a, b) != 0);
    const char *untimed = "{\"event\":\"E\",\"properties\":{\"token\":\"T\"}}";
    read_insert_id(a, &rules, untimed);
    read_insert_id(b, &rules, untimed);
    CHECK(strcmp(a, b) != 0);
}

CASE(tells_equal_records_apart_by_their_position) {
    mp_ingest_rules rules = helper_rules(MP_LANE_EVENTS);
    char a[33], b[33];
    const char *text = "{\"event\":\"E\",\"properties\":{\"token\":\"T\","
                       "\"time\":1700000000}}";
    char moved[200];
    snprintf(moved, sizeof moved, " %s", text);
    rules.keep_equal = true;
    rules.position = 7;
    read_insert_id(a, &rules, text);
    read_insert_id(b, &rules, text);
    CHECK(strcmp(a, b) == 0);
    read_insert_id(b, &rules, moved);
    CHECK(strcmp(a, b) != 0);
    rules.position = 6;
    read_insert_id(b, &rules, moved);
    CHECK(strcmp(a, b) == 0);
}

CASE(replaces_an_insert_id_that_is_none) {
    mp_ingest_rules rules = helper_rules(MP_LANE_EVENTS);
    const char *text = "{\"event\":\"E\",\"properties\":{\"token\":\"T\","
                       "\"$insert_id\":\"a_b\",\"time\":1700000000}}";
    char id[33];
    read_insert_id(id, &rules, text);
    CHECK(strncmp(id, "a_b", 3) != 0 && helper_result.records->repaired == 1);
    rules.reject = true;
    CHECK_REFUSED(&rules, text, "properties.$insert_id",
                  "expected 1 to 36 letters, digits and hyphens");
}

CASE(knows_its_tokens) {
    mp_ingest_rules rules = helper_rules(MP_LANE_EVENTS);
    const char *none = "{\"event\":\"E\",\"properties\":{}}";
    CHECK_REFUSED(&rules, none, "properties.token",
                  "the token is missing or empty");
    CHECK_REFUSED(&rules,
                  "{\"event\":\"E\",\"properties\":{\"token\":\"foreign\"}}",
                  "properties.token", "the token of another project");
    CHECK_REFUSED(&rules, "{\"event\":\"E\",\"properties\":{\"token\":[1]}}",
                  "properties.token", "expected a string");
    const mp_record *record = helper_record(
        &rules, "{\"event\":\"E\",\"properties\":{\"token\":\"other\"}}");
    CHECK(helper_result.marks->token == 1);
    static const char token[] = "\"token\":\"mine\"";
    CHECK(record->head && mp_text_find(record->head, record->head_len, token,
                                       sizeof token - 1));
}

CASE(places_the_visitor_s_address) {
    mp_ingest_rules rules = helper_rules(MP_LANE_EVENTS);
    CHECK_PROPERTY(&rules, "\"ip\":\"9.9.9.9\"", "\"ip\":\"9.9.9.9\"");
    rules.no_address = true;
    CHECK_PROPERTY(&rules, "\"ip\":\"9.9.9.9\"", "\"ip\":\"9.9.9.9\"");
    static const char *const none[] = {"null", "1e999"};
    for (size_t i = 0; i < 2; i++) { /* no address is no leave to make one up */
        char text[200];
        snprintf(text, sizeof text, EVENT("\"ip\":%s,\"a\":1"), none[i]);
        CHECK_TAKEN(&rules, text, EVENT("\"a\":1,\"ip\":0"));
    }
    rules.address = "203.0.113.7";
    CHECK_TAKEN(&rules, EVENT("\"ip\":\"9.9.9.9\",\"a\":1"),
                EVENT("\"a\":1,\"ip\":\"203.0.113.7\""));
}

CASE(reads_ids) {
    mp_ingest_rules rules = helper_rules(MP_LANE_EVENTS);
    CHECK_PROPERTY(&rules, "\"$user_id\":76561198000000001",
                   "\"$user_id\":\"76561198000000001\"");
    CHECK_TAKEN(&rules, EVENT("\"$user_id\":null,\"a\":1"), EVENT("\"a\":1"));
    CHECK_REFUSED(&rules, EVENT("\"$user_id\":1.5"), "properties.$user_id",
                  "expected a string or an integer");
    CHECK_REFUSED(&rules, EVENT("\"$device_id\":true"), "properties.$device_id",
                  "expected a string or an integer");
    CHECK_REFUSED(&rules, EVENT("\"$user_id\":\"undef\\u0069ned\""),
                  "properties.$user_id",
                  "Mixpanel refuses \"undefined\" as an id");
    CHECK_REFUSED(&rules, EVENT("\"$user_id\":0"), "properties.$user_id",
                  "Mixpanel refuses \"0\" as an id");
    char id[300], text[600];
    memset(id, '\xff', 86); /* each becomes three bytes */
    id[86] = '\0';
    snprintf(text, sizeof text, EVENT("\"$user_id\":\"%s\""), id);
    CHECK_REFUSED(&rules, text, "properties.$user_id",
                  "258 bytes: Mixpanel cuts an id at 255");
    memset(id, 'x', 256);
    id[256] = '\0';
    snprintf(text, sizeof text, EVENT("\"$user_id\":\"%s\""), id);
    CHECK_REFUSED(&rules, text, "properties.$user_id",
                  "256 bytes: Mixpanel cuts an id at 255");
}

CASE(tells_identity_apart) {
    mp_ingest_rules rules = helper_rules(MP_LANE_EVENTS);
    const char *identify =
        "{\"event\":\"$identify\",\"properties\":{\"token\":\"T\"}}";
    const char *merge =
        "{\"properties\":{\"$distinct_ids\":[\"a\",\"b\"],\"token\":\"T\","
        "\"time\":1700000000,\"$insert_id\":\"i\"},\"event\":\"$merge\"}";
    CHECK(helper_record(&rules, identify)->kind == MP_IDENTITY);
    CHECK(helper_result.marks->lane == MP_LANE_EVENTS);
    CHECK_REFUSED(&rules, merge, "event", "$merge is not taken here");
    rules.may_merge = true;
    CHECK_TAKEN(&rules, merge, merge);
    CHECK(helper_result.marks->lane == MP_LANE_IMPORT);
    rules.lane = MP_LANE_IMPORT;
    helper_record(&rules, identify);
    CHECK(helper_result.marks->lane == MP_LANE_EVENTS);
    helper_record(&rules, EVENT("\"a\":1"));
    CHECK(helper_result.marks->lane == MP_LANE_IMPORT);
}

CASE(refuses_what_is_no_event) {
    mp_ingest_rules rules = helper_rules(MP_LANE_EVENTS);
    CHECK_REFUSED(&rules, "[17]", "", "expected an object");
    CHECK_REFUSED(&rules, "{}", "", "the event has no name");
    CHECK_REFUSED(&rules, "{\"event\":\" \\t\"}", "event",
                  "the name of the event is blank");
    CHECK_REFUSED(&rules, "{\"event\":7}", "event", "expected a string");
    CHECK_REFUSED(&rules, "{\"event\":\"E\",\"properties\":[]}", "properties",
                  "expected an object");
    CHECK_REFUSED(&rules, EVENT("\"time\":1"), "properties.time",
                  "the name occurs twice in the object");
    CHECK_REFUSED(&rules, "{\"event\":\"E\",\"properties\":{\"time\":\"now\"}}",
                  "properties.time",
                  "expected seconds or milliseconds since the epoch");
    CHECK_REFUSED(&rules, "{\"event\":\"E\",\"properties\":{\"time\":12}}",
                  "properties.time",
                  "the time is before 1971: expected seconds or milliseconds "
                  "since the epoch");
}

CASE(refuses_names_that_occur_twice) {
    mp_ingest_rules rules = helper_rules(MP_LANE_EVENTS);
    const char *why = "the name occurs twice in the object";
    CHECK_REFUSED(&rules, EVENT("\"a\":1,\"\\u0061\":2"), "properties.a", why);
    CHECK_REFUSED(&rules, EVENT("\"o\":[{\"a\":1,\"b\":2,\"a\":3}]"),
                  "properties.o[1].a", why);
    CHECK_REFUSED(&rules, "{\"event\":\"E\",\"event\":\"F\"}", "event", why);
    CHECK_PROPERTY(&rules, "\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":1}",
                   "\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":1}");
}

/* Of `n` things: head, then middle with the number of each, then tail. */
static char *repeat(const char *head, const char *middle, int n,
                    const char *tail) {
    size_t room =
        strlen(head) + strlen(tail) + (size_t)n * (strlen(middle) + 12) + 1;
    char *text = malloc(room), *at = text + sprintf(text, "%s", head);
    for (int i = 0; i < n; i++) {
        at += i > 0 ? sprintf(at, ",") : 0;
        at += sprintf(at, middle, i);
    }
    strcpy(at, tail);
    return text;
}

static void check_limit(const char *head, const char *middle, int most,
                        const char *tail, const char *where, const char *why) {
    mp_ingest_rules rules = helper_rules(MP_LANE_EVENTS);
    char *text = repeat(head, middle, most, tail);
    helper_record(&rules, text);
    free(text);
    text = repeat(head, middle, most + 1, tail);
    CHECK_REFUSED(&rules, text, where, why);
    free(text);
}

static void check_nesting(size_t most) {
    mp_ingest_rules rules = helper_rules(MP_LANE_EVENTS);
    char brackets[2100], text[3000];
    for (size_t n = most; n <= 1000; n += 1000 - most) {
        memset(brackets, '[', n);
        memset(brackets + n, ']', n);
        brackets[2 * n] = '\0';
        snprintf(text, sizeof text, EVENT("\"l\":%s"), brackets);
        CHECK(helper_read(&rules, text, strlen(text)) == MP_OK);
        CHECK(helper_result.taken == (n == most));
    }
}

CASE(refuses_a_record_that_is_too_long) {
    mp_ingest_rules rules = helper_rules(MP_LANE_EVENTS);
    size_t n = MP_RECORD_MAX;
    static const char head[] = "{\"event\":\"E\",\"properties\":{\"token\":"
                               "\"T\",\"a\":\"";
    char *text = malloc(n + 300), *at = text + sizeof head - 1;
    memcpy(text, head, sizeof head);
    memset(at, 'x', n);
    strcpy(at + n, "\"}}");
    CHECK(helper_read(&rules, text, strlen(text)) == MP_OK);
    CHECK(helper_result.taken == 0 && helper_result.refused == 1);
    CHECK(strstr(helper_result.refusals->reason, "takes at most 1048576"));
    free(text);
}

CASE(refuses_what_is_too_old) {
    mp_ingest_rules rules = helper_rules(MP_LANE_EVENTS);
    rules.oldest_ms = 1700000000001;
    CHECK_REFUSED(&rules, EVENT("\"a\":1"), "", "the event is too old");
    CHECK(helper_result.refusals->expired);
    rules.oldest_ms--;
    helper_record(&rules, EVENT("\"a\":1"));
}

CASE(leaves_out_what_is_excluded) {
    mp_ingest_rules rules = helper_rules(MP_LANE_EVENTS);
    mp_dict excluded = {0};
    CHECK(mp_dict_set(&excluded, "a", 1, "", 0) == MP_OK);
    CHECK(mp_dict_set(&excluded, "\\n", 2, "", 0) == MP_OK);
    rules.excluded = &excluded;
    CHECK_PROPERTY(&rules,
                   "\"\\u0061\":{\"x\":[1]},\"o\":{\"a\":1},\"\\u000a\":2,"
                   "\"a\":3",
                   "\"o\":{\"a\":1}");
    mp_dict_clear(&excluded);
}

CASE(keeps_other_members) {
    mp_ingest_rules rules = helper_rules(MP_LANE_EVENTS);
    CHECK_TAKEN(&rules,
                "{\"$mp_metadata\":{\"$mp_event_id\":\"1\"},\"event\":\"E\","
                "\"properties\":{\"token\":\"T\",\"distinct_id\":\"\","
                "\"$insert_id\":\"i\",\"time\":1700000000}}",
                "{\"$mp_metadata\":{\"$mp_event_id\":\"1\"},\"event\":\"E\","
                "\"properties\":{\"token\":\"T\",\"distinct_id\":\"\","
                "\"$insert_id\":\"i\",\"time\":1700000000}}");
}

CASE(knows_mixpanel_s_limits) {
    mp_ingest_rules rules = helper_rules(MP_LANE_EVENTS);
    static const char head[] = "{\"event\":\"E\",\"properties\":{\"token\":"
                               "\"T\",";
    char list[200], object[200];
    check_limit(head, "\"p%d\":1", 254, "}}", "properties",
                "more than 254 properties");
    snprintf(list, sizeof list, "%s\"l\":[", head);
    check_limit(list, "%d", 254, "]}}", "properties.l",
                "the list has more than 254 elements");
    snprintf(object, sizeof object, "%s\"o\":{", head);
    check_limit(object, "\"k%d\":1", 254, "}}}", "properties.o",
                "the object has more than 254 keys");
    CHECK_REFUSED(&rules, EVENT("\"a\":{\"b\":{\"c\":[{\"d\":{}}]}}"),
                  "properties.a.b.c[1].d",
                  "objects lie deeper than 3 levels in a property");
    check_nesting(32);
}

int main(void) {
    RUN(keeps_what_is_given);
    RUN(keeps_the_time_as_it_is_written);
    RUN(rewrites_only_what_json_does_not_demand);
    RUN(repairs_text_or_refuses_it);
    RUN(knows_the_largest_double);
    RUN(gives_what_is_missing);
    RUN(derives_an_insert_id_from_the_bytes);
    RUN(tells_equal_records_apart_by_their_position);
    RUN(replaces_an_insert_id_that_is_none);
    RUN(knows_its_tokens);
    RUN(places_the_visitor_s_address);
    RUN(reads_ids);
    RUN(tells_identity_apart);
    RUN(refuses_what_is_no_event);
    RUN(refuses_names_that_occur_twice);
    RUN(refuses_a_record_that_is_too_long);
    RUN(refuses_what_is_too_old);
    RUN(leaves_out_what_is_excluded);
    RUN(keeps_other_members);
    RUN(knows_mixpanel_s_limits);
    mp_ingest_free(helper_ingest);
    return unit_result();
}
