#include "core/base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST = 4096,     /* bytes of the first chunk */
    KEPT = 64 * 1024, /* a reset keeps a chunk up to this size */
    ALIGNMENT = 8     /* of everything that is taken: pointers and doubles */
};

struct mp_arena_chunk {
    mp_arena_chunk *older;
    size_t bytes; /* that follow */
};

static char *start_of(mp_arena_chunk *chunk) {
    return (char *)(chunk + 1);
}

/* Adds a chunk that has room for `bytes`. */
static bool grow(mp_arena *arena, size_t bytes) {
    /* Twice what there was, so that before long one chunk, which a reset
     * keeps, holds all that equal work needs. */
    size_t size = arena->total > 0 ? 2 * arena->total : FIRST;
    if (size < bytes)
        size = bytes;
    if (arena->limit > 0 && size > arena->limit - arena->total)
        size = arena->limit - arena->total;
    if (size < bytes) {
        arena->err = MP_INVALID;
        return false;
    }
    mp_arena_chunk *chunk = malloc(sizeof *chunk + size);
    if (!chunk) {
        arena->err = MP_MEMORY;
        return false;
    }
    *chunk = (mp_arena_chunk){arena->newest, size};
    arena->newest = chunk;
    arena->total += size;
    arena->at = start_of(chunk);
    arena->end = arena->at + size;
    return true;
}

void *mp_arena_take(mp_arena *arena, size_t bytes) {
    if (bytes > SIZE_MAX / 4) {
        arena->err = MP_INVALID;
        return NULL;
    }
    bytes = (bytes + (bytes == 0) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if ((size_t)(arena->end - arena->at) < bytes && !grow(arena, bytes))
        return NULL;
    void *taken = arena->at;
    arena->at += bytes;
    return taken;
}

void *mp_arena_array(mp_arena *arena, size_t count, size_t size) {
    if (count > SIZE_MAX / 4 / size) {
        arena->err = MP_INVALID;
        return NULL;
    }
    return mp_arena_take(arena, count * size);
}

void mp_arena_trim(mp_arena *arena, const char *end) {
    size_t used = (size_t)(end - start_of(arena->newest));
    used = (used + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    char *at = start_of(arena->newest) + used;
    if (at < arena->at)
        arena->at = at;
}

char *mp_arena_copy(mp_arena *arena, const char *text, size_t len) {
    char *copy = mp_arena_take(arena, len + 1);
    if (copy) {
        if (len > 0)
            memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

void mp_arena_reset(mp_arena *arena) {
    mp_arena_chunk *newest = arena->newest;
    if (!newest)
        return;
    size_t limit = arena->limit;
    mp_arena_chunk *older = newest->older;
    newest->older = NULL;
    *arena = (mp_arena){.newest = newest, .limit = limit};
    if (newest->bytes <= KEPT) {
        arena->total = newest->bytes;
        arena->at = start_of(newest);
        arena->end = arena->at + newest->bytes;
    } else {
        free(newest);
        arena->newest = NULL;
    }
    while (older) {
        mp_arena_chunk *next = older->older;
        free(older);
        older = next;
    }
}

void mp_arena_free(mp_arena *arena) {
    mp_arena_reset(arena);
    free(arena->newest);
    *arena = (mp_arena){.limit = arena->limit};
}
