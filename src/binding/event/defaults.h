/* The properties that every event of a client or user carries, encoded once,
 * and the names that are never sent. */
#ifndef MP_DEFAULTS_H
#define MP_DEFAULTS_H

#include "binding/encode/encode.h"
#include "binding/event/reserved_value.h"

#include "core/base/dict.h"

enum {
    MP_DEFAULTS_MAX = MP_KEYS_MAX + 8 /* and the reserved names */
};

typedef struct mp_default {
    uint32_t start, end; /* of ,"name":value in the bytes */
    uint32_t name_len;
    uint32_t truncated;   /* texts and names over MP_TEXT_MAX in it */
    bool reserved, is_id; /* is_id: one that is not empty */
} mp_default;

typedef struct mp_defaults {
    mp_buf bytes;
    uint64_t bits;              /* of the names: see mp_name_bit */
    unsigned reserved;          /* set of mp_reserved */
    uint32_t count, plain, ids; /* all, those not reserved, the is_id */
    uint32_t repaired, truncated;
    mp_dict excluded; /* names as JSON text without quotes */
    mp_default items[MP_DEFAULTS_MAX];
} mp_defaults;

/* Those that an event gives itself. */
typedef struct mp_overridden {
    uint64_t bits[MP_DEFAULTS_MAX / 64 + 1];
    uint32_t count, plain, ids;
} mp_overridden;

/* Pushes a userdata without properties. Raises when Lua is out of memory. */
mp_defaults *mp_defaults_push(lua_State *L);

/* Pushes a userdata with the properties of the table at the top. The encoder
 * writes into it, and judges them. Raises when Lua is out of memory. */
mp_err mp_defaults_encode(mp_encode *e);

/* The functions below leave their first error in `bytes`. */

/* Adds a property, given as JSON: the name without its quotes, the value as
 * it is. One that is there or excluded is left alone. MP_INVALID when there
 * are too many, MP_MEMORY. */
void mp_defaults_put(mp_defaults *defaults, const char *name, size_t name_len,
                     const char *json, size_t len);

/* Adds the properties of `other` that are not there or excluded, its ids only
 * if `ids`. */
void mp_defaults_put_all(mp_defaults *defaults, const mp_defaults *other,
                         bool ids);

/* Excludes the property of this name, given as JSON without quotes, from now
 * on. MP_MEMORY. */
void mp_defaults_exclude(mp_defaults *defaults, const char *name, size_t len);

/* The same for every name that `other` excludes. */
void mp_defaults_exclude_all(mp_defaults *defaults, const mp_defaults *other);

/* NULL: nothing is excluded. */
static inline const mp_dict *mp_defaults_excluded(const mp_defaults *defaults) {
    return defaults && defaults->excluded.count > 0 ? &defaults->excluded
                                                    : NULL;
}

/* Notes that an event gives the property of this name, if it is among the
 * defaults. */
void mp_defaults_find(const mp_defaults *defaults, const char *name, size_t len,
                      mp_overridden *overridden);

/* Texts and names over MP_TEXT_MAX in those that are not overridden. */
uint32_t mp_defaults_truncated(const mp_defaults *defaults,
                               const mp_overridden *overridden);

/* Appends those that are not overridden. */
void mp_defaults_add(const mp_defaults *defaults,
                     const mp_overridden *overridden, mp_buf *out);

#endif
