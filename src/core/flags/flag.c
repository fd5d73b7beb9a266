#include "core/flags/flag.h"

#include "core/base/num.h"
#include "core/flags/coerce.h"
#include "core/flags/value_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct compiler {
    mp_arena *arena;
    mp_flag *flag;
    char *message;
    const mp_variant *given;    /* the variants as the server ordered them */
    const mp_value *lower_keys; /* theirs, in lower case */
} compiler;

static mp_err refuse(const compiler *c, const char *member) {
    snprintf(c->message, MP_MESSAGE,
             "its member \"%s\" is missing or not what it should be", member);
    return MP_INVALID;
}

/* ---- what it reads ---- */

bool mp_flag_reads(const mp_flag *flag, const char *name, size_t len) {
    const mp_rule_reads *reads = &flag->reads;
    for (uint32_t i = 0; !reads->all && i < reads->count; i++)
        if (reads->names[i].len == len &&
            memcmp(reads->names[i].as.text, name, len) == 0)
            return true;
    return reads->all;
}

bool mp_flag_reads_nothing(const mp_flag *flag) {
    return !flag->reads.all && flag->reads.count == 0;
}

/* ---- members ---- */

static mp_err get_text(const compiler *c, json_t *object, const char *member,
                       mp_value *out) {
    json_t *json = json_object_get(object, member);
    size_t len = json_string_length(json);
    if (len == 0)
        return refuse(c, member);
    const char *text = mp_arena_copy(c->arena, json_string_value(json), len);
    *out = mp_value_text(text, len);
    return text ? MP_OK : mp_arena_failure(c->arena);
}

/* A member of a type, which may be null or missing. */
static mp_err get_optional(const compiler *c, json_t *object,
                           const char *member, mp_value_kind kind,
                           mp_value *out) {
    json_t *json = json_object_get(object, member);
    *out = mp_value_undefined();
    if (!json)
        return MP_OK;
    mp_err err = mp_value_from_json(json, MP_VALUE_AS_IS, 0, c->arena, out);
    if (err == MP_MEMORY)
        return err;
    return err == MP_OK && (out->kind == kind || out->kind == MP_VALUE_NULL)
               ? MP_OK
               : refuse(c, member);
}

/* An array with at least `least` items. */
static mp_err get_list(const compiler *c, json_t *object, const char *member,
                       size_t least, json_t **out) {
    *out = json_object_get(object, member);
    return json_is_array(*out) && json_array_size(*out) >= least
               ? MP_OK
               : refuse(c, member);
}

/* A share of 1; 0 if it is null or missing. */
static mp_err get_share(const compiler *c, json_t *object, const char *member,
                        double *out) {
    mp_value value;
    mp_err err = get_optional(c, object, member, MP_VALUE_NUMBER, &value);
    *out = err == MP_OK && value.kind == MP_VALUE_NUMBER ? value.as.number : 0;
    return err;
}

/* One text of three. */
static mp_err make_salt(const compiler *c, const mp_value *a, const mp_value *b,
                        const mp_value *end, mp_value *out) {
    const mp_value parts[] = {*a, *b, *end};
    return mp_coerce_join(parts, 3, "", c->arena, out)
               ? MP_OK
               : mp_arena_failure(c->arena);
}

/* ---- variants ---- */

