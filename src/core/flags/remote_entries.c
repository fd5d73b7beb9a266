#include "core/flags/remote_state.h"

#include <stdlib.h>
#include <string.h>

enum {
    FIRST = 64, /* slots; as many buckets, a power of two */
    SLOT_BITS = 20
};

void mp_entry_free(mp_entry *e) {
    mp_variants_drop(e->variants);
    free(e->context);
    free(e->failure);
    free(e);
}

/* ---- lists ---- */

void mp_entry_put(mp_entry_list *list, mp_entry *e) {
    e->older = list->newest;
    e->newer = NULL;
    if (list->newest)
        list->newest->newer = e;
    else
        list->oldest = e;
    list->newest = e;
}

void mp_entry_take_out(mp_entry_list *list, mp_entry *e) {
    if (e->older)
        e->older->newer = e->newer;
    else
        list->oldest = e->newer;
    if (e->newer)
        e->newer->older = e->older;
    else
        list->newest = e->older;
}

/* ---- buckets ---- */

static mp_entry **bucket_of(const mp_remote *remote, uint64_t hash) {
    return &remote->buckets[hash & (remote->cap - 1)];
}

static void chain(mp_remote *remote, mp_entry *e) {
    mp_entry **bucket = bucket_of(remote, e->hash);
    e->chained = *bucket;
    *bucket = e;
}

static void unchain(mp_remote *remote, mp_entry *e) {
    mp_entry **at = bucket_of(remote, e->hash);
    while (*at != e)
        at = &(*at)->chained;
    *at = e->chained;
}

mp_entry *mp_entry_find(const mp_remote *remote, uint64_t hash,
                        const char *context, size_t len) {
    mp_entry *e = remote->cap > 0 ? *bucket_of(remote, hash) : NULL;
    while (e && (e->hash != hash || e->len != len ||
                 memcmp(e->context, context, len) != 0))
        e = e->chained;
    return e;
}

/* ---- room ---- */

static bool grow(mp_remote *remote) {
    uint32_t cap = remote->cap > 0 ? 2 * remote->cap : FIRST;
    mp_entry **buckets = calloc(cap, sizeof(mp_entry *));
    mp_entry **slots = realloc(remote->slots, cap * sizeof(mp_entry *));
    if (slots)
        remote->slots = slots;
    if (!buckets || !slots) {
        free(buckets);
        return false;
    }
    free(remote->buckets);
    remote->buckets = buckets;
    remote->cap = cap;
    for (uint32_t i = 0; i < remote->count; i++)
        chain(remote, slots[i]);
    return true;
}

static uint64_t slot_of(uint64_t id) {
    return id & ((UINT64_C(1) << SLOT_BITS) - 1);
}

/* Finds a slot for a new entry; what was in it is gone. */
static mp_err make_room(mp_remote *remote, uint32_t *slot) {
    mp_entry *oldest = remote->used.oldest;
    while (oldest && oldest->holders > 0)
        oldest = oldest->newer;
    if (remote->count < remote->options.contexts) {
        *slot = remote->count;
        return remote->count < remote->cap || grow(remote) ? MP_OK : MP_MEMORY;
    }
    if (!oldest)
        return MP_QUEUE_FULL;
    *slot = (uint32_t)slot_of(oldest->id);
    mp_entry_take_out(&remote->used, oldest);
    unchain(remote, oldest);
    mp_entry_free(oldest);
    return MP_OK;
}

mp_err mp_entry_add(mp_remote *remote, uint64_t hash, const char *context,
                    size_t len, mp_entry **out) {
    uint32_t slot;
    mp_entry *e = calloc(1, sizeof *e);
    char *copy = malloc(len + 1);
    mp_err err = e && copy ? make_room(remote, &slot) : MP_MEMORY;
    if (err != MP_OK) {
        free(e);
        free(copy);
        return err;
    }
    memcpy(copy, context, len);
    copy[len] = '\0';
    e->id = ++remote->made << SLOT_BITS | slot;
    e->hash = hash;
    e->context = copy;
    e->len = len;
    if (slot == remote->count)
        remote->count++;
    remote->slots[slot] = e;
    chain(remote, e);
    mp_entry_put(&remote->used, e);
    *out = e;
    return MP_OK;
}

mp_entry *mp_entry_at(const mp_remote *remote, uint64_t id) {
    uint64_t slot = slot_of(id);
    return slot < remote->count ? remote->slots[slot] : NULL;
}
