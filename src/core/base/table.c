#include "core/base/table.h"

#include <stdlib.h>

enum {
    SMALLEST = 8
};

static mp_link **bucket(const mp_table *table, uint64_t hash) {
    return &table->buckets[hash & (table->size - 1)];
}

static void put(mp_table *table, mp_link *link) {
    mp_link **at = bucket(table, link->hash);
    link->next = *at;
    *at = link;
}

static mp_err grow(mp_table *table) {
    mp_table larger = {.size = table->size ? table->size * 2 : SMALLEST,
                       .count = table->count};
    larger.buckets = calloc(larger.size, sizeof(mp_link *));
    if (!larger.buckets)
        return MP_MEMORY;
    for (size_t i = 0; i < table->size; i++)
        for (mp_link *link = table->buckets[i], *next; link; link = next) {
            next = link->next;
            put(&larger, link);
        }
    free(table->buckets);
    *table = larger;
    return MP_OK;
}

/* A table that cannot grow gets slower, unless it has no bucket yet. */
mp_err mp_table_add(mp_table *table, mp_link *link, uint64_t hash) {
    if (table->count >= table->size && grow(table) != MP_OK && table->size == 0)
        return MP_MEMORY;
    link->hash = hash;
    put(table, link);
    table->count++;
    return MP_OK;
}

void mp_table_remove(mp_table *table, mp_link *link) {
    mp_link **at = bucket(table, link->hash);
    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
    table->count--;
}

static mp_link *with_hash(mp_link *link, uint64_t hash) {
    while (link && link->hash != hash)
        link = link->next;
    return link;
}

mp_link *mp_table_first(const mp_table *table, uint64_t hash) {
    return table->size > 0 ? with_hash(*bucket(table, hash), hash) : NULL;
}

mp_link *mp_table_next(const mp_link *link) {
    return with_hash(link->next, link->hash);
}

void mp_table_free(mp_table *table) {
    free(table->buckets);
    *table = (mp_table){0};
}
