/* The table of operators, and those that are no more than a line. */
#include "core/flags/coerce.h"
#include "core/flags/compare_ops.h"
#include "core/flags/rule_data.h"
#include "core/flags/rule_number.h"
#include "core/flags/rule_text.h"

#include <string.h>

static bool put(mp_value *out, bool result) {
    *out = mp_value_boolean(result);
    return true;
}

/* ---- equality ---- */

static bool same(rule_run *run, const mp_value *data, rule_args args,
                 mp_value *out) {
    (void)run, (void)data;
    mp_value a = rule_arg(args, 0), b = rule_arg(args, 1);
    return put(out, mp_coerce_same(&a, &b));
}

static bool not_same(rule_run *run, const mp_value *data, rule_args args,
                     mp_value *out) {
    (void)run, (void)data;
    mp_value a = rule_arg(args, 0), b = rule_arg(args, 1);
    return put(out, !mp_coerce_same(&a, &b));
}

static bool is_equal(rule_run *run, rule_args args, bool *equal) {
    mp_value a = rule_arg(args, 0), b = rule_arg(args, 1);
    return mp_coerce_equal(&a, &b, run->arena, equal) || rule_no_room(run);
}

static bool equal(rule_run *run, const mp_value *data, rule_args args,
                  mp_value *out) {
    (void)data;
    bool result;
    return is_equal(run, args, &result) && put(out, result);
}

static bool not_equal(rule_run *run, const mp_value *data, rule_args args,
                      mp_value *out) {
    (void)data;
    bool result;
    return is_equal(run, args, &result) && put(out, !result);
}

/* ---- order ---- */

/* Whether the operands ascend: two, or three. */
static bool ascend(rule_run *run, rule_args args, bool or_equal,
                   mp_value *out) {
    mp_value a = rule_arg(args, 0), b = rule_arg(args, 1),
             c = rule_arg(args, 2);
    bool result;
    if (!mp_coerce_less(&a, &b, or_equal, run->arena, &result))
        return rule_no_room(run);
    if (result && c.kind != MP_VALUE_UNDEFINED &&
        !mp_coerce_less(&b, &c, or_equal, run->arena, &result))
        return rule_no_room(run);
    return put(out, result);
}

/* Whether the first two operands descend. */
static bool descend(rule_run *run, rule_args args, bool or_equal,
                    mp_value *out) {
    const mp_value swapped[] = {rule_arg(args, 1), rule_arg(args, 0)};
    return ascend(run, (rule_args){swapped, 2}, or_equal, out);
}

static bool less(rule_run *run, const mp_value *data, rule_args args,
                 mp_value *out) {
    (void)data;
    return ascend(run, args, false, out);
}

static bool less_or_equal(rule_run *run, const mp_value *data, rule_args args,
                          mp_value *out) {
    (void)data;
    return ascend(run, args, true, out);
}

static bool greater(rule_run *run, const mp_value *data, rule_args args,
                    mp_value *out) {
    (void)data;
    return descend(run, args, false, out);
}

static bool greater_or_equal(rule_run *run, const mp_value *data,
                             rule_args args, mp_value *out) {
    (void)data;
    return descend(run, args, true, out);
}

static bool semver(rule_run *run, const mp_value *data, rule_args args,
                   mp_value *out) {
    (void)run, (void)data;
    return put(out, mp_compare_semver(args.values, args.count));
}

static bool datetime(rule_run *run, const mp_value *data, rule_args args,
                     mp_value *out) {
    (void)run, (void)data;
    return put(out, mp_compare_datetime(args.values, args.count));
}

/* ---- truth ---- */

static bool is_true(rule_run *run, const mp_value *data, rule_args args,
                    mp_value *out) {
    (void)run, (void)data;
    mp_value value = rule_arg(args, 0);
    return put(out, mp_coerce_truth(&value));
}

static bool not(rule_run * run, const mp_value *data, rule_args args,
                mp_value *out) {
    (void)run, (void)data;
    mp_value value = rule_arg(args, 0);
    return put(out, !mp_coerce_truth(&value));
}

/* Whoever evaluates a flag wants no line on the terminal. */
static bool no_log(rule_run *run, const mp_value *data, rule_args args,
                   mp_value *out) {
    (void)run, (void)data;
    *out = rule_arg(args, 0);
    return true;
}

static const rule_operator operators[] = {
    {"var", .operation = rule_var, .reads = true},
    {"==", .operation = equal},
    {"===", .operation = same},
    {"!=", .operation = not_equal},
    {"!==", .operation = not_same},
    {">", .operation = greater},
    {">=", .operation = greater_or_equal},
    {"<", .operation = less},
    {"<=", .operation = less_or_equal},
    {"!!", .operation = is_true},
    {"!", .operation = not },
    {"and", .control = rule_and},
    {"or", .control = rule_or},
    {"in", .operation = rule_in},
    {"semver_compare", .operation = semver},
    {"datetime_compare", .operation = datetime},
    {"if", .control = rule_if},
    {"?:", .control = rule_if},
    {"+", .operation = rule_add},
    {"-", .operation = rule_subtract},
    {"*", .operation = rule_multiply},
    {"/", .operation = rule_divide},
    {"%", .operation = rule_remainder},
    {"min", .operation = rule_min},
    {"max", .operation = rule_max},
    {"cat", .operation = rule_cat},
    {"substr", .operation = rule_substr},
    {"merge", .operation = rule_merge},
    {"log", .operation = no_log},
    {"missing", .operation = rule_missing, .reads = true},
    {"missing_some", .operation = rule_missing_some, .reads = true},
    {"filter", .control = rule_filter, .scopes = true},
    {"map", .control = rule_map, .scopes = true},
    {"reduce", .control = rule_reduce, .scopes = true},
    {"all", .control = rule_all, .scopes = true},
    {"none", .control = rule_none, .scopes = true},
    {"some", .control = rule_some, .scopes = true},
};

const rule_operator *rule_operator_find(const char *name) {
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (strcmp(operators[i].name, name) == 0)
            return &operators[i];
    return NULL;
}
