/* The names of the members of the objects of a record, to find one that
 * occurs twice in an object in constant time, whatever names a stranger
 * chooses. A name is known by where it stands in the caller's buffer. */
#ifndef MP_NAMES_H
#define MP_NAMES_H

#include "core/base/buf.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct mp_name {
    uint32_t object;
    uint32_t hash;
    size_t offset, len;
} mp_name;

/* All zero but the seed, until mp_names_clear is called for the first time. */
typedef struct mp_names {
    uint64_t seed; /* that nobody outside knows */
    mp_name *slots;
    uint32_t cap, used;
    uint32_t object; /* the number of the last that began */
    uint32_t oldest; /* slots of objects before this one are free */
} mp_names;

/* Forgets all names, and gives back the memory of very many. */
void mp_names_clear(mp_names *names);
void mp_names_free(mp_names *names);

/* Begins an object, and returns its number. */
uint32_t mp_names_object(mp_names *names);

/* Adds the name that stands at text->data + offset to an object. MP_INVALID:
 * it is there already; MP_MEMORY. */
mp_err mp_names_add(mp_names *names, uint32_t object, const mp_buf *text,
                    size_t offset, size_t len);

#endif
