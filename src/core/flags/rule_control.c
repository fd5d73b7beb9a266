/* The operators that evaluate their operands themselves. */
#include "core/flags/coerce.h"
#include "core/flags/rule_state.h"

/* The operand of a number; undefined if there is none. */
static bool operand(rule_run *run, const mp_rule *rule, uint32_t i,
                    const mp_value *data, mp_value *out) {
    *out = mp_value_undefined();
    return i >= rule->count || rule_evaluate(run, &rule->rules[i], data, out);
}

bool rule_if(rule_run *run, const mp_rule *rule, const mp_value *data,
             mp_value *out) {
    uint32_t i = 0;
    for (; i + 1 < rule->count; i += 2) {
        if (!operand(run, rule, i, data, out))
            return false;
        if (mp_coerce_truth(out))
            return operand(run, rule, i + 1, data, out);
    }
    if (i < rule->count)
        return operand(run, rule, i, data, out);
    *out = mp_value_null();
    return true;
}

/* The first operand that is as true as `end`, or the last. */
static bool first_of(rule_run *run, const mp_rule *rule, bool end,
                     const mp_value *data, mp_value *out) {
    *out = mp_value_undefined();
    for (uint32_t i = 0; i < rule->count; i++) {
        if (!operand(run, rule, i, data, out))
            return false;
        if (mp_coerce_truth(out) == end)
            break;
    }
    return true;
}

bool rule_and(rule_run *run, const mp_rule *rule, const mp_value *data,
              mp_value *out) {
    return first_of(run, rule, false, data, out);
}

bool rule_or(rule_run *run, const mp_rule *rule, const mp_value *data,
             mp_value *out) {
    return first_of(run, rule, true, data, out);
}

/* ---- over the items of an array ---- */

/* The array that is the first operand; anything else is one without items. */
static bool array_of(rule_run *run, const mp_rule *rule, const mp_value *data,
                     mp_value *array) {
    if (!operand(run, rule, 0, data, array))
        return false;
    if (array->kind != MP_VALUE_ARRAY)
        array->len = 0;
    return true;
}

/* Collects what the second operand makes of each item: its value, or with
 * `filter` the item if that is true. */
static bool collect(rule_run *run, const mp_rule *rule, bool filter,
                    const mp_value *data, mp_value *out) {
    mp_value array, value;
    if (!array_of(run, rule, data, &array))
        return false;
    mp_value *items = mp_arena_array(run->arena, array.len, sizeof *items);
    if (!items)
        return rule_no_room(run);
    uint32_t count = 0;
    for (uint32_t i = 0; i < array.len; i++) {
        const mp_value *item = &array.as.items[i];
        if (!operand(run, rule, 1, item, &value))
            return false;
        if (!filter || mp_coerce_truth(&value))
            items[count++] = filter ? *item : value;
    }
    *out = (mp_value){.kind = MP_VALUE_ARRAY, .len = count, .as.items = items};
    return true;
}

bool rule_filter(rule_run *run, const mp_rule *rule, const mp_value *data,
                 mp_value *out) {
    return collect(run, rule, true, data, out);
}

bool rule_map(rule_run *run, const mp_rule *rule, const mp_value *data,
              mp_value *out) {
    return collect(run, rule, false, data, out);
}

/* {"current": item, "accumulator": value} */
static bool make_scope(rule_run *run, const mp_value *item,
                       const mp_value *value, mp_value *scope) {
    static const char current[] = "current", accumulator[] = "accumulator";
    mp_member *members = mp_arena_array(run->arena, 2, sizeof *members);
    if (!members)
        return rule_no_room(run);
    members[0] = (mp_member){current, sizeof current - 1, *item};
    members[1] = (mp_member){accumulator, sizeof accumulator - 1, *value};
    *scope =
        (mp_value){.kind = MP_VALUE_OBJECT, .len = 2, .as.members = members};
    return true;
}

bool rule_reduce(rule_run *run, const mp_rule *rule, const mp_value *data,
                 mp_value *out) {
    mp_value array, scope, value = mp_value_null();
    if (!array_of(run, rule, data, &array) ||
        (rule->count > 2 && !operand(run, rule, 2, data, &value)))
        return false;
    for (uint32_t i = 0; i < array.len; i++) {
        mp_value before = value;
        if (!make_scope(run, &array.as.items[i], &before, &scope) ||
            !operand(run, rule, 1, &scope, &value))
            return false;
    }
    *out = value;
    return true;
}

typedef enum search_result {
    NO_ITEMS,
    NOT_FOUND,
    FOUND
} search_result;

/* Looks for an item of which the second operand is as true as `wanted`. */
static bool search(rule_run *run, const mp_rule *rule, bool wanted,
                   const mp_value *data, search_result *result) {
    mp_value array, value;
    if (!array_of(run, rule, data, &array))
        return false;
    *result = array.len > 0 ? NOT_FOUND : NO_ITEMS;
    for (uint32_t i = 0; i < array.len && *result != FOUND; i++) {
        if (!operand(run, rule, 1, &array.as.items[i], &value))
            return false;
        if (mp_coerce_truth(&value) == wanted)
            *result = FOUND;
    }
    return true;
}

bool rule_all(rule_run *run, const mp_rule *rule, const mp_value *data,
              mp_value *out) {
    search_result false_one;
    if (!search(run, rule, false, data, &false_one))
        return false;
    *out = mp_value_boolean(false_one == NOT_FOUND);
    return true;
}

bool rule_none(rule_run *run, const mp_rule *rule, const mp_value *data,
               mp_value *out) {
    search_result true_one;
    if (!search(run, rule, true, data, &true_one))
        return false;
    *out = mp_value_boolean(true_one != FOUND);
    return true;
}

bool rule_some(rule_run *run, const mp_rule *rule, const mp_value *data,
               mp_value *out) {
    search_result true_one;
    if (!search(run, rule, true, data, &true_one))
        return false;
    *out = mp_value_boolean(true_one == FOUND);
    return true;
}
