#include "core/flags/coerce.h"
#include "core/flags/rule_state.h"
#include "core/flags/utf8.h"

#include <string.h>

enum {
    STEP_BYTES = 64, /* of operands that are looked at in one step */
    FEW = 4          /* operands that need no room of the arena */
};

bool rule_error(rule_run *run) {
    run->result = MP_RULE_ERROR;
    return false;
}

bool rule_no_room(rule_run *run) {
    run->result = MP_RULE_LIMIT;
    return false;
}

/* Takes a step, and more for what has to be looked at. False: none is left. */
static bool charge(rule_run *run, size_t bytes) {
    size_t steps = 1 + bytes / STEP_BYTES;
    if (steps > run->steps)
        return rule_no_room(run);
    run->steps -= (uint32_t)steps;
    return true;
}

static size_t size_of(const mp_value *value) {
    if (value->kind == MP_VALUE_TEXT)
        return value->len;
    return value->kind == MP_VALUE_ARRAY ? value->len * sizeof *value : 0;
}

/* ---- names ---- */

static size_t count_parts(const mp_value *name) {
    size_t count = 1;
    for (uint32_t i = 0; i < name->len; i++)
        count += name->as.text[i] == '.';
    return count;
}

bool rule_split(mp_arena *arena, const mp_value *name, mp_value *out) {
    size_t count = count_parts(name);
    mp_value *parts = mp_arena_array(arena, count, sizeof *parts);
    char *text = mp_arena_copy(arena, name->as.text, name->len);
    if (!parts || !text)
        return false;
    const char *end = text + name->len;
    for (size_t i = 0; i < count; i++) {
        size_t rest = (size_t)(end - text);
        char *dot = memchr(text, '.', rest);
        size_t len = dot ? (size_t)(dot - text) : rest;
        parts[i] = mp_value_text(text, len);
        text[len] = '\0';
        text += len + 1;
    }
    *out = (mp_value){
        .kind = MP_VALUE_ARRAY, .len = (uint32_t)count, .as.items = parts};
    return true;
}

/* The index that a name is; false: it is none below `len`. */
static bool to_index(const mp_value *name, size_t len, size_t *index) {
    size_t n = 0;
    if (name->len == 0 || (name->len > 1 && name->as.text[0] == '0'))
        return false;
    for (uint32_t i = 0; i < name->len; i++) {
        char c = name->as.text[i];
        if (c < '0' || c > '9' || n >= len)
            return false;
        n = 10 * n + (size_t)(c - '0');
    }
    *index = n;
    return n < len;
}

static bool is_length(const mp_value *name) {
    static const char length[] = "length";
    return name->len == sizeof length - 1 &&
           memcmp(name->as.text, length, name->len) == 0;
}

static bool text_member(rule_run *run, const mp_value *text,
                        const mp_value *name, mp_value *out) {
    size_t index;
    if (!charge(run, text->len))
        return false;
    size_t units = mp_utf8_units(text->as.text, text->len);
    if (is_length(name)) {
        *out = mp_value_number((double)units);
    } else if (to_index(name, units, &index)) {
        char *unit = mp_arena_take(run->arena, MP_UTF8_MAX + 1);
        if (!unit)
            return rule_no_room(run);
        char *end =
            mp_utf8_slice(text->as.text, text->len, index, index + 1, unit);
        *end = '\0';
        *out = mp_value_text(unit, (size_t)(end - unit));
    }
    return true;
}

/* value[name]; undefined if there is none. */
static bool member(rule_run *run, const mp_value *value, const mp_value *name,
                   mp_value *out) {
    size_t index;
    const mp_value *found = NULL;
    *out = mp_value_undefined();
    switch ((mp_value_kind)value->kind) {
    case MP_VALUE_OBJECT:
        found = mp_value_member(value, name->as.text, name->len);
        if (found)
            *out = *found;
        return true;
    case MP_VALUE_ARRAY:
        if (is_length(name))
            *out = mp_value_number(value->len);
        else if (to_index(name, value->len, &index))
            *out = value->as.items[index];
        return true;
    case MP_VALUE_TEXT:
        return text_member(run, value, name, out);
    default:
        return true;
    }
}

static bool descend(rule_run *run, const mp_value *data, const mp_value *parts,
                    mp_value *out) {
    mp_value at = *data;
    for (uint32_t i = 0; i < parts->len; i++) {
        mp_value from = at;
        if (!member(run, &from, &parts->as.items[i], &at))
            return false;
    }
    *out = at;
    return true;
}

bool rule_look_up(rule_run *run, const mp_value *data, const mp_value *name,
                  mp_value *out) {
    mp_value text, parts;
    if (name->kind <= MP_VALUE_NULL ||
        (name->kind == MP_VALUE_TEXT && name->len == 0)) {
        *out = *data;
        return true;
    }
    if (!mp_coerce_text(name, run->arena, &text) ||
        !rule_split(run->arena, &text, &parts))
        return rule_no_room(run);
    return descend(run, data, &parts, out);
}

/* ---- evaluating ---- */

static bool evaluate_path(rule_run *run, const mp_rule *rule,
                          const mp_value *data, mp_value *out) {
    mp_value otherwise = mp_value_null();
    if (rule->count > 0 &&
        !rule_evaluate(run, &rule->rules[0], data, &otherwise))
        return false;
    if (!descend(run, data, &rule->literal, out))
        return false;
    if (out->kind == MP_VALUE_UNDEFINED)
        *out =
            otherwise.kind == MP_VALUE_UNDEFINED ? mp_value_null() : otherwise;
    return true;
}

static bool evaluate_all(rule_run *run, const mp_rule *rule,
                         const mp_value *data, mp_value *values) {
    for (uint32_t i = 0; i < rule->count; i++)
        if (!rule_evaluate(run, &rule->rules[i], data, &values[i]))
            return false;
    return true;
}

static bool evaluate_list(rule_run *run, const mp_rule *rule,
                          const mp_value *data, mp_value *out) {
    mp_value *items = mp_arena_array(run->arena, rule->count, sizeof *items);
    if (!items)
        return rule_no_room(run);
    *out = (mp_value){
        .kind = MP_VALUE_ARRAY, .len = rule->count, .as.items = items};
    return evaluate_all(run, rule, data, items);
}

static bool evaluate_operation(rule_run *run, const mp_rule *rule,
                               const mp_value *data, mp_value *out) {
    mp_value few[FEW];
    mp_value *values =
        rule->count <= FEW
            ? few
            : mp_arena_array(run->arena, rule->count, sizeof *values);
    if (!values)
        return rule_no_room(run);
    if (!evaluate_all(run, rule, data, values))
        return false;
    size_t bytes = 0;
    for (uint32_t i = 0; i < rule->count; i++)
        bytes += size_of(&values[i]);
    return charge(run, bytes) &&
           rule->operator->operation(run, data,
                                     (rule_args){values, rule->count}, out);
}

bool rule_evaluate(rule_run *run, const mp_rule *rule, const mp_value *data,
                   mp_value *out) {
    if (!charge(run, 0))
        return false;
    switch (rule->kind) {
    case RULE_LITERAL:
        *out = rule->literal;
        return true;
    case RULE_LIST:
        return evaluate_list(run, rule, data, out);
    case RULE_PATH:
        return evaluate_path(run, rule, data, out);
    case RULE_APPLY:
        return rule->operator->control
                   ? rule->operator->control(run, rule, data, out)
                   : evaluate_operation(run, rule, data, out);
    case RULE_UNKNOWN:
        break;
    }
    return rule_error(run);
}
