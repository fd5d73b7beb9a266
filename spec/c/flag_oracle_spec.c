/* Generated definitions and contexts, decided as Mixpanel's Node SDK decided
 * them: spec/fixtures/flags/recorded.jsonl, or the file that is named, one as
 * spec/fixtures/flags/record.js writes it. */
#include "flag_helper.h"
#include "unit.h"

#include <stdlib.h>

static const char *path = "spec/fixtures/flags/recorded.jsonl";
static size_t pairs;

static void complain(const char *what, const mp_flag *flag, json_t *definition,
                     json_t *context, const char *got, const char *wanted) {
    char *flag_text = json_dumps(definition, JSON_COMPACT);
    char *context_text = json_dumps(context, JSON_COMPACT);
    unit_bad = 1;
    fprintf(stderr, "%s of %s: got %s, Node has %s\n  %s\n  %s\n", what,
            flag->key.as.text, got, wanted, flag_text, context_text);
    free(flag_text);
    free(context_text);
}

static void check_decision(const mp_flag *flag, json_t *definition,
                           mp_context *context, json_t *json,
                           const char *wanted) {
    char got[256];
    mp_flag_decision decision = helper_decide(flag, context, json);
    if (decision.variant)
        snprintf(got, sizeof got, "%s%s",
                 decision.is_test_user ? "test user: " : "",
                 decision.variant->key.as.text);
    else
        snprintf(got, sizeof got, "%s", mp_flag_reason_name(decision.reason));
    if (strcmp(got, wanted) != 0)
        complain("decision", flag, definition, json, got, wanted);
}

/* The value of a flag's first rule, of which decisions show only whether it is
 * true. */
static void check_value(const mp_flag *flag, json_t *definition,
                        mp_context *context, json_t *json, const char *wanted) {
    mp_value value;
    mp_buf text = {0};
    if (strcmp(wanted, "-") == 0)
        return;
    mp_context_begin(context);
    helper_tell(context, json_object_get(json, "custom_properties"));
    mp_rule_result result =
        mp_rule_apply(flag->rollouts[0].rule, mp_context_value(context),
                      &context->arena, &value);
    CHECK((result == MP_RULE_TRUE ? mp_value_write(&value, &text)
                                  : mp_buf_puts(&text, "error")) == MP_OK);
    CHECK(mp_buf_add(&text, "", 1) == MP_OK);
    if (result == MP_RULE_LIMIT || strcmp(text.data, wanted) != 0)
        complain("rule", flag, definition, json, text.data, wanted);
    mp_buf_free(&text);
}

static const char *result_at(const json_t *line, const char *results,
                             size_t flag, size_t context) {
    const json_t *of_flag =
        json_array_get(json_object_get(line, results), flag);
    return json_string_value(json_array_get(of_flag, context));
}

static void check_line(const json_t *line) {
    char message[MP_MESSAGE];
    const char *fault;
    mp_flag_set *set;
    json_t *definitions = json_object_get(line, "definitions"), *json;
    json_t *contexts = json_object_get(line, "contexts");
    char *text = json_dumps(definitions, 0);
    mp_context context = {0};
    CHECK(mp_flag_set_compile(text, strlen(text), &set, message) == MP_OK);
    CHECK(mp_flag_set_faults(set, &fault) == 0);
    for (uint32_t i = 0; i < mp_flag_set_count(set); i++) {
        const mp_flag *flag = mp_flag_set_at(set, i);
        json_t *definition =
            json_array_get(json_object_get(definitions, "flags"), i);
        size_t j;
        json_array_foreach(contexts, j, json) {
            check_decision(flag, definition, &context, json,
                           result_at(line, "decisions", i, j));
            if (flag->rollout_count > 0 && flag->rollouts[0].rule)
                check_value(flag, definition, &context, json,
                            result_at(line, "values", i, j));
            pairs++;
        }
    }
    mp_context_free(&context);
    mp_flag_set_drop(set);
    free(text);
}

CASE(flags_are_decided_as_node_decides_them) {
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    CHECK(file != NULL);
    while (file && (n = getline(&line, &room, file)) > 0) {
        json_error_t why;
        /* There are integers that only JavaScript can read as such. */
        json_t *json = mp_parse(line, (size_t)n, JSON_DECODE_INT_AS_REAL, &why);
        CHECK(json != NULL);
        if (json)
            check_line(json);
        json_decref(json);
    }
    CHECK(pairs >= 5000);
    free(line);
    if (file)
        fclose(file);
}

int main(int argc, char **argv) {
    mp_parse_set_up(1);
    if (argc > 1)
        path = argv[1];
    RUN(flags_are_decided_as_node_decides_them);
    printf("%zu pairs\n", pairs);
    return unit_result();
}
