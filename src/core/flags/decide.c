#include "core/flags/decide.h"

#include "core/flags/coerce.h"
#include "core/flags/fnv.h"
#include "core/flags/value_json.h"

#include <string.h>

/* ---- hash ---- */

static uint64_t hash_text(uint64_t hash, const mp_value *text) {
    return mp_fnv64_add(hash, text->as.text, text->len);
}

/* Of the text, whose hash is known, and a salt behind it. */
static double share_of(uint64_t hash, const mp_value *salt) {
    return (double)(hash_text(hash, salt) % 100) / 100.0;
}

double mp_decide_share(const mp_value *text, const mp_value *salt) {
    return share_of(hash_text(MP_FNV64_EMPTY, text), salt);
}

/* ---- test users ---- */

static const mp_variant *variant_of_test_user(const mp_flag *flag,
                                              const mp_value *id) {
    size_t from = 0, to = id->kind == MP_VALUE_TEXT ? flag->user_count : 0;
    while (from < to) {
        size_t middle = (from + to) / 2;
        const mp_test_user *user = &flag->users[middle];
        int order = mp_value_order(user->id.as.text, user->id.len, id->as.text,
                                   id->len);
        if (order == 0)
            return user->variant;
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

/* ---- rollouts ---- */

/* Whether the text of a property, in lower case, is that of another value. */
static mp_rule_result equals_text(const mp_value *value, const mp_value *other,
                                  mp_arena *arena) {
    mp_value a, b;
    uint32_t n, m;
    if (!mp_coerce_text(value, arena, &a) || !mp_coerce_text(other, arena, &b))
        return MP_RULE_LIMIT;
    const char *x = mp_value_lower(a.as.text, a.len, arena, &n);
    const char *y = mp_value_lower(b.as.text, b.len, arena, &m);
    if (!x || !y)
        return MP_RULE_LIMIT;
    return n == m && memcmp(x, y, n) == 0 ? MP_RULE_TRUE : MP_RULE_FALSE;
}

static mp_rule_result equals_all(const mp_value *wanted,
                                 const mp_value *properties, mp_arena *arena) {
    mp_rule_result result = MP_RULE_TRUE;
    if (properties->kind != MP_VALUE_OBJECT)
        return wanted->len == 0 ? MP_RULE_TRUE : MP_RULE_FALSE;
    for (uint32_t i = 0; result == MP_RULE_TRUE && i < wanted->len; i++) {
        const mp_member *member = &wanted->as.members[i];
        const mp_value *value =
            mp_value_member(properties, member->key, member->key_len);
        result =
            value ? equals_text(value, &member->value, arena) : MP_RULE_FALSE;
    }
    return result;
}

static bool fits(const mp_rollout *rollout, const mp_subject *subject,
                 mp_arena *arena, mp_rule_result *fault) {
    if (!rollout->rule && !rollout->equals)
        return true;
    if (!subject->properties)
        return false;
    mp_rule_result result =
        rollout->rule ? mp_rule_holds(rollout->rule, subject->properties, arena)
                      : equals_all(rollout->equals, subject->properties, arena);
    if (result == MP_RULE_ERROR || result == MP_RULE_LIMIT)
        *fault = result;
    return result == MP_RULE_TRUE;
}

/* A share is below 1. */
static bool is_in(const mp_rollout *rollout, uint64_t hash) {
    return rollout->percentage >= 1 ||
           share_of(hash, &rollout->salt) < rollout->percentage;
}

static const mp_variant *pick(const mp_flag *flag, const mp_rollout *rollout,
                              uint64_t hash) {
    if (rollout->always)
        return rollout->always;
    double share = share_of(hash, &flag->variant_salt);
    uint32_t i = 0;
    while (i + 1 < flag->variant_count && !(share < rollout->bounds[i]))
        i++;
    return &flag->variants[i];
}

mp_flag_decision mp_decide(const mp_flag *flag, const mp_subject *subject,
                           mp_arena *arena) {
    mp_flag_decision decision = {.reason = MP_FLAG_NO_ATTRIBUTE};
    if (subject->attribute.kind != MP_VALUE_TEXT)
        return decision;
    decision.variant = variant_of_test_user(flag, &subject->distinct_id);
    decision.is_test_user = decision.variant != NULL;
    uint64_t hash = hash_text(MP_FNV64_EMPTY, &subject->attribute);
    for (uint32_t i = 0; !decision.variant && i < flag->rollout_count; i++) {
        const mp_rollout *rollout = &flag->rollouts[i];
        if (is_in(rollout, hash) &&
            fits(rollout, subject, arena, &decision.rule_fault))
            decision.variant = pick(flag, rollout, hash);
    }
    decision.reason = decision.variant ? MP_FLAG_DECIDED : MP_FLAG_NO_ROLLOUT;
    return decision;
}

const char *mp_flag_reason_name(mp_flag_reason reason) {
    static const char *const names[] = {
        [MP_FLAG_DECIDED] = "",
        [MP_FLAG_NOT_READY] = "NOT_READY",
        [MP_FLAG_NOT_FOUND] = "FLAG_NOT_FOUND",
        [MP_FLAG_NO_ATTRIBUTE] = "MISSING_CONTEXT_KEY",
        [MP_FLAG_NO_ROLLOUT] = "NO_ROLLOUT_MATCH",
        [MP_FLAG_BAD_CONTEXT] = "INVALID_CONTEXT",
        [MP_FLAG_NO_ANSWER] = "BACKEND_ERROR",
    };
    return names[reason];
}
