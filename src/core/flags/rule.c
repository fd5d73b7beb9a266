#include "core/flags/rule.h"

#include "core/flags/coerce.h"
#include "core/flags/rule_state.h"
#include "core/flags/value_json.h"

#include <string.h>

/* ---- compiling ---- */

static mp_err compile(json_t *json, int levels, mp_arena *arena, mp_rule *rule);

static mp_err compile_literal(json_t *json, int levels, mp_arena *arena,
                              mp_rule *rule) {
    rule->kind = RULE_LITERAL;
    return mp_value_from_json(json, MP_VALUE_LOWER_TEXT, levels, arena,
                              &rule->literal);
}

/* The operands: the items of an array, or the one value that is none. */
static mp_err compile_rules(json_t *json, int levels, mp_arena *arena,
                            mp_rule *rule) {
    bool array = json_is_array(json);
    size_t count = array ? json_array_size(json) : 1;
    rule->rules = mp_arena_array(arena, count, sizeof *rule->rules);
    if (!rule->rules)
        return mp_arena_failure(arena);
    rule->count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        mp_err err = compile(array ? json_array_get(json, i) : json, levels,
                             arena, &rule->rules[i]);
        if (err != MP_OK)
            return err;
    }
    return MP_OK;
}

static bool all_literal(const mp_rule *rule) {
    for (uint32_t i = 0; i < rule->count; i++)
        if (rule->rules[i].kind != RULE_LITERAL)
            return false;
    return true;
}

static mp_err compile_list(json_t *json, int levels, mp_arena *arena,
                           mp_rule *rule) {
    rule->kind = RULE_LIST;
    mp_err err = compile_rules(json, levels - 1, arena, rule);
    return err == MP_OK && all_literal(rule)
               ? compile_literal(json, levels, arena, rule)
               : err;
}

/* Makes a path of a var whose name is known: it is split once. */
static mp_err compile_path(mp_arena *arena, mp_rule *rule) {
    mp_value text;
    const mp_value *name = &rule->rules[0].literal;
    if (name->kind <= MP_VALUE_NULL ||
        (name->kind == MP_VALUE_TEXT && name->len == 0))
        return MP_OK; /* all of the data */
    if (!mp_coerce_text(name, arena, &text) ||
        !rule_split(arena, &text, &rule->literal))
        return mp_arena_failure(arena);
    rule->kind = RULE_PATH;
    rule->count = rule->count > 1 ? 1 : 0;
    rule->rules++;
    return MP_OK;
}

static mp_err compile_operator(json_t *json, int levels, mp_arena *arena,
                               mp_rule *rule) {
    void *member = json_object_iter(json);
    rule->operator= rule_operator_find(json_object_iter_key(member));
    rule->kind = rule->operator? RULE_APPLY : RULE_UNKNOWN;
    mp_err err =
        compile_rules(json_object_iter_value(member), levels - 1, arena, rule);
    if (err == MP_OK &&
        rule->operator&& rule->operator->control == NULL &&
            strcmp(rule->operator->name, "var") == 0 &&
        rule->count > 0 && rule->rules[0].kind == RULE_LITERAL)
        err = compile_path(arena, rule);
    return err;
}

static mp_err compile(json_t *json, int levels, mp_arena *arena,
                      mp_rule *rule) {
    *rule = (mp_rule){0};
    if (levels < 0)
        return MP_INVALID;
    if (json_is_array(json))
        return compile_list(json, levels, arena, rule);
    if (json_is_object(json) && json_object_size(json) == 1)
        return compile_operator(json, levels, arena, rule);
    return compile_literal(json, levels, arena, rule);
}

mp_err mp_rule_compile(json_t *json, mp_arena *arena, const mp_rule **out) {
    mp_rule *rule = mp_arena_take(arena, sizeof *rule);
    if (!rule)
        return mp_arena_failure(arena);
    *out = rule;
    return compile(json, MP_VALUE_LEVELS, arena, rule);
}

/* ---- applying ---- */

mp_rule_result mp_rule_apply(const mp_rule *rule, const mp_value *data,
                             mp_arena *arena, mp_value *out) {
    rule_run run = {arena, MP_RULE_STEPS, MP_RULE_TRUE};
    *out = mp_value_undefined();
    rule_evaluate(&run, rule, data, out);
    return run.result;
}

mp_rule_result mp_rule_holds(const mp_rule *rule, const mp_value *data,
                             mp_arena *arena) {
    mp_value value;
    mp_rule_result result = mp_rule_apply(rule, data, arena, &value);
    if (result == MP_RULE_TRUE && !mp_coerce_truth(&value))
        return MP_RULE_FALSE;
    return result;
}

/* ---- what it reads ---- */

static mp_err add_name(mp_rule_reads *reads, mp_arena *arena,
                       const mp_value *name) {
    for (uint32_t i = 0; i < reads->count; i++)
        if (mp_coerce_same(&reads->names[i], name))
            return MP_OK;
    if (reads->count == reads->cap) {
        uint32_t cap = reads->cap > 0 ? 2 * reads->cap : 4;
        mp_value *names = mp_arena_array(arena, cap, sizeof *names);
        if (!names)
            return mp_arena_failure(arena);
        if (reads->count > 0)
            memcpy(names, reads->names, reads->count * sizeof *names);
        reads->names = names;
        reads->cap = cap;
    }
    reads->names[reads->count++] = *name;
    return MP_OK;
}

mp_err mp_rule_add_reads(const mp_rule *rule, mp_arena *arena,
                         mp_rule_reads *reads) {
    if (rule->kind == RULE_PATH)
        return add_name(reads, arena, rule->literal.as.items);
    if (rule->kind == RULE_APPLY && rule->operator->reads)
        reads->all = true;
    bool scopes = rule->kind == RULE_APPLY && rule->operator->scopes;
    for (uint32_t i = 0; i < rule->count; i++) {
        if (scopes && i == 1)
            continue;
        mp_err err = mp_rule_add_reads(&rule->rules[i], arena, reads);
        if (err != MP_OK)
            return err;
    }
    return MP_OK;
}
