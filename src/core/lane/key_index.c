#include "core/lane/key_index.h"

#include <stdlib.h>
#include <string.h>

/* ---- buckets ---- */

/* How many there were when their number last was a power of two. */
static uint32_t level_of(uint32_t buckets) {
    uint32_t level = MP_KEY_BUCKETS;
    while (level <= buckets / 2)
        level *= 2;
    return level;
}

static mp_item **bucket_at(mp_key_index *index, uint32_t at) {
    if (at < MP_KEY_BUCKETS)
        return &index->first[at];
    uint32_t from = MP_KEY_BUCKETS, part = 0;
    for (; at >= 2 * from; from *= 2)
        part++;
    return &index->more[part][at - from];
}

static mp_item **bucket_of(mp_key_index *index, uint64_t key) {
    uint32_t buckets = MP_KEY_BUCKETS + index->added;
    uint32_t level = level_of(buckets);
    uint32_t at = (uint32_t)key & (2 * level - 1);
    return bucket_at(index, at < buckets ? at : at - level);
}

/* Adds a bucket, which takes what is its own from the one that had it. */
static void grow(mp_key_index *index) {
    uint32_t buckets = MP_KEY_BUCKETS + index->added;
    uint32_t level = level_of(buckets), part = 0;
    for (uint32_t from = MP_KEY_BUCKETS; from < level; from *= 2)
        part++;
    if (part == MP_KEY_DOUBLINGS)
        return;
    if (!index->more[part])
        index->more[part] = calloc(level, sizeof(void *));
    if (!index->more[part])
        return;
    mp_item **old = bucket_at(index, buckets - level);
    mp_item **added = bucket_at(index, buckets);
    index->added++;
    for (mp_item *item = *old, *next; item; item = next) {
        next = item->next;
        if (((uint32_t)item->entry->ordering_key & (2 * level - 1)) !=
            buckets) {
            old = &item->next;
            continue;
        }
        *old = next;
        item->next = *added;
        *added = item;
    }
}

void mp_key_index_free(mp_key_index *index) {
    for (int i = 0; i < MP_KEY_DOUBLINGS; i++)
        free(index->more[i]);
    memset(index, 0, sizeof *index);
}

/* ---- items ---- */

static bool is_of(const mp_item *item, const mp_batch *batch) {
    return batch && item >= batch->items && item < batch->items + batch->count;
}

static bool has_own(const mp_item *item, const mp_batch *batch, uint64_t key) {
    while (item && (item->entry->ordering_key != key || !is_of(item, batch)))
        item = item->next;
    return item != NULL;
}

void mp_key_index_add(mp_key_index *index, mp_batch *batch) {
    for (uint32_t i = 0; i < batch->count; i++) {
        mp_item *item = &batch->items[i];
        uint64_t key = item->entry->ordering_key;
        if (index->items > MP_KEY_BUCKETS + index->added)
            grow(index);
        mp_item **bucket = bucket_of(index, key);
        item->listed = !has_own(*bucket, batch, key);
        if (!item->listed)
            continue;
        item->next = *bucket;
        *bucket = item;
        index->items++;
    }
}

void mp_key_index_remove(mp_key_index *index, mp_batch *batch) {
    for (uint32_t i = 0; i < batch->count; i++) {
        mp_item *item = &batch->items[i];
        if (!item->listed)
            continue;
        mp_item **at = bucket_of(index, item->entry->ordering_key);
        while (*at != item)
            at = &(*at)->next;
        *at = item->next;
        item->listed = false;
        index->items--;
    }
    if (index->items == 0)
        mp_key_index_free(index);
}

bool mp_key_index_has_earlier(const mp_key_index *index, const mp_entry *entry,
                              const mp_batch *besides) {
    if (index->items == 0)
        return false;
    const mp_item *item =
        *bucket_of((mp_key_index *)index, entry->ordering_key);
    for (; item; item = item->next)
        if (item->entry->ordering_key == entry->ordering_key &&
            item->entry->seq < entry->seq && !is_of(item, besides))
            return true;
    return false;
}
