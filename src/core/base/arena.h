/* Memory that is taken piece by piece and given back all at once. Not
 * thread-safe. */
#ifndef MP_ARENA_H
#define MP_ARENA_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct mp_arena_chunk mp_arena_chunk;

/* All zero: empty, without a limit. */
typedef struct mp_arena {
    mp_arena_chunk *newest; /* holds the older ones */
    char *at, *end;         /* what is free of it */
    size_t total;           /* bytes of all chunks */
    size_t limit;           /* bytes that they may have; 0: any number */
    mp_err err;             /* why something could not be taken */
} mp_arena;

/* Bytes at an address that suits any type, valid until the next reset; no
 * two calls return the same address. NULL at the limit (`err` is MP_INVALID
 * then) and when memory runs out (MP_MEMORY). */
void *mp_arena_take(mp_arena *arena, size_t bytes);

/* Why a call returned NULL. */
static inline mp_err mp_arena_failure(const mp_arena *arena) {
    return arena->err == MP_INVALID ? MP_INVALID : MP_MEMORY;
}

/* The same for `count` elements of `size` bytes. */
void *mp_arena_array(mp_arena *arena, size_t count, size_t size);

/* Gives back the end of what was taken last, from `end` on. */
void mp_arena_trim(mp_arena *arena, const char *end);

/* A copy with a NUL behind it. NULL as mp_arena_take. */
char *mp_arena_copy(mp_arena *arena, const char *text, size_t len);

/* Gives back all that was taken, and forgets the error. One chunk stays for
 * what comes next, unless it is a large one, so that equal work after equal
 * work allocates nothing. */
void mp_arena_reset(mp_arena *arena);

void mp_arena_free(mp_arena *arena);

#endif
