/* A hash table of things that hold their links themselves. Knows nothing of
 * keys: the caller hashes them, with a seed that nobody knows if they come from
 * outside, and compares them. The caller serialises every use. */
#ifndef MP_TABLE_H
#define MP_TABLE_H

#include "core/base/err.h"

#include <stddef.h>
#include <stdint.h>

typedef struct mp_link mp_link;
struct mp_link {
    mp_link *next; /* in its bucket */
    uint64_t hash;
};

/* All zero: empty. */
typedef struct mp_table {
    mp_link **buckets;
    size_t size, count; /* size: a power of two, or 0 */
} mp_table;

/* MP_MEMORY, and nothing changed. */
mp_err mp_table_add(mp_table *table, mp_link *link, uint64_t hash);
void mp_table_remove(mp_table *table, mp_link *link);

/* A link with this hash, and others with it, in no order; NULL: no more. */
mp_link *mp_table_first(const mp_table *table, uint64_t hash);
mp_link *mp_table_next(const mp_link *link);

void mp_table_free(mp_table *table); /* not the things */

/* The thing of this type that holds the link as this member; NULL for NULL. */
#define MP_TABLE_THING(link, type, member)                                     \
    ((link) ? (type *)(void *)((char *)(link)-offsetof(type, member)) : NULL)

#endif
