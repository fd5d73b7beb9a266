/* Any bytes as definitions of flags, or, after a first byte that is even, as a
 * rule of one; a line break ends them, and the JSON of a context follows.
 * Whatever is taken is decided, twice the same. */
#include "fuzz.h"

#include "../c/flag_helper.h"

static mp_flag_set *compile(const char *text, size_t len) {
    char message[MP_MESSAGE] = "";
    mp_flag_set *set = NULL;
    mp_err err = mp_flag_set_compile(text, len, &set, message);
    MUST(err == MP_OK || (err == MP_INVALID && message[0]));
    return set;
}

static mp_flag_set *compile_rule(const char *rule, size_t len) {
    static const char before[] =
        "{\"flags\":[{\"key\":\"f\",\"context\":\"id\",\"ruleset\":{"
        "\"variants\":[{\"key\":\"v\"}],\"rollout\":[{"
        "\"rollout_percentage\":1,\"runtime_evaluation_rule\":";
    static const char behind[] = "}]}}]}";
    mp_buf text = {0};
    MUST(mp_buf_puts(&text, before) == MP_OK);
    MUST(mp_buf_add(&text, rule, len) == MP_OK);
    MUST(mp_buf_puts(&text, behind) == MP_OK);
    mp_flag_set *set = compile(text.data, text.len);
    mp_buf_free(&text);
    return set;
}

static void decide(const mp_flag_set *set, json_t *json) {
    mp_context context = {0};
    for (uint32_t i = 0; i < mp_flag_set_count(set); i++) {
        const mp_flag *flag = mp_flag_set_at(set, i);
        MUST(mp_flag_set_find(set, flag->key.as.text, flag->key.len) == flag);
        mp_flag_decision first = helper_decide(flag, &context, json);
        mp_flag_decision second = helper_decide(flag, &context, json);
        MUST((first.variant != NULL) == (first.reason == MP_FLAG_DECIDED));
        MUST(first.variant == second.variant);
        MUST(first.reason == second.reason);
        MUST(first.rule_fault == second.rule_fault);
    }
    mp_context_free(&context);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char empty[] = "{\"id\":1,\"custom_properties\":{}}";
    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    const char *end = memchr(text, '\n', size - 1);
    size_t len = end ? (size_t)(end - text) : size - 1;
    json_error_t why;
    mp_parse_set_up(1);
    mp_flag_set *set =
        data[0] % 2 == 0 ? compile_rule(text, len) : compile(text, len);
    json_t *json =
        end ? mp_parse_any_key(end + 1, size - len - 2, 0, &why) : NULL;
    if (!json)
        json = mp_parse(empty, sizeof empty - 1, 0, &why);
    if (set)
        decide(set, json);
    json_decref(json);
    mp_flag_set_drop(set);
    return 0;
}
