#include "ingest_helper.h"

#include "core/record/line.h"

#define UPDATE(operation)                                                      \
    "{\"$token\":\"T\",\"$distinct_id\":\"d\"," operation "}"
#define CHECK_UPDATE(rules, operation, expected)                               \
    CHECK_TAKEN((rules), UPDATE(operation), UPDATE(expected))

CASE(takes_every_operation) {
    mp_ingest_rules rules = helper_rules(MP_LANE_PEOPLE);
    static const char *const plain[] = {
        "\"$set\":{\"a\":1,\"b\":[{\"c\":\"d\"}]}",
        "\"$set\":{}",
        "\"$set_once\":{\"a\":null}",
        "\"$union\":{\"a\":[1,2]}",
        "\"$remove\":{\"a\":1}",
        "\"$unset\":[\"a\",\"b\"]",
        "\"$delete\":\"\"",
        "\"$delete\":null",
    };
    static const char *const cumulative[] = {
        "\"$add\":{\"a\":-1.5}",
        "\"$append\":{\"$transactions\":{\"$amount\":9.5,"
        "\"$time\":\"2026-01-02T03:04:05\"}}",
    };
    char text[300], expected[300];
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        snprintf(text, sizeof text, UPDATE("%s"), plain[i]);
        snprintf(expected, sizeof expected, UPDATE("%s"), plain[i]);
        CHECK_TAKEN(&rules, text, expected);
        CHECK(helper_result.records && helper_result.records->kind == MP_PLAIN);
    }
    for (size_t i = 0; i < sizeof cumulative / sizeof *cumulative; i++) {
        snprintf(text, sizeof text, UPDATE("%s"), cumulative[i]);
        snprintf(expected, sizeof expected, UPDATE("%s"), cumulative[i]);
        CHECK_TAKEN(&rules, text, expected);
        CHECK(helper_result.records->kind == MP_NON_IDEMPOTENT);
    }
}

CASE(wraps_what_must_be_a_list) {
    mp_ingest_rules rules = helper_rules(MP_LANE_PEOPLE);
    CHECK_UPDATE(&rules, "\"$union\":{\"a\":1,\"b\":\"x\"}",
                 "\"$union\":{\"a\":[1],\"b\":[\"x\"]}");
    CHECK_UPDATE(&rules, "\"$unset\":\"a\"", "\"$unset\":[\"a\"]");
}

CASE(keeps_modifiers_and_what_it_does_not_know) {
    mp_ingest_rules rules = helper_rules(MP_LANE_PEOPLE);
    CHECK_UPDATE(&rules,
                 "\"$set\":{\"a\":1},\"$device_id\":\"x\",\"$user_id\":\"d\","
                 "\"$had_persisted_distinct_id\":true,\"$ignore_time\":true,"
                 "\"$ip\":\"1.2.3.4\",\"$time\":1700000000123",
                 "\"$set\":{\"a\":1},\"$device_id\":\"x\",\"$user_id\":\"d\","
                 "\"$had_persisted_distinct_id\":true,\"$ignore_time\":true,"
                 "\"$ip\":\"1.2.3.4\",\"$time\":1700000000123");
}

CASE(gives_address_and_time) {
    mp_ingest_rules rules = helper_rules(MP_LANE_PEOPLE);
    rules.no_address = true;
    rules.profile_time = true;
    CHECK_TAKEN(&rules, UPDATE("\"$set\":{}"),
                UPDATE("\"$set\":{},\"$ip\":\"0\",\"$time\":1795460000123"));
    CHECK_TAKEN(&rules, UPDATE("\"$set\":{},\"$ip\":1e999"),
                UPDATE("\"$set\":{},\"$ip\":\"0\",\"$time\":1795460000123"));
    rules.address = "2001:db8::1";
    CHECK_TAKEN(&rules,
                UPDATE("\"$set\":{},\"$ip\":\"9.9.9.9\","
                       "\"$ignore_time\":true"),
                UPDATE("\"$set\":{},\"$ignore_time\":true,"
                       "\"$ip\":\"2001:db8::1\""));
}

CASE(hashes_the_ids_as_they_are_read_back) {
    mp_ingest_rules rules = helper_rules(MP_LANE_PEOPLE);
    static const char *const texts[] = {
        "{\"$token\":\"T\",\"$distinct_id\":\"\\u00e9\",\"$set\":{}}",
        "{\"$token\":\"T\",\"$set\":{},\"$distinct_id\":12}",
        "{\"$distinct_id\":\"a\xff\",\"$set\":{}}",
        "{\"$group_id\":\"i\\/d\",\"$set\":{},\"$group_key\":\"k\"}",
    };
    rules.token_optional = true;
    for (size_t i = 0; i < 4; i++) {
        mp_record back;
        rules.lane = i < 3 ? MP_LANE_PEOPLE : MP_LANE_GROUPS;
        const mp_record *record = helper_record(&rules, texts[i]);
        CHECK(mp_line_read(record->head, record->head_len,
                           &mp_endpoints[rules.lane], NULL, &back,
                           NULL) == MP_OK);
        CHECK(back.ordering_key == record->ordering_key &&
              back.kind == record->kind);
        CHECK(record->ordering_key != 0);
    }
}