static int compare_variants(const void *a, const void *b) {
    const mp_value *x = &((const mp_variant *)a)->key;
    const mp_value *y = &((const mp_variant *)b)->key;
    int order =
        memcmp(x->as.text, y->as.text, x->len < y->len ? x->len : y->len);
    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

static mp_err read_variant(const compiler *c, json_t *json, mp_variant *variant,
                           mp_value *lower_key) {
    json_t *value = json_object_get(json, "value");
    uint32_t len;
    mp_err err = get_text(c, json, "key", &variant->key);
    if (err != MP_OK)
        return err;
    const char *lower =
        mp_value_lower(variant->key.as.text, variant->key.len, c->arena, &len);
    if (!lower)
        return mp_arena_failure(c->arena);
    *lower_key = mp_value_text(lower, len);
    variant->value = mp_value_null();
    if (value)
        err = mp_value_from_json(value, MP_VALUE_AS_IS, MP_VALUE_LEVELS,
                                 c->arena, &variant->value);
    if (err == MP_INVALID)
        return refuse(c, "ruleset.variants.value");
    return err == MP_OK ? get_share(c, json, "split", &variant->share) : err;
}

static mp_err read_variants(compiler *c, json_t *ruleset) {
    json_t *list;
    mp_err err = get_list(c, ruleset, "variants", 1, &list);
    if (err != MP_OK)
        return err;
    size_t count = json_array_size(list);
    mp_variant *given = mp_arena_array(c->arena, count, sizeof *given);
    mp_variant *sorted = mp_arena_array(c->arena, count, sizeof *sorted);
    mp_value *keys = mp_arena_array(c->arena, count, sizeof *keys);
    if (!given || !sorted || !keys)
        return mp_arena_failure(c->arena);
    for (size_t i = 0; err == MP_OK && i < count; i++)
        err = read_variant(c, json_array_get(list, i), &given[i], &keys[i]);
    if (err != MP_OK)
        return err;
    memcpy(sorted, given, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_variants);
    c->given = given;
    c->lower_keys = keys;
    c->flag->variants = sorted;
    c->flag->variant_count = (uint32_t)count;
    return MP_OK;
}

/* The variant whose key a JSON text is, but for its case: the first in the
 * server's order. NULL: none. */
static mp_err find_variant(const compiler *c, json_t *key,
                           const mp_variant **out) {
    uint32_t len;
    *out = NULL;
    if (!json_is_string(key))
        return MP_OK;
    const char *lower = mp_value_lower(json_string_value(key),
                                       json_string_length(key), c->arena, &len);
    if (!lower)
        return mp_arena_failure(c->arena);
    for (uint32_t i = 0; !*out && i < c->flag->variant_count; i++)
        if (c->lower_keys[i].len == len &&
            memcmp(c->lower_keys[i].as.text, lower, len) == 0)
            *out = &c->given[i];
    mp_arena_trim(c->arena, lower);
    return MP_OK;
}

/* ---- rollouts ---- */

/* Where the share of each variant ends, summed up one by one as all SDKs do,
 * so that sums round as theirs. */
static mp_err read_bounds(const compiler *c, json_t *json,
                          mp_rollout *rollout) {
    const mp_flag *flag = c->flag;
    json_t *splits = json_object_get(json, "variant_splits");
    double *bounds =
        mp_arena_array(c->arena, flag->variant_count, sizeof *bounds);
    double sum = 0;
    mp_err err = bounds ? MP_OK : mp_arena_failure(c->arena);
    for (uint32_t i = 0; err == MP_OK && i < flag->variant_count; i++) {
        const mp_variant *variant = &flag->variants[i];
        double share = variant->share;
        if (json_object_get(splits, variant->key.as.text))
            err = get_share(c, splits, variant->key.as.text, &share);
        sum += share;
        bounds[i] = sum;
    }
    rollout->bounds = bounds;
    return err;
}

/* JavaScript takes null, false, 0 and "" for no rule. */
static bool is_given(json_t *json) {
    return json && !json_is_null(json) && !json_is_false(json) &&
           !(json_is_number(json) && json_number_value(json) == 0) &&
           !(json_is_string(json) && json_string_length(json) == 0);
}

static mp_err read_rule(const compiler *c, json_t *json, mp_rollout *rollout) {
    mp_err err = mp_rule_compile(json, c->arena, &rollout->rule);
    if (err == MP_OK)
        return mp_rule_add_reads(rollout->rule, c->arena, &c->flag->reads);
    if (err == MP_MEMORY)
        return err;
    snprintf(c->message, MP_MESSAGE,
             "a rule of it is nested deeper than %d levels", MP_VALUE_LEVELS);
    rollout->rule = NULL;
    rollout->percentage = 0;
    return MP_OK;
}

static mp_err read_equals(const compiler *c, json_t *json,
                          mp_rollout *rollout) {
    mp_value *equals = mp_arena_take(c->arena, sizeof *equals);
    mp_err err = equals ? mp_value_from_json(json, MP_VALUE_LOWER_TEXT,
                                             MP_VALUE_LEVELS, c->arena, equals)
                        : mp_arena_failure(c->arena);
    if (err == MP_MEMORY)
        return err;
    if (err != MP_OK || equals->kind != MP_VALUE_OBJECT)
        return refuse(c, "ruleset.rollout.runtime_evaluation_definition");
    rollout->equals = equals;
    c->flag->reads.all = true;
    return MP_OK;
}

static mp_err read_rollout(const compiler *c, json_t *json,
                           const mp_value *salt, const mp_value *end,
                           mp_rollout *rollout) {
    json_t *rule = json_object_get(json, "runtime_evaluation_rule");
    json_t *equals = json_object_get(json, "runtime_evaluation_definition");
    json_t *percentage = json_object_get(json, "rollout_percentage");
    *rollout = (mp_rollout){.percentage = json_number_value(percentage)};
    if (!json_is_number(percentage))
        return refuse(c, "ruleset.rollout.rollout_percentage");
    mp_err err = make_salt(c, &c->flag->key, salt, end, &rollout->salt);
    if (err == MP_OK)
        err = find_variant(
            c,
            json_object_get(json_object_get(json, "variant_override"), "key"),
            &rollout->always);
    if (err == MP_OK)
        err = read_bounds(c, json, rollout);
    if (err == MP_OK && is_given(rule))
        err = read_rule(c, rule, rollout);
    else if (err == MP_OK && is_given(equals))
        err = read_equals(c, equals, rollout);
    return err;
}

static mp_err read_rollouts(const compiler *c, json_t *ruleset,
                            const mp_value *salt) {
    json_t *list;
    mp_err err = get_list(c, ruleset, "rollout", 0, &list);
    if (err != MP_OK)
        return err;
    size_t count = json_array_size(list);
    mp_rollout *rollouts = mp_arena_array(c->arena, count, sizeof *rollouts);
    if (!rollouts)
        return mp_arena_failure(c->arena);
    for (size_t i = 0; err == MP_OK && i < count; i++) {
        char index[MP_NUM_MAX] = "rollout";
        if (salt->kind == MP_VALUE_TEXT)
            *mp_num_uint64(index, i) = '\0';
        mp_value end = mp_value_text(index, strlen(index));
        err =
            read_rollout(c, json_array_get(list, i), salt, &end, &rollouts[i]);
    }
    c->flag->rollouts = rollouts;
    c->flag->rollout_count = (uint32_t)count;
    return err;
}

/* ---- test users ---- */

static int compare_users(const void *a, const void *b) {
    const mp_value *x = &((const mp_test_user *)a)->id;
    const mp_value *y = &((const mp_test_user *)b)->id;
    return mp_value_order(x->as.text, x->len, y->as.text, y->len);
}

static mp_err read_users(const compiler *c, json_t *ruleset) {
    json_t *all = json_object_get(json_object_get(ruleset, "test"), "users");
    size_t count = json_object_size(all), used = 0;
    mp_test_user *users = mp_arena_array(c->arena, count, sizeof *users);
    const char *id;
    json_t *variant;
    mp_err err = users ? MP_OK : mp_arena_failure(c->arena);
    json_object_foreach(all, id, variant) {
        mp_test_user *user = &users[used];
        if (err == MP_OK)
            err = find_variant(c, variant, &user->variant);
        if (err != MP_OK)
            return err;
        if (!user->variant)
            continue; /* as anybody else */
        const char *copy = mp_arena_copy(c->arena, id, strlen(id));
        if (!copy)
            return mp_arena_failure(c->arena);
        user->id = mp_value_text(copy, strlen(id));
        used++;
    }
    if (err == MP_OK)
        qsort(users, used, sizeof *users, compare_users);
    c->flag->users = users;
    c->flag->user_count = (uint32_t)used;
    return err;
}

/* ---- all of it ---- */

mp_err mp_flag_compile(json_t *json, mp_arena *arena, mp_flag *flag,
                       char message[MP_MESSAGE]) {
    compiler c = {.arena = arena, .flag = flag, .message = message};
    json_t *ruleset = json_object_get(json, "ruleset");
    mp_value salt, end = mp_value_text("variant", strlen("variant"));
    message[0] = '\0';
    *flag = (mp_flag){0};
    mp_err err = get_text(&c, json, "key", &flag->key);
    if (err == MP_OK)
        err = get_text(&c, json, "context", &flag->attribute);
    if (err == MP_OK)
        err = get_optional(&c, json, "experiment_id", MP_VALUE_TEXT,
                           &flag->experiment_id);
    if (err == MP_OK)
        err = get_optional(&c, json, "is_experiment_active", MP_VALUE_BOOLEAN,
                           &flag->is_experiment_active);
    if (err == MP_OK)
        err = get_optional(&c, json, "hash_salt", MP_VALUE_TEXT, &salt);
    if (err == MP_OK)
        err = make_salt(&c, &flag->key, &salt, &end, &flag->variant_salt);
    if (err == MP_OK)
        err = read_variants(&c, ruleset);
    if (err == MP_OK)
        err = read_rollouts(&c, ruleset, &salt);
    return err == MP_OK ? read_users(&c, ruleset) : err;
}
