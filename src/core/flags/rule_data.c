#include "core/flags/rule_data.h"

#include "core/flags/coerce.h"
#include "core/flags/utf8.h"

#include <math.h>

bool rule_var(rule_run *run, const mp_value *data, rule_args args,
              mp_value *out) {
    mp_value name = rule_arg(args, 0), otherwise = rule_arg(args, 1);
    if (!rule_look_up(run, data, &name, out))
        return false;
    bool is_data = name.kind <= MP_VALUE_NULL ||
                   (name.kind == MP_VALUE_TEXT && name.len == 0);
    if (out->kind == MP_VALUE_UNDEFINED && !is_data)
        *out =
            otherwise.kind == MP_VALUE_UNDEFINED ? mp_value_null() : otherwise;
    return true;
}

/* json-logic-js takes a key that is such an object for a rule, which data is
 * not. */
static bool looks_like_rule(const mp_value *value) {
    return value->kind == MP_VALUE_OBJECT && value->len == 1;
}

/* Whether what a key leads to is null or ""; a key that is an array is a var's
 * operands. */
static bool is_missing(rule_run *run, const mp_value *data, const mp_value *key,
                       bool *missing) {
    mp_value value;
    rule_args args = {key, 1};
    if (key->kind == MP_VALUE_ARRAY)
        args = (rule_args){key->as.items, key->len};
    for (size_t i = 0; i < args.count; i++)
        if (looks_like_rule(&args.values[i]))
            return rule_error(run);
    if (!rule_var(run, data, args, &value))
        return false;
    *missing = value.kind == MP_VALUE_NULL ||
               (value.kind == MP_VALUE_TEXT && value.len == 0);
    return true;
}

/* The keys are the first operand if that is an array, else all operands. */
bool rule_missing(rule_run *run, const mp_value *data, rule_args args,
                  mp_value *out) {
    rule_args keys = args;
    if (args.count > 0 && args.values[0].kind == MP_VALUE_ARRAY)
        keys = (rule_args){args.values[0].as.items, args.values[0].len};
    mp_value *items = mp_arena_array(run->arena, keys.count, sizeof *items);
    if (!items)
        return rule_no_room(run);
    uint32_t count = 0;
    for (size_t i = 0; i < keys.count; i++) {
        bool missing = false;
        if (!is_missing(run, data, &keys.values[i], &missing))
            return false;
        if (missing)
            items[count++] = keys.values[i];
    }
    *out = (mp_value){.kind = MP_VALUE_ARRAY, .len = count, .as.items = items};
    return true;
}

/* How many options there are: the length that JavaScript sees. */
static double length_of(const mp_value *options) {
    if (options->kind == MP_VALUE_ARRAY)
        return options->len;
    if (options->kind == MP_VALUE_TEXT)
        return (double)mp_utf8_units(options->as.text, options->len);
    return NAN;
}

bool rule_missing_some(rule_run *run, const mp_value *data, rule_args args,
                       mp_value *out) {
    mp_value need = rule_arg(args, 0), options = rule_arg(args, 1);
    rule_args keys = {&options, 1};
    bool enough;
    if (options.kind <= MP_VALUE_NULL)
        return rule_error(run);
    if (options.kind == MP_VALUE_ARRAY)
        keys = (rule_args){options.as.items, options.len};
    if (!rule_missing(run, data, keys, out))
        return false;
    mp_value found = mp_value_number(length_of(&options) - out->len);
    if (!mp_coerce_less(&need, &found, true, run->arena, &enough))
        return rule_no_room(run);
    if (enough)
        out->len = 0;
    return true;
}
