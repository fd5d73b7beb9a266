#include "core/ingest/names.h"

#include "core/base/hash.h"

#include <stdlib.h>
#include <string.h>

enum {
    FIRST_CAP = 128, /* powers of two */
    KEPT_CAP = 8192
};

/* The numbers of objects go on rising, so that nothing need be wiped. */
void mp_names_clear(mp_names *names) {
    if (names->cap > KEPT_CAP || names->object > UINT32_MAX / 2)
        mp_names_free(names);
    names->used = 0;
    names->oldest = names->object + 1;
}

void mp_names_free(mp_names *names) {
    free(names->slots);
    *names = (mp_names){.seed = names->seed};
}

uint32_t mp_names_object(mp_names *names) {
    return ++names->object;
}

/* ---- table: linear probing, at most half full ---- */

static bool is_free(const mp_names *names, uint32_t i) {
    return names->slots[i].object < names->oldest;
}

static bool is_same(const mp_name *a, const mp_name *b, const mp_buf *text) {
    return a->hash == b->hash && a->object == b->object && a->len == b->len &&
           memcmp(text->data + a->offset, text->data + b->offset, a->len) == 0;
}

/* The slot that holds the name, or is free for it. */
static uint32_t find(const mp_names *names, const mp_name *name,
                     const mp_buf *text) {
    uint32_t mask = names->cap - 1, i = name->hash & mask;
    while (!is_free(names, i) && !is_same(&names->slots[i], name, text))
        i = (i + 1) & mask;
    return i;
}

/* Moves a name, which no other is the same as, to a larger table. */
static void move(mp_names *names, const mp_name *name) {
    uint32_t mask = names->cap - 1, i = name->hash & mask;
    while (!is_free(names, i))
        i = (i + 1) & mask;
    names->slots[i] = *name;
}

static mp_err grow(mp_names *names) {
    mp_names old = *names;
    names->cap = old.cap > 0 ? 2 * old.cap : FIRST_CAP;
    names->slots = calloc(names->cap, sizeof *names->slots);
    if (!names->slots) {
        *names = old;
        return MP_MEMORY;
    }
    for (uint32_t i = 0; i < old.cap; i++)
        if (!is_free(&old, i))
            move(names, &old.slots[i]);
    free(old.slots);
    return MP_OK;
}

mp_err mp_names_add(mp_names *names, uint32_t object, const mp_buf *text,
                    size_t offset, size_t len) {
    uint64_t hash = mp_hash(names->seed ^ object, text->data + offset, len);
    mp_name name = {object, (uint32_t)hash, offset, len};
    if (2 * names->used >= names->cap) {
        mp_err err = grow(names);
        if (err != MP_OK)
            return err;
    }
    uint32_t i = find(names, &name, text);
    if (!is_free(names, i))
        return MP_INVALID;
    names->slots[i] = name;
    names->used++;
    return MP_OK;
}
