/* Definitions of flags, and what is decided by them. */
#include "failing.h"
#include "flag_helper.h"
#include "unit.h"

static mp_flag_set *compile(const char *text) {
    char message[MP_MESSAGE] = "";
    mp_flag_set *set = NULL;
    CHECK(mp_flag_set_compile(text, strlen(text), &set, message) == MP_OK);
    if (!set)
        fprintf(stderr, "%s\n", message);
    return set;
}

/* The variant of the flag "f" for a context, "test user: …" in front for one,
 * or the reason why there is none. */
static const char *decide(const char *definitions, const char *context_text) {
    static char got[256];
    mp_flag_set *set = compile(definitions);
    const mp_flag *flag = set ? mp_flag_set_find(set, "f", 1) : NULL;
    mp_context context = {0};
    json_error_t why;
    json_t *json = mp_parse(context_text, strlen(context_text), 0, &why);
    mp_flag_decision decision = {.reason = MP_FLAG_NOT_FOUND};
    if (flag)
        decision = helper_decide(flag, &context, json);
    snprintf(got, sizeof got, "%s%s",
             decision.is_test_user ? "test user: " : "",
             decision.variant ? decision.variant->key.as.text
                              : mp_flag_reason_name(decision.reason));
    json_decref(json);
    mp_context_free(&context);
    mp_flag_set_drop(set);
    return got;
}

#define CHECK_DECISION(definitions, context, result)                           \
    do {                                                                       \
        const char *got = decide(definitions, context);                        \
        CHECK_TEXT(got, strlen(got), result);                                  \
    } while (0)

#define FLAGS(variants, rollout, more)                                         \
    "{\"flags\":[{\"key\":\"f\",\"context\":\"distinct_id\",\"ruleset\":{"     \
    "\"variants\":[" variants "],\"rollout\":[" rollout "]" more "}}]}"
#define TWO                                                                    \
    "{\"key\":\"control\",\"value\":false,\"split\":50.0},"                    \
    "{\"key\":\"treatment\",\"value\":true,\"split\":50.0}"
#define THREE(a, b, c)                                                         \
    "{\"key\":\"A\",\"value\":1" a "},{\"key\":\"B\",\"value\":2" b "},"       \
    "{\"key\":\"C\",\"value\":3" c "}"
#define ALL  "{\"rollout_percentage\":100.0}"
#define USER "{\"distinct_id\":\"user123\"}"

/* ---- what the SDKs publish ---- */

static double share(const char *text, const char *salt) {
    mp_value a = mp_value_text(text, strlen(text));
    mp_value b = mp_value_text(salt, strlen(salt));
    return mp_decide_share(&a, &b);
}

CASE(shares_are_those_of_all_sdks) {
    CHECK(share("abc", "variant") == 0.72);
    CHECK(share("def", "variant") == 0.21);
    CHECK(share("", "") == 0.37);
    CHECK(share("user-123", "test-salt") == 0.70);
    CHECK(share("user123", "test_flagabc0") == 0.89);
    CHECK(share("user123", "test_flagabcvariant") == 0.12);
    CHECK(share("\xc3\xbc-\xc3\xb1-\xe6\xbc\xa2\xe5\xad\x97-\xf0\x9f\x98\x80",
                "flagsalt0") == 0.71);
}

