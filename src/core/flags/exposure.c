#include "core/flags/exposure.h"

#include "core/base/num.h"

#include <stdlib.h>
#include <string.h>

/* DESIGN
 *
 * An exposure is known by a hash of 128 bits. Entries are in an array that
 * grows up to the capacity, each in the chain of its bucket and in a list by
 * age; both link by number, 0 being none. A full array reuses the entry at the
 * old end of the list. */

enum {
    FIRST = 64 /* entries; as many buckets as entries, a power of two */
};

typedef struct entry {
    mp_fnv128 hash;
    int64_t reported_ms;
    uint32_t next;         /* of the bucket */
    uint32_t older, newer; /* of the list */
} entry;

struct mp_exposures {
    uint64_t seed;
    entry *entries;    /* 1 to `count`; entry 0 ties the ends of the list */
    uint32_t *buckets; /* first entry of each */
    uint32_t count, cap, capacity;
    uint32_t unused; /* entries that were removed, linked by `next` */
};

/* ---- hashes ---- */

static uint64_t mix(uint64_t word) {
    word = (word ^ word >> 32) * UINT64_C(0x9e3779b97f4a7c15);
    word = (word ^ word >> 29) * UINT64_C(0xd1b54a32d192ed03);
    return word ^ word >> 32;
}

static void add_word(mp_fnv128 *hash, uint64_t word) {
    hash->low = mix(hash->low ^ word);
    hash->high = mix(hash->high + word) ^ hash->low;
}

/* The end is filled up with zeros: lengths are hashed apart. */
static void add_field(mp_fnv128 *hash, const char *bytes, size_t len) {
    uint64_t word;
    size_t at = 0;
    for (; len - at >= sizeof word; at += sizeof word) {
        memcpy(&word, bytes + at, sizeof word);
        add_word(hash, word);
    }
    word = 0;
    if (at < len) {
        memcpy(&word, bytes + at, len - at);
        add_word(hash, word);
    }
}

/* Not the same in another process, and so cannot be foreseen. */
static mp_fnv128 hash_of(const mp_exposures *e, const mp_exposure *exposure) {
    mp_fnv128 hash = {~e->seed, e->seed + exposure->variant_len};
    add_word(&hash, (uint64_t)exposure->id_len << 32 | exposure->flag_len);
    add_field(&hash, exposure->id, exposure->id_len);
    add_field(&hash, exposure->flag, exposure->flag_len);
    add_field(&hash, exposure->variant, exposure->variant_len);
    return hash;
}

void mp_exposure_insert_id(const char *token, const mp_exposure *exposure,
                           int64_t wall_ms, char out[MP_FNV128_HEX]) {
    static const int64_t day_ms = INT64_C(24) * 60 * 60 * 1000;
    char day[MP_NUM_MAX];
    char *end = mp_num_int64(day, wall_ms / day_ms);
    mp_fnv128 hash = mp_fnv128_empty;
    mp_fnv128_add(&hash, token, strlen(token));
    mp_fnv128_add(&hash, exposure->id, exposure->id_len);
    mp_fnv128_add(&hash, exposure->flag, exposure->flag_len);
    mp_fnv128_add(&hash, exposure->variant, exposure->variant_len);
    mp_fnv128_add(&hash, day, (size_t)(end - day));
    mp_fnv128_hex(&hash, out);
}

/* ---- links ---- */

static uint32_t *bucket_of(const mp_exposures *e, const mp_fnv128 *hash) {
    return &e->buckets[hash->low & (e->cap - 1)];
}

static void unlink_age(mp_exposures *e, uint32_t i) {
    entry *entries = e->entries;
    entries[entries[i].older].newer = entries[i].newer;
    entries[entries[i].newer].older = entries[i].older;
}

static void link_newest(mp_exposures *e, uint32_t i) {
    entry *entries = e->entries;
    entries[i].newer = 0;
    entries[i].older = entries[0].older;
    entries[entries[0].older].newer = i;
    entries[0].older = i;
}

static void link_bucket(mp_exposures *e, uint32_t i) {
    uint32_t *bucket = bucket_of(e, &e->entries[i].hash);
    e->entries[i].next = *bucket;
    *bucket = i;
}

static void unlink_bucket(mp_exposures *e, uint32_t i) {
    uint32_t *at = bucket_of(e, &e->entries[i].hash);
    while (*at != i)
        at = &e->entries[*at].next;
    *at = e->entries[i].next;
}

static uint32_t find(const mp_exposures *e, const mp_fnv128 *hash) {
    uint32_t i = e->cap > 0 ? *bucket_of(e, hash) : 0;
    while (i > 0 && (e->entries[i].hash.low != hash->low ||
                     e->entries[i].hash.high != hash->high))
        i = e->entries[i].next;
    return i;
}

/* ---- room ---- */

static bool grow(mp_exposures *e) {
    uint32_t cap = e->cap > 0 ? 2 * e->cap : FIRST;
    uint32_t *buckets = calloc(cap, sizeof *buckets);
    entry *entries = realloc(e->entries, (cap + 1) * sizeof *entries);
    if (entries)
        e->entries = entries;
    if (!buckets || !entries) {
        free(buckets);
        return false;
    }
    if (e->cap == 0)
        entries[0] = (entry){0};
    free(e->buckets);
    e->buckets = buckets;
    e->cap = cap;
    for (uint32_t i = entries[0].older; i > 0; i = entries[i].older)
        link_bucket(e, i);
    return true;
}

/* An entry that is in no list; 0: out of memory. */
static uint32_t take(mp_exposures *e) {
    uint32_t i = e->unused;
    if (i > 0) {
        e->unused = e->entries[i].next;
        return i;
    }
    if (e->count < e->capacity && (e->count < e->cap || grow(e)))
        return ++e->count;
    i = e->count > 0 ? e->entries[0].newer : 0;
    if (i > 0) {
        unlink_bucket(e, i);
        unlink_age(e, i);
    }
    return i;
}

/* ---- what its owner calls ---- */

mp_exposures *mp_exposures_new(uint32_t capacity, uint64_t seed) {
    mp_exposures *e = calloc(1, sizeof *e);
    if (e) {
        e->capacity = capacity;
        e->seed = seed;
    }
    return e;
}

bool mp_exposures_add(mp_exposures *exposures, const mp_exposure *exposure,
                      int64_t mono_ms) {
    static const int64_t window_ms =
        (int64_t)MP_EXPOSURE_HOURS * 60 * 60 * 1000;
    mp_exposures *e = exposures;
    mp_fnv128 hash = hash_of(e, exposure);
    uint32_t i = find(e, &hash);
    bool known = i > 0 && mono_ms - e->entries[i].reported_ms < window_ms;
    if (i > 0) {
        unlink_age(e, i);
    } else {
        i = take(e);
        if (i == 0)
            return true;
        e->entries[i].hash = hash;
        link_bucket(e, i);
    }
    link_newest(e, i);
    if (!known)
        e->entries[i].reported_ms = mono_ms;
    return !known;
}

void mp_exposures_remove(mp_exposures *exposures, const mp_exposure *exposure) {
    mp_exposures *e = exposures;
    mp_fnv128 hash = hash_of(e, exposure);
    uint32_t i = find(e, &hash);
    if (i == 0)
        return;
    unlink_bucket(e, i);
    unlink_age(e, i);
    e->entries[i].next = e->unused;
    e->unused = i;
}

void mp_exposures_free(mp_exposures *exposures) {
    if (!exposures)
        return;
    free(exposures->entries);
    free(exposures->buckets);
    free(exposures);
}
