/* What a line of a spool's file says of its record. */
#include "core/record/line.h"
#include "unit.h"

static mp_record record;
static bool foreign;

static mp_err read(mp_lane_id lane, const char *json) {
    foreign = false;
    return mp_line_read(json, strlen(json), &mp_endpoints[lane], "T", &record,
                        &foreign);
}

static mp_err event(const char *json) {
    return read(MP_LANE_EVENTS, json);
}

static mp_err profile(const char *json) {
    return read(MP_LANE_PEOPLE, json);
}

static uint64_t key_of(const char *id) {
    return mp_line_ordering_key(mp_line_ordering_seed(), id, strlen(id));
}

CASE(an_event_has_a_time_and_a_kind) {
    CHECK(event("{\"event\":\"E\",\"properties\":{\"time\":1700000000123}}") ==
          MP_OK);
    CHECK(record.time_ms == 1700000000123 && record.kind == MP_PLAIN);
    CHECK(event("{\"event\":\"\\u0024identify\",\"properties\":{}}") == MP_OK);
    CHECK(record.time_ms == 0 && record.kind == MP_IDENTITY);
    CHECK(event(" { \"properties\" : { \"time\" : 1700000000.5 } , "
                "\"event\" : \"$merge\" } ") == MP_OK);
    CHECK(record.time_ms == 1700000000500 && record.kind == MP_IDENTITY);
}

CASE(only_its_own_time_is_an_events) {
    CHECK(event("{\"event\":\"E\",\"time\":7e9,\"properties\":{\"a\":"
                "{\"time\":7e9},\"time\":\"7000000000\"}}") == MP_OK);
    CHECK(record.time_ms == 0);
    CHECK(event("{\"event\":\"E\",\"properties\":{\"time\":-7e9}}") == MP_OK);
    CHECK(record.time_ms == 0);
    CHECK(event("{\"event\":\"E\",\"properties\":{\"time\":1e300}}") == MP_OK);
    CHECK(record.time_ms == 0);
}

CASE(the_last_of_equal_names_counts) {
    CHECK(event("{\"event\":\"$merge\",\"event\":\"E\",\"properties\":{\"time\""
                ":7e9,\"token\":\"X\"},\"properties\":{\"time\":8e9,\"time\":"
                "9e9}}") == MP_OK);
    CHECK(record.kind == MP_PLAIN && record.time_ms == 9000000000000);
    CHECK(!foreign);
    CHECK(event("{\"event\":\"E\",\"properties\":{},\"properties\":1}") ==
          MP_INVALID);
}

CASE(a_profile_has_a_key_and_a_kind) {
    CHECK(profile("{\"$distinct_id\":\"u\\\"\\u00e9\",\"$set\":{}}") == MP_OK);
    CHECK(record.ordering_key == key_of("u\"\xc3\xa9"));
    CHECK(record.kind == MP_PLAIN && record.time_ms == 0);
    CHECK(profile("{\"$distinct_id\":\"u\",\"$set\":{},\"$\\u0061dd\":null}") ==
          MP_OK);
    CHECK(record.kind == MP_NON_IDEMPOTENT);
    CHECK(profile("{\"$distinct_id\":\"u\",\"$set\":{\"$add\":1}}") == MP_OK);
    CHECK(record.kind == MP_PLAIN);
}

CASE(a_group_has_both_in_its_key_whichever_comes_first) {
    CHECK(profile("{\"$group_key\":\"k\",\"$group_id\":\"i\"}") == MP_OK);
    uint64_t key = record.ordering_key;
    CHECK(key == mp_line_ordering_key(key_of("k"), "i", 1));
    CHECK(profile("{\"$group_id\":\"i\",\"$group_key\":\"k\"}") == MP_OK);
    CHECK(record.ordering_key == key);
    CHECK(profile("{\"$group_key\":\"k\"}") == MP_INVALID);
    CHECK(profile("{\"$group_key\":\"k\",\"$group_id\":1}") == MP_INVALID);
}

CASE(a_record_of_another_token_is_foreign) {
    CHECK(event("{\"event\":\"E\",\"properties\":{\"token\":\"T\"}}") == MP_OK);
    CHECK(!foreign);
    CHECK(event("{\"event\":\"E\",\"properties\":{\"token\":\"\\u0054\"}}") ==
          MP_OK);
    CHECK(!foreign);
    CHECK(event("{\"event\":\"E\",\"properties\":{\"token\":\"TT\"}}") ==
          MP_OK);
    CHECK(foreign);
    CHECK(event("{\"event\":\"E\",\"properties\":{\"token\":7}}") == MP_OK);
    CHECK(foreign);
    CHECK(event("{\"event\":\"E\",\"token\":\"X\",\"properties\":{}}") ==
          MP_OK);
    CHECK(!foreign);
    CHECK(profile("{\"$token\":\"X\",\"$distinct_id\":\"u\"}") == MP_OK);
    CHECK(foreign);
}

CASE(what_is_no_such_record_is_refused) {
    static const char *const none[] = {
        "",
        "7",
        "[]",
        "{}",
        "{\"event\":\"E\"}",
        "{\"event\":7,\"properties\":{}}",
        "{\"event\":\"E\",\"properties\":[]}",
        "{\"event\":\"E\",\"properties\":{}",
        "{\"event\":\"E\",\"properties\":{}}}",
        "{\"event\":\"E\",\"properties\":{}} 7",
        "{\"event\":\"E\",\"properties\":{},}",
        "{\"event\":\"E\",\"properties\":{\"a\":nul}}",
        "{\"event\":\"E\",\"properties\":{\"a\":\"\xff\"}}",
        "{\"event\":\"E\",\"properties\":{\"\xc3\":1}}",
        "{\"event\":\"E\",\"properties\":{\"a\":\"\n\"}}",
        "\xef\xbb\xbf{\"event\":\"E\",\"properties\":{}}",
    };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        CHECK(event(none[i]) == MP_INVALID);
        CHECK(profile(none[i]) == MP_INVALID);
        CHECK(!foreign);
    }
    CHECK(mp_line_read("{\"event\":\"E\",\"properties\":{}}\0", 32,
                       &mp_endpoints[MP_LANE_EVENTS], NULL, &record,
                       NULL) == MP_INVALID);
}

int main(void) {
    RUN(an_event_has_a_time_and_a_kind);
    RUN(only_its_own_time_is_an_events);
    RUN(the_last_of_equal_names_counts);
    RUN(a_profile_has_a_key_and_a_kind);
    RUN(a_group_has_both_in_its_key_whichever_comes_first);
    RUN(a_record_of_another_token_is_foreign);
    RUN(what_is_no_such_record_is_refused);
    return unit_result();
}
