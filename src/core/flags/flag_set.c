#include "core/flags/flag_set.h"

#include "core/flags/fnv.h"
#include "core/flags/value_json.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mp_flag_set {
    atomic_uint references;
    mp_arena arena; /* all that follows */
    mp_flag *flags; /* in the server's order */
    uint32_t count;
    uint32_t *index; /* by the hash of the key: 1 + number of a flag, 0: free */
    uint32_t mask;   /* slots of the index, a power of two, less one */
    uint32_t faults;
    char first_fault[MP_MESSAGE];
};

/* ---- looking up ---- */

/* The slot of a key: its flag's, or the free one where that belongs. */
static uint32_t *slot_of(const mp_flag_set *set, const char *key, size_t len) {
    uint64_t at = mp_fnv64_add(MP_FNV64_EMPTY, key, len);
    for (;; at++) {
        uint32_t *slot = &set->index[at & set->mask];
        if (*slot == 0)
            return slot;
        const mp_value *other = &set->flags[*slot - 1].key;
        if (other->len == len && memcmp(other->as.text, key, len) == 0)
            return slot;
    }
}

uint32_t mp_flag_set_count(const mp_flag_set *set) {
    return set->count;
}

const mp_flag *mp_flag_set_at(const mp_flag_set *set, uint32_t i) {
    return &set->flags[i];
}

const mp_flag *mp_flag_set_find(const mp_flag_set *set, const char *key,
                                size_t len) {
    uint32_t found = *slot_of(set, key, len);
    return found > 0 ? &set->flags[found - 1] : NULL;
}

uint32_t mp_flag_set_faults(const mp_flag_set *set, const char **first) {
    *first = set->first_fault;
    return set->faults;
}

/* ---- compiling ---- */

static void note_fault(mp_flag_set *set, const json_t *json, size_t number,
                       const char *message) {
    const char *key = json_string_value(json_object_get(json, "key"));
    if (set->faults++ > 0)
        return;
    if (key)
        snprintf(set->first_fault, MP_MESSAGE, "flag \"%.64s\": %.160s", key,
                 message);
    else
        snprintf(set->first_fault, MP_MESSAGE, "flag number %zu: %.160s",
                 number + 1, message);
}

static mp_err add_flag(mp_flag_set *set, json_t *json, size_t number) {
    char message[MP_MESSAGE];
    mp_flag flag;
    mp_err err = mp_flag_compile(json, &set->arena, &flag, message);
    if (err == MP_MEMORY)
        return err;
    if (message[0])
        note_fault(set, json, number, message);
    if (err != MP_OK)
        return MP_OK;
    uint32_t *slot = slot_of(set, flag.key.as.text, flag.key.len);
    if (*slot == 0)
        *slot = ++set->count;
    set->flags[*slot - 1] = flag;
    return MP_OK;
}

static mp_err add_flags(mp_flag_set *set, const json_t *list) {
    size_t count = json_array_size(list), slots = 8;
    while (slots < 2 * count)
        slots *= 2;
    set->mask = (uint32_t)slots - 1;
    set->flags = mp_arena_array(&set->arena, count, sizeof *set->flags);
    set->index = mp_arena_array(&set->arena, slots, sizeof *set->index);
    if (!set->flags || !set->index)
        return mp_arena_failure(&set->arena);
    memset(set->index, 0, slots * sizeof *set->index);
    for (size_t i = 0; i < count; i++) {
        mp_err err = add_flag(set, json_array_get(list, i), i);
        if (err != MP_OK)
            return err;
    }
    return MP_OK;
}

static mp_err compile(const char *text, size_t len, mp_flag_set *set,
                      char message[MP_MESSAGE]) {
    json_error_t why;
    json_t *root = mp_value_parse(text, len, &why);
    if (!root) {
        snprintf(message, MP_MESSAGE, "they are no JSON: %.200s", why.text);
        return mp_parse_failure(&why);
    }
    const json_t *list = json_object_get(root, "flags");
    mp_err err = MP_INVALID;
    if (json_is_array(list))
        err = add_flags(set, list);
    else
        snprintf(message, MP_MESSAGE,
                 "they are no object with a member \"flags\" that is a list");
    json_decref(root);
    return err;
}

mp_err mp_flag_set_compile(const char *text, size_t len, mp_flag_set **out,
                           char message[MP_MESSAGE]) {
    if (len > MP_FLAG_SET_BYTES) {
        snprintf(message, MP_MESSAGE, "they have %zu bytes, more than %d", len,
                 MP_FLAG_SET_BYTES);
        return MP_INVALID;
    }
    mp_flag_set *set = calloc(1, sizeof *set);
    if (!set)
        return MP_MEMORY;
    atomic_init(&set->references, 1);
    mp_err err = compile(text, len, set, message);
    if (err == MP_OK)
        *out = set;
    else
        mp_flag_set_drop(set);
    return err;
}

/* ---- references ---- */

mp_flag_set *mp_flag_set_keep(mp_flag_set *set) {
    atomic_fetch_add_explicit(&set->references, 1, memory_order_relaxed);
    return set;
}

void mp_flag_set_drop(mp_flag_set *set) {
    if (!set || atomic_fetch_sub(&set->references, 1) > 1)
        return;
    mp_arena_free(&set->arena);
    free(set);
}
