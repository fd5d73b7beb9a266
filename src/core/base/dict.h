/* Small ordered maps from names to bytes. Searched from front to end, so
 * made for hundreds of names at the most. Knows nothing of what the bytes
 * mean. Not thread-safe. */
#ifndef MP_DICT_H
#define MP_DICT_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mp_pair {
    size_t name_len, len;
    const char *name, *value; /* neither is terminated */
} mp_pair;

/* All zero: empty. Open for reading. */
typedef struct mp_dict {
    mp_pair *pairs; /* in order of arrival */
    uint32_t count, cap;
} mp_dict;

/* The pair of a name, valid until the map changes; NULL: none. */
const mp_pair *mp_dict_find(const mp_dict *dict, const char *name, size_t len);

/* Copies name and value in; a value there already is replaced, in its place.
 * MP_MEMORY, and nothing changed. */
mp_err mp_dict_set(mp_dict *dict, const char *name, size_t name_len,
                   const void *value, size_t len);

/* True if the name was there. */
bool mp_dict_remove(mp_dict *dict, const char *name, size_t len);

/* Copies every pair of `other` into an empty map. MP_MEMORY, and some may be
 * missing. */
mp_err mp_dict_copy(mp_dict *dict, const mp_dict *other);

void mp_dict_clear(mp_dict *dict); /* and frees */

#endif