CASE(refuses_what_is_no_update) {
    mp_ingest_rules rules = helper_rules(MP_LANE_PEOPLE);
    CHECK_REFUSED(&rules, "{\"$token\":\"T\",\"$set\":{}}", "",
                  "$distinct_id is missing");
    CHECK_REFUSED(&rules,
                  "{\"$token\":\"T\",\"$distinct_id\":\"\",\"$set\":{}}",
                  "$distinct_id", "an empty id names nobody");
    CHECK_REFUSED(&rules, "{\"$distinct_id\":\"d\",\"$set\":{}}", "$token",
                  "the token is missing or empty");
    CHECK_REFUSED(&rules, UPDATE("\"$ip\":\"1.2.3.4\""), "",
                  "no operation, as $set");
    CHECK_REFUSED(&rules, UPDATE("\"$set\":7"), "$set", "expected an object");
    CHECK_REFUSED(&rules, UPDATE("\"$add\":{\"a\":\"1\"}"), "$add.a",
                  "expected a number");
    CHECK_REFUSED(&rules, UPDATE("\"$union\":{\"a\":[]}"), "$union.a",
                  "an empty list changes nothing");
    CHECK_REFUSED(&rules, UPDATE("\"$union\":{\"a\":{}}"), "$union.a",
                  "expected a list");
    CHECK_REFUSED(&rules, UPDATE("\"$union\":{}"), "$union",
                  "an empty object changes nothing");
    CHECK_REFUSED(&rules, UPDATE("\"$unset\":[]"), "$unset",
                  "an empty list removes nothing");
    CHECK_REFUSED(&rules, UPDATE("\"$unset\":[1]"), "$unset",
                  "expected a list of at most 2000 names");
    CHECK_REFUSED(&rules, UPDATE("\"$set\":{\"a\":1,\"a\":2}"), "$set.a",
                  "the name occurs twice in the object");
    CHECK_REFUSED(&rules, UPDATE("\"$set\":{},\"$set\":{}"), "$set",
                  "the name occurs twice in the object");
}

CASE(takes_groups) {
    mp_ingest_rules rules = helper_rules(MP_LANE_GROUPS);
    CHECK_TAKEN(&rules,
                "{\"$token\":\"T\",\"$group_key\":\"company\","
                "\"$group_id\":7,\"$set\":{\"a\":1}}",
                "{\"$token\":\"T\",\"$group_key\":\"company\","
                "\"$group_id\":\"7\",\"$set\":{\"a\":1}}");
    CHECK_REFUSED(&rules,
                  "{\"$token\":\"T\",\"$group_key\":\"company\",\"$set\":{}}",
                  "", "$group_id is missing");
    CHECK_REFUSED(&rules,
                  "{\"$token\":\"T\",\"$group_key\":\"company\","
                  "\"$group_id\":\"x\",\"$add\":{\"a\":1}}",
                  "", "no operation, as $set");
}

CASE(leaves_out_what_is_excluded) {
    mp_ingest_rules rules = helper_rules(MP_LANE_PEOPLE);
    mp_dict excluded = {0};
    CHECK(mp_dict_set(&excluded, "secret", 6, "", 0) == MP_OK);
    rules.excluded = &excluded;
    CHECK_UPDATE(&rules, "\"$set\":{\"secret\":1,\"a\":2}",
                 "\"$set\":{\"a\":2}");
    CHECK_UPDATE(&rules, "\"$set\":{\"secret\":1},\"$unset\":[\"b\"]",
                 "\"$unset\":[\"b\"]");
    const char *nothing = UPDATE("\"$set\":{\"secret\":1}");
    CHECK(helper_read(&rules, nothing, strlen(nothing)) == MP_OK);
    CHECK(helper_result.taken == 0 && helper_result.refused == 0);
    CHECK(helper_result.left_out == 1);
    mp_dict_clear(&excluded);
}

int main(void) {
    RUN(takes_every_operation);
    RUN(wraps_what_must_be_a_list);
    RUN(keeps_modifiers_and_what_it_does_not_know);
    RUN(gives_address_and_time);
    RUN(hashes_the_ids_as_they_are_read_back);
    RUN(refuses_what_is_no_update);
    RUN(takes_groups);
    RUN(leaves_out_what_is_excluded);
    mp_ingest_free(helper_ingest);
    return unit_result();
}
