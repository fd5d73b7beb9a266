/* Records that clients of this module made: they come out as they went in. */
#include "ingest_helper.h"

static mp_ingest_rules complete_rules(mp_lane_id lane) {
    mp_ingest_rules rules = helper_rules(lane);
    rules.complete = true;
    rules.may_merge = true;
    return rules;
}

#define CHECK_SAME(rules, text) CHECK_TAKEN((rules), (text), (text))

#define EVENT(time, more)                                                      \
    "{\"event\":\"E\",\"properties\":{\"token\":\"T\",\"time\":" time          \
    ",\"$insert_id\":\"i\"" more ",\"distinct_id\":\"\",\"n\":0.1}}"

CASE(events_stay_as_they_are) {
    mp_ingest_rules rules = complete_rules(MP_LANE_EVENTS);
    CHECK_SAME(&rules, EVENT("1700000000123", ",\"ip\":0"));
    CHECK_SAME(&rules, EVENT("1700000000123", ",\"ip\":null"));
    CHECK_SAME(&rules, EVENT("1700000000123", "")); /* with geolocate */
    CHECK_SAME(&rules, EVENT("1700000000.5", ""));
    CHECK_SAME(&rules, "{\"event\":\"$merge\",\"properties\":{\"token\":\"T\","
                       "\"time\":1700000000123,\"$insert_id\":\"i\","
                       "\"$distinct_ids\":[\"a\",\"b\"]}}");
}

/* From 31536000e3 on a number is milliseconds: those of 1971 to 1973 would be
 * seconds of a far future. */
CASE(a_time_is_read_as_it_was_meant) {
    static const struct {
        const char *text;
        int64_t time_ms;
    } rows[] = {
        {EVENT("31536000000", ""), 31536000000},
        {EVENT("50000000000", ""), 50000000000},
        {EVENT("1700000000123", ""), 1700000000123},
        {EVENT("253402300799999", ""), 253402300799999},
        {EVENT("1700000000", ""), 1700000000000},
        {EVENT("31535999999", ""), 31535999999000},
    };
    static const mp_lane_id lanes[] = {MP_LANE_EVENTS, MP_LANE_IMPORT,
                                       MP_LANE_COLLECTED};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t k = 0; k < 3; k++) {
            mp_ingest_rules rules = complete_rules(lanes[k]);
            const mp_record *record = helper_record(&rules, rows[i].text);
            CHECK(record->time_ms == rows[i].time_ms);
            if (lanes[k] != MP_LANE_IMPORT || i < 4)
                CHECK_TEXT(record->head, record->head_len, rows[i].text);
        }
    }
    mp_ingest_rules rules = complete_rules(MP_LANE_EVENTS);
    CHECK_REFUSED(&rules, EVENT("31535999", ""), "properties.time",
                  "the time is before 1971: expected seconds or milliseconds "
                  "since the epoch");
    CHECK_REFUSED(&rules, EVENT("253402300800000", ""), "properties.time",
                  "the time is after the year 9999: expected seconds or "
                  "milliseconds since the epoch");
}

CASE(updates_stay_as_they_are) {
    static const char *const people[] = {
        "{\"$token\":\"T\",\"$distinct_id\":\"d\",\"$set\":{\"a\":1}}",
        "{\"$token\":\"T\",\"$distinct_id\":\"d\",\"$ip\":\"0\",\"$time\":5,"
        "\"$add\":{\"a\":18446744073709551615}}",
        "{\"$token\":\"T\",\"$distinct_id\":\"d\",\"$ip\":null,"
        "\"$unset\":[\"a\"]}",
    };
    mp_ingest_rules rules = complete_rules(MP_LANE_PEOPLE);
    for (size_t i = 0; i < sizeof people / sizeof *people; i++)
        CHECK_SAME(&rules, people[i]);
    rules = complete_rules(MP_LANE_GROUPS);
    CHECK_SAME(&rules, "{\"$token\":\"T\",\"$group_key\":\"k\",\"$group_id\":"
                       "\"g\",\"$union\":{\"a\":[1]}}");
}

/* Nobody's records get more rights than those who sent them have. */
CASE(collected_identity_stays_collected) {
    mp_ingest_rules rules = complete_rules(MP_LANE_COLLECTED);
    rules.may_merge = false;
    CHECK_SAME(&rules, "{\"event\":\"$identify\",\"properties\":{\"token\":"
                       "\"T\",\"time\":1700000000,\"$insert_id\":\"i\","
                       "\"distinct_id\":\"d\"}}");
    CHECK(helper_result.marks->lane == MP_LANE_COLLECTED);
    CHECK(helper_result.records->kind == MP_IDENTITY);
}

CASE(a_text_in_doubt_is_refused_where_it_adds_up) {
    mp_ingest_rules rules = complete_rules(MP_LANE_PEOPLE);
    rules.doubt_end = UINT64_MAX;
    static const char add[] =
        "{\"$token\":\"T\",\"$distinct_id\":\"d\",\"$add\":{\"a\":1}}";
    CHECK_REFUSED(&rules, add, "",
                  "may have been applied before the interruption");
    CHECK_SAME(&rules,
               "{\"$token\":\"T\",\"$distinct_id\":\"d\",\"$set\":{\"a\":1}}");
}

int main(void) {
    RUN(events_stay_as_they_are);
    RUN(a_time_is_read_as_it_was_meant);
    RUN(updates_stay_as_they_are);
    RUN(collected_identity_stays_collected);
    RUN(a_text_in_doubt_is_refused_where_it_adds_up);
    return unit_result();
}