/* As the tests of the SDKs for Python and Go have it. */
CASE(decisions_are_those_of_python_and_go) {
    CHECK_DECISION("{\"flags\":[]}", USER, "FLAG_NOT_FOUND");
    CHECK_DECISION(FLAGS(TWO, ALL, ""), "{}", "MISSING_CONTEXT_KEY");
    CHECK_DECISION(FLAGS(TWO, "{\"rollout_percentage\":0.0}", ""), USER,
                   "NO_ROLLOUT_MATCH");
    CHECK_DECISION(FLAGS(THREE(",\"split\":100.0", "", ""), ALL, ""), USER,
                   "A");
    CHECK_DECISION(
        FLAGS(THREE(",\"split\":100.0", ",\"split\":0", ",\"split\":0"),
              "{\"rollout_percentage\":100.0,\"variant_splits\":"
              "{\"A\":0.0,\"B\":100.0,\"C\":0.0}}",
              ""),
        USER, "B");
    CHECK_DECISION(FLAGS(THREE("", "", ""),
                         "{\"rollout_percentage\":100.0,\"variant_splits\":"
                         "{\"A\":0.0,\"B\":0.0,\"C\":100.0}}",
                         ""),
                   USER, "C");
    CHECK_DECISION(FLAGS(THREE(",\"split\":100.0", "", ""),
                         "{\"rollout_percentage\":100.0,\"variant_override\":"
                         "{\"key\":\"b\"}}",
                         ""),
                   USER, "B");
    CHECK_DECISION(
        FLAGS(TWO, ALL, ",\"test\":{\"users\":{\"qa\":\"TREATMENT\"}}"),
        "{\"distinct_id\":\"qa\"}", "test user: treatment");
    CHECK_DECISION(FLAGS("{\"key\":\"only\",\"value\":1}", ALL,
                         ",\"test\":{\"users\":{\"qa\":\"none\"}}"),
                   "{\"distinct_id\":\"qa\"}", "only");
}

#define WHEN(rule)                                                             \
    FLAGS("{\"key\":\"on\",\"value\":true,\"split\":1.0}",                     \
          "{\"rollout_percentage\":1.0," rule "}", "")
#define PLAN(plan)                                                             \
    "{\"distinct_id\":\"u\",\"custom_properties\":{\"plan\":\"" plan "\"}}"

CASE(rules_choose_as_those_of_python_and_go) {
    static const char rule[] =
        WHEN("\"runtime_evaluation_rule\":{\"==\":[{\"var\":\"plan\"},"
             "\"premium\"]}");
    static const char legacy[] =
        WHEN("\"runtime_evaluation_definition\":{\"plan\":\"Premium\"}");
    CHECK_DECISION(rule, PLAN("Premium"), "on");
    CHECK_DECISION(rule, PLAN("free"), "NO_ROLLOUT_MATCH");
    CHECK_DECISION(rule, "{\"distinct_id\":\"u\"}", "NO_ROLLOUT_MATCH");
    CHECK_DECISION(legacy, PLAN("premium"), "on");
    CHECK_DECISION(legacy, PLAN("basic"), "NO_ROLLOUT_MATCH");
    CHECK_DECISION(legacy, "{\"distinct_id\":\"u\",\"custom_properties\":{}}",
                   "NO_ROLLOUT_MATCH");
}

/* ---- definitions ---- */

CASE(the_first_rollout_that_fits_decides) {
    CHECK_DECISION(
        FLAGS(THREE("", "", ",\"split\":1"),
              "{\"rollout_percentage\":1,\"runtime_evaluation_rule\":false},"
              "{\"rollout_percentage\":1}",
              ""),
        USER, "C");
    CHECK_DECISION(FLAGS(TWO, "", ""), USER, "NO_ROLLOUT_MATCH");
    CHECK_DECISION(
        FLAGS(TWO,
              "{\"rollout_percentage\":1,\"runtime_evaluation_rule\":"
              "{\"nope\":1}},{\"rollout_percentage\":1,\"variant_override\":"
              "{\"key\":\"control\"}}",
              ""),
        PLAN("x"), "control");
}

CASE(of_flags_with_one_key_the_last_counts) {
    mp_flag_set *set =
        compile("{\"flags\":[{\"key\":\"f\",\"context\":\"a\",\"ruleset\":"
                "{\"variants\":[" TWO "],\"rollout\":[]}},"
                "{\"key\":\"f\",\"context\":\"b\",\"ruleset\":"
                "{\"variants\":[" TWO "],\"rollout\":[]}}]}");
    CHECK(mp_flag_set_count(set) == 1);
    const mp_flag *flag = mp_flag_set_find(set, "f", 1);
    CHECK_TEXT(flag->attribute.as.text, flag->attribute.len, "b");
    CHECK(mp_flag_set_find(set, "g", 1) == NULL);
    mp_flag_set_drop(set);
}

