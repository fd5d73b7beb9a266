#include "core/flags/flag.h"

#include "core/base/num.h"
#include "core/flags/coerce.h"
#include "core/flags/value_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first error stays: what is read behind it does nothing, and
 * mp_flag_compile asks once, at the end. */
typedef struct compiler {
    mp_err err;
    mp_arena *arena;
    mp_flag *flag;
    char *message;
    const mp_variant *given;    /* the variants as the server ordered them */
    const mp_value *lower_keys; /* theirs, in lower case */
} compiler;

static void fail(compiler *c, mp_err err) {
    if (c->err == MP_OK)
        c->err = err;
}

/* The arena has no more room for the flag. */
static void fail_room(compiler *c) {
    fail(c, mp_arena_failure(c->arena));
}

static void refuse(compiler *c, const char *member) {
    if (!c->err)
        snprintf(c->message, MP_MESSAGE,
                 "its member \"%s\" is missing or not what it should be",
                 member);
    fail(c, MP_INVALID);
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

static void get_text(compiler *c, json_t *object, const char *member,
                     mp_value *out) {
    json_t *json = json_object_get(object, member);
    size_t len = json_string_length(json);
    *out = mp_value_undefined();
    if (len == 0)
        refuse(c, member);
    if (c->err)
        return;
    const char *text = mp_arena_copy(c->arena, json_string_value(json), len);
    if (text)
        *out = mp_value_text(text, len);
    else
        fail_room(c);
}

/* A member of a type, which may be null or missing. */
static void get_optional(compiler *c, json_t *object, const char *member,
                         mp_value_kind kind, mp_value *out) {
    json_t *json = json_object_get(object, member);
    *out = mp_value_undefined();
    if (!json || c->err)
        return;
    mp_err err = mp_value_from_json(json, MP_VALUE_AS_IS, 0, c->arena, out);
    if (err == MP_MEMORY)
        fail(c, err);
    else if (err || (out->kind != kind && out->kind != MP_VALUE_NULL))
        refuse(c, member);
}

/* An array with at least `least` items; none after an error. */
static json_t *get_list(compiler *c, json_t *object, const char *member,
                        size_t least) {
    json_t *list = json_object_get(object, member);
    if (!json_is_array(list) || json_array_size(list) < least)
        refuse(c, member);
    return c->err ? NULL : list;
}

/* A share of 1; 0 if it is null or missing. */
static void get_share(compiler *c, json_t *object, const char *member,
                      double *out) {
    mp_value value;
    get_optional(c, object, member, MP_VALUE_NUMBER, &value);
    *out = value.kind == MP_VALUE_NUMBER ? value.as.number : 0;
}

/* One text of three. */
static void make_salt(compiler *c, const mp_value *a, const mp_value *b,
                      const mp_value *end, mp_value *out) {
    const mp_value parts[] = {*a, *b, *end};
    if (!c->err && !mp_coerce_join(parts, 3, "", c->arena, out))
        fail_room(c);
}

/* ---- variants ---- */

static int compare_variants(const void *a, const void *b) {
    const mp_value *x = &((const mp_variant *)a)->key;
    const mp_value *y = &((const mp_variant *)b)->key;
    int order =
        memcmp(x->as.text, y->as.text, x->len < y->len ? x->len : y->len);
    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

static void read_variant(compiler *c, json_t *json, mp_variant *variant,
                         mp_value *lower_key) {
    json_t *value = json_object_get(json, "value");
    uint32_t len;
    get_text(c, json, "key", &variant->key);
    if (c->err)
        return;
    const char *lower =
        mp_value_lower(variant->key.as.text, variant->key.len, c->arena, &len);
    if (!lower) {
        fail_room(c);
        return;
    }
    *lower_key = mp_value_text(lower, len);
    variant->value = mp_value_null();
    mp_err err = MP_OK;
    if (value)
        err = mp_value_from_json(value, MP_VALUE_AS_IS, MP_VALUE_LEVELS,
                                 c->arena, &variant->value);
    if (err == MP_INVALID)
        refuse(c, "ruleset.variants.value");
    fail(c, err);
    get_share(c, json, "split", &variant->share);
}

static void read_variants(compiler *c, json_t *ruleset) {
    json_t *list = get_list(c, ruleset, "variants", 1);
    size_t count = json_array_size(list);
    mp_variant *given = mp_arena_array(c->arena, count, sizeof *given);
    mp_variant *sorted = mp_arena_array(c->arena, count, sizeof *sorted);
    mp_value *keys = mp_arena_array(c->arena, count, sizeof *keys);
    if (!given || !sorted || !keys)
        fail_room(c);
    for (size_t i = 0; !c->err && i < count; i++)
        read_variant(c, json_array_get(list, i), &given[i], &keys[i]);
    if (c->err)
        return;
    memcpy(sorted, given, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_variants);
    c->given = given;
    c->lower_keys = keys;
    c->flag->variants = sorted;
    c->flag->variant_count = (uint32_t)count;
}

/* The variant whose key a JSON text is, but for its case: the first in the
 * server's order. NULL: none. */
static const mp_variant *find_variant(compiler *c, json_t *key) {
    uint32_t len;
    const mp_variant *found = NULL;
    if (c->err || !json_is_string(key))
        return NULL;
    const char *lower = mp_value_lower(json_string_value(key),
                                       json_string_length(key), c->arena, &len);
    if (!lower) {
        fail_room(c);
        return NULL;
    }
    for (uint32_t i = 0; !found && i < c->flag->variant_count; i++)
        if (c->lower_keys[i].len == len &&
            memcmp(c->lower_keys[i].as.text, lower, len) == 0)
            found = &c->given[i];
    mp_arena_trim(c->arena, lower);
    return found;
}

/* ---- rollouts ---- */

/* Where the share of each variant ends, summed up one by one as all SDKs do,
 * so that sums round as theirs. */
static void read_bounds(compiler *c, json_t *json, mp_rollout *rollout) {
    const mp_flag *flag = c->flag;
    json_t *splits = json_object_get(json, "variant_splits");
    double *bounds =
        mp_arena_array(c->arena, flag->variant_count, sizeof *bounds);
    double sum = 0;
    if (!bounds)
        fail_room(c);
    for (uint32_t i = 0; !c->err && i < flag->variant_count; i++) {
        const mp_variant *variant = &flag->variants[i];
        double share = variant->share;
        if (json_object_get(splits, variant->key.as.text))
            get_share(c, splits, variant->key.as.text, &share);
        sum += share;
        bounds[i] = sum;
    }
    rollout->bounds = bounds;
}

/* JavaScript takes null, false, 0 and "" for no rule. */
static bool is_given(json_t *json) {
    return json && !json_is_null(json) && !json_is_false(json) &&
           !(json_is_number(json) && json_number_value(json) == 0) &&
           !(json_is_string(json) && json_string_length(json) == 0);
}

static void read_rule(compiler *c, json_t *json, mp_rollout *rollout) {
    mp_err err = mp_rule_compile(json, c->arena, &rollout->rule);
    if (!err) {
        fail(c, mp_rule_add_reads(rollout->rule, c->arena, &c->flag->reads));
    } else if (err == MP_MEMORY) {
        fail(c, err);
    } else {
        snprintf(c->message, MP_MESSAGE,
                 "a rule of it is nested deeper than %d levels",
                 MP_VALUE_LEVELS);
        rollout->rule = NULL;
        rollout->percentage = 0;
    }
}

static void read_equals(compiler *c, json_t *json, mp_rollout *rollout) {
    mp_value *equals = mp_arena_take(c->arena, sizeof *equals);
    mp_err err = equals ? mp_value_from_json(json, MP_VALUE_LOWER_TEXT,
                                             MP_VALUE_LEVELS, c->arena, equals)
                        : mp_arena_failure(c->arena);
    if (err == MP_MEMORY)
        fail(c, err);
    else if (err || equals->kind != MP_VALUE_OBJECT)
        refuse(c, "ruleset.rollout.runtime_evaluation_definition");
    rollout->equals = equals;
    c->flag->reads.all = true;
}

static void read_rollout(compiler *c, json_t *json, const mp_value *salt,
                         const mp_value *end, mp_rollout *rollout) {
    json_t *rule = json_object_get(json, "runtime_evaluation_rule");
    json_t *equals = json_object_get(json, "runtime_evaluation_definition");
    json_t *percentage = json_object_get(json, "rollout_percentage");
    json_t *always = json_object_get(json, "variant_override");
    *rollout = (mp_rollout){.percentage = json_number_value(percentage)};
    if (!json_is_number(percentage))
        refuse(c, "ruleset.rollout.rollout_percentage");
    make_salt(c, &c->flag->key, salt, end, &rollout->salt);
    rollout->always = find_variant(c, json_object_get(always, "key"));
    read_bounds(c, json, rollout);
    if (c->err)
        return;
    if (is_given(rule))
        read_rule(c, rule, rollout);
    else if (is_given(equals))
        read_equals(c, equals, rollout);
}

static void read_rollouts(compiler *c, json_t *ruleset, const mp_value *salt) {
    json_t *list = get_list(c, ruleset, "rollout", 0);
    size_t count = json_array_size(list);
    mp_rollout *rollouts = mp_arena_array(c->arena, count, sizeof *rollouts);
    if (!rollouts)
        fail_room(c);
    for (size_t i = 0; !c->err && i < count; i++) {
        char index[MP_NUM_MAX] = "rollout";
        if (salt->kind == MP_VALUE_TEXT)
            *mp_num_uint64(index, i) = '\0';
        mp_value end = mp_value_text(index, strlen(index));
        read_rollout(c, json_array_get(list, i), salt, &end, &rollouts[i]);
    }
    c->flag->rollouts = rollouts;
    c->flag->rollout_count = (uint32_t)count;
}

/* ---- test users ---- */

static int compare_users(const void *a, const void *b) {
    const mp_value *x = &((const mp_test_user *)a)->id;
    const mp_value *y = &((const mp_test_user *)b)->id;
    return mp_value_order(x->as.text, x->len, y->as.text, y->len);
}

static void read_users(compiler *c, json_t *ruleset) {
    json_t *all = json_object_get(json_object_get(ruleset, "test"), "users");
    size_t count = json_object_size(all), used = 0;
    mp_test_user *users = mp_arena_array(c->arena, count, sizeof *users);
    const char *id;
    json_t *key;
    if (!users)
        fail_room(c);
    json_object_foreach(all, id, key) {
        const mp_variant *variant = find_variant(c, key);
        if (!variant)
            continue; /* as anybody else, or after an error */
        const char *copy = mp_arena_copy(c->arena, id, strlen(id));
        if (!copy)
            fail_room(c);
        else
            users[used++] =
                (mp_test_user){mp_value_text(copy, strlen(id)), variant};
    }
    if (c->err)
        return;
    qsort(users, used, sizeof *users, compare_users);
    c->flag->users = users;
    c->flag->user_count = (uint32_t)used;
}

/* ---- all of it ---- */

mp_err mp_flag_compile(json_t *json, mp_arena *arena, mp_flag *flag,
                       char message[MP_MESSAGE]) {
    compiler c = {.arena = arena, .flag = flag, .message = message};
    json_t *ruleset = json_object_get(json, "ruleset");
    mp_value salt, end = mp_value_text("variant", strlen("variant"));
    message[0] = '\0';
    *flag = (mp_flag){0};
    get_text(&c, json, "key", &flag->key);
    get_text(&c, json, "context", &flag->attribute);
    get_optional(&c, json, "experiment_id", MP_VALUE_TEXT,
                 &flag->experiment_id);
    get_optional(&c, json, "is_experiment_active", MP_VALUE_BOOLEAN,
                 &flag->is_experiment_active);
    get_optional(&c, json, "hash_salt", MP_VALUE_TEXT, &salt);
    make_salt(&c, &flag->key, &salt, &end, &flag->variant_salt);
    read_variants(&c, ruleset);
    read_rollouts(&c, ruleset, &salt);
    read_users(&c, ruleset);
    return c.err;
}
