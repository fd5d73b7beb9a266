#include "core/flags/variants.h"

#include "core/flags/value_json.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mp_variants {
    atomic_uint references;
    mp_arena arena; /* of the object */
    mp_value all;
    mp_variants_times times;
};

/* ---- reading ---- */

/* Takes what is no variant out of the answer. */
static void leave_out_faulty(json_t *flags) {
    const char *flag;
    void *next;
    json_t *variant;
    json_object_foreach_safe(flags, next, flag, variant) {
        if (!json_is_string(json_object_get(variant, "variant_key")))
            json_object_del(flags, flag);
    }
}

static mp_err read_flags(json_t *root, mp_variants *variants,
                         char message[MP_MESSAGE]) {
    json_t *flags = json_object_get(root, "flags");
    if (!json_is_object(flags)) {
        snprintf(message, MP_MESSAGE,
                 "/flags: no object with a member \"flags\" that is one");
        return MP_INVALID;
    }
    leave_out_faulty(flags);
    mp_err err = mp_value_from_json(flags, MP_VALUE_AS_IS, MP_VALUE_LEVELS,
                                    &variants->arena, &variants->all);
    if (err == MP_INVALID)
        snprintf(message, MP_MESSAGE, "/flags: a value of more than %d levels",
                 MP_VALUE_LEVELS);
    return err;
}

static mp_err read_text(const char *text, size_t len, mp_variants *variants,
                        char message[MP_MESSAGE]) {
    json_error_t why;
    if (len > MP_VARIANTS_BYTES) {
        snprintf(message, MP_MESSAGE, "/flags: more than %d bytes",
                 MP_VARIANTS_BYTES);
        return MP_INVALID;
    }
    json_t *root = mp_value_parse(text, len, &why);
    if (!root) {
        snprintf(message, MP_MESSAGE, "/flags: no JSON: %.200s", why.text);
        return mp_parse_failure(&why);
    }
    mp_err err = read_flags(root, variants, message);
    json_decref(root);
    return err;
}

mp_err mp_variants_read(const char *text, size_t len,
                        const mp_variants_times *times, mp_variants **out,
                        char message[MP_MESSAGE]) {
    snprintf(message, MP_MESSAGE, "out of memory");
    mp_variants *variants = calloc(1, sizeof *variants);
    if (!variants)
        return MP_MEMORY;
    atomic_init(&variants->references, 1);
    variants->times = *times;
    mp_err err = read_text(text, len, variants, message);
    if (err == MP_OK)
        *out = variants;
    else
        mp_variants_drop(variants);
    return err;
}

/* ---- references ---- */

mp_variants *mp_variants_keep(mp_variants *variants) {
    atomic_fetch_add_explicit(&variants->references, 1, memory_order_relaxed);
    return variants;
}

void mp_variants_drop(mp_variants *variants) {
    if (!variants || atomic_fetch_sub(&variants->references, 1) > 1)
        return;
    mp_arena_free(&variants->arena);
    free(variants);
}

/* ---- looking up ---- */

mp_variants_times mp_variants_when(const mp_variants *variants) {
    return variants->times;
}

const mp_value *mp_variants_find(const mp_variants *variants, const char *flag,
                                 size_t len) {
    return mp_value_member(&variants->all, flag, len);
}

mp_value mp_variants_field(const mp_value *variant, const char *name) {
    const mp_value *value = mp_value_member(variant, name, strlen(name));
    return value ? *value : mp_value_undefined();
}

const mp_value *mp_variants_all(const mp_variants *variants) {
    return &variants->all;
}