CASE(what_is_no_answer_is_refused) {
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{}",
        "null",
        "{\"flags\":{}}",
        "{\"flags\":null}",
        "<html>",
        "{\"flags\":[]} x",
        "{\"flags\":[\"\\ud800\"]}",
        "{\"flags\":[1e999]}",
    };
    char message[MP_MESSAGE];
    mp_flag_set *set = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        message[0] = '\0';
        CHECK(mp_flag_set_compile(bad[i], strlen(bad[i]), &set, message) ==
              MP_INVALID);
        CHECK(message[0] != '\0' && set == NULL);
    }
}

static void check_fault(const char *definitions, uint32_t count,
                        const char *wanted) {
    const char *fault;
    mp_flag_set *set = compile(definitions);
    CHECK(mp_flag_set_faults(set, &fault) == (wanted[0] != '\0'));
    CHECK(mp_flag_set_count(set) == count);
    CHECK_TEXT(fault, strlen(fault), wanted);
    mp_flag_set_drop(set);
}

CASE(a_malformed_flag_is_left_out_and_named) {
    check_fault("{\"flags\":[1]}", 0,
                "flag number 1: its member \"key\" is missing or not what it "
                "should be");
    check_fault("{\"flags\":[{\"key\":\"f\",\"context\":5}]}", 0,
                "flag \"f\": its member \"context\" is missing or not what it "
                "should be");
    check_fault(FLAGS("", ALL, ""), 0,
                "flag \"f\": its member \"variants\" is missing or not what "
                "it should be");
    check_fault(FLAGS("{\"key\":\"a\",\"split\":\"1\"}", ALL, ""), 0,
                "flag \"f\": its member \"split\" is missing or not what it "
                "should be");
    check_fault(FLAGS(TWO, "{}", ""), 0,
                "flag \"f\": its member \"ruleset.rollout.rollout_percentage\" "
                "is missing or not what it should be");
    check_fault(FLAGS(TWO, ALL, ",\"test\":5"), 1, "");
    check_fault(
        FLAGS("{\"key\":\"a\",\"value\":123456789012345678901234}", ALL, ""), 1,
        "");
}

static char *deep_rule(int levels) {
    static char text[64 * 1024];
    char *at = stpcpy(text, "{\"flags\":[{\"key\":\"f\",\"context\":"
                            "\"distinct_id\",\"ruleset\":{\"variants\":[" TWO
                            "],\"rollout\":[{\"rollout_percentage\":1,"
                            "\"runtime_evaluation_rule\":");
    for (int i = 0; i < levels; i++)
        at = stpcpy(at, "{\"!\":[");
    at = stpcpy(at, "1");
    for (int i = 0; i < levels; i++)
        at = stpcpy(at, "]}");
    stpcpy(at, "}]}}]}");
    return text;
}

CASE(a_rule_of_too_many_levels_fits_nobody_and_is_named) {
    check_fault(deep_rule(64), 1, "");
    CHECK_DECISION(deep_rule(64), PLAN("x"), "control");
    check_fault(deep_rule(1000), 1,
                "flag \"f\": a rule of it is nested deeper than 64 levels");
    CHECK_DECISION(deep_rule(1000), PLAN("x"), "NO_ROLLOUT_MATCH");
}

CASE(definitions_have_16_mib) {
    static char text[MP_FLAG_SET_BYTES + 2];
    char message[MP_MESSAGE];
    mp_flag_set *set = NULL;
    memset(text, ' ', sizeof text);
    memcpy(text, "{\"flags\":[]}", 12);
    CHECK(mp_flag_set_compile(text, MP_FLAG_SET_BYTES, &set, message) == MP_OK);
    mp_flag_set_drop(set);
    CHECK(mp_flag_set_compile(text, MP_FLAG_SET_BYTES + 1, &set, message) ==
          MP_INVALID);
}

/* Out of memory wherever that can be: an error, and nothing leaks. */
CASE(memory_may_run_out) {
    static const char text[] =
        WHEN("\"runtime_evaluation_rule\":{\"and\":[{\"in\":[{\"var\":\"plan\"}"
             ",[\"a\",\"b\"]]},{\"var\":[\"x\",{\"a\":1,\"b\":[]}]}]}");
    char message[MP_MESSAGE];
    bool failed = true;
    for (long i = 1; failed; i++) {
        mp_flag_set *set = NULL;
        failing_arm(FAILING_OWN, i, 1);
        mp_err err = mp_flag_set_compile(text, sizeof text - 1, &set, message);
        failed = failing_disarm();
        CHECK(err == (failed ? MP_MEMORY : MP_OK) || (failed && err == MP_OK));
        CHECK((err == MP_OK) == (set != NULL));
        mp_flag_set_drop(set);
    }
}

/* ---- what a decision costs ---- */

CASE(only_what_rules_read_is_kept) {
    mp_flag_set *set =
        compile(WHEN("\"runtime_evaluation_rule\":{\"==\":[{\"var\":"
                     "\"Plan.x\"},{\"var\":\"b\"}]}"));
    const mp_flag *flag = mp_flag_set_at(set, 0);
    mp_context context = {0};
    CHECK(!mp_flag_reads_nothing(flag));
    mp_context_begin(&context);
    mp_context_open(&context);
    CHECK(mp_context_key(&context, "PLAN", 4, flag));
    mp_context_null(&context);
    CHECK(!mp_context_key(&context, "c", 1, flag));
    mp_context_close_object(&context);
    CHECK(mp_context_value(&context)->len == 1);
    mp_context_free(&context);
    mp_flag_set_drop(set);
}

/* Equal contexts after the first few. */
CASE(a_decision_allocates_nothing) {
    static const char text[] = WHEN(
        "\"runtime_evaluation_rule\":{\"and\":[{\"in\":[{\"var\":\"plan\"},"
        "[\"pro\",\"team\"]]},{\">\":[{\"var\":\"age\"},\"18\"]},"
        "{\"semver_compare\":[{\"var\":\"version\"},\">=\",\"1.2\"]},"
        "{\"==\":[{\"cat\":[{\"var\":\"plan\"},\"-\",{\"var\":\"age\"}]},"
        "\"pro-20\"]}]}");
    mp_flag_set *set = compile(text);
    mp_context context = {0};
    json_error_t why;
    static const char subject[] =
        "{\"distinct_id\":\"u\",\"custom_properties\":{\"Plan\":\"Pro\","
        "\"age\":20,\"version\":\"v1.3\",\"tags\":[1,2,3]}}";
    json_t *json = mp_parse(subject, sizeof subject - 1, 0, &why);
    for (int i = 0; i < 100; i++) {
        failing_arm(FAILING_OWN, i < 5 ? 1000000 : 1, 1);
        mp_flag_decision decision =
            helper_decide(mp_flag_set_at(set, 0), &context, json);
        CHECK(!failing_disarm());
        CHECK(decision.reason == MP_FLAG_DECIDED);
        CHECK(decision.rule_fault == MP_RULE_FALSE);
    }
    json_decref(json);
    mp_context_free(&context);
    mp_flag_set_drop(set);
}

int main(void) {
    mp_parse_set_up(1);
    RUN(shares_are_those_of_all_sdks);
    RUN(decisions_are_those_of_python_and_go);
    RUN(rules_choose_as_those_of_python_and_go);
    RUN(the_first_rollout_that_fits_decides);
    RUN(of_flags_with_one_key_the_last_counts);
    RUN(what_is_no_answer_is_refused);
    RUN(a_malformed_flag_is_left_out_and_named);
    RUN(a_rule_of_too_many_levels_fits_nobody_and_is_named);
    RUN(definitions_have_16_mib);
    RUN(memory_may_run_out);
    RUN(only_what_rules_read_is_kept);
    RUN(a_decision_allocates_nothing);
    return unit_result();
}
