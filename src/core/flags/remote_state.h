/* What the files of remote share. */
#ifndef MP_REMOTE_STATE_H
#define MP_REMOTE_STATE_H

#include "core/flags/remote.h"

/* DESIGN
 *
 * A context is known by its JSON. Entries stand in an array, so that an id is
 * a slot and a number that no other entry of the slot ever had; in the chain of
 * their bucket; and in one of two lists: those that wait to be taken by age,
 * all others but those under way by use. Of these the one that was used the
 * longest time ago, and that nobody waits for, makes room. */

typedef enum mp_entry_state {
    ENTRY_IDLE,
    ENTRY_QUEUED,
    ENTRY_UNDER_WAY
} mp_entry_state;

typedef struct mp_entry mp_entry;
struct mp_entry {
    mp_fetch fetch; /* first: its address is the entry's */
    uint64_t id, hash;
    char *context;
    size_t len;
    mp_entry_state state;
    uint32_t holders;      /* who wait for it */
    mp_variants *variants; /* NULL: none came so far */
    int64_t came_ms;
    int64_t started_ms,
        asked_ms;      /* when it was taken; the second: wall clock */
    uint32_t failures; /* in a row, of this context alone */
    int64_t rests_ms;  /* until then */
    char *failure;     /* NULL: none */
    mp_entry *chained; /* of the bucket */
    mp_entry *older, *newer;
};

typedef struct mp_entry_list {
    mp_entry *oldest, *newest;
} mp_entry_list;

struct mp_remote {
    mp_remote_options options;
    uint64_t seed, made;
    mp_entry **slots, **buckets;
    uint32_t count, cap;
    mp_entry_list used, queue;
    uint32_t queued, under_way;
    uint64_t requests, failures;
    /* After failures that are not of one context: */
    uint32_t failures_in_a_row;
    int64_t failed_ms, rests_ms;
    char failure[MP_MESSAGE];
    mp_rng rng;
};

/* ---- remote_entries.c ---- */

void mp_entry_put(mp_entry_list *list, mp_entry *e); /* as the newest */
void mp_entry_take_out(mp_entry_list *list, mp_entry *e);
void mp_entry_free(mp_entry *e);

/* The entry of a context; NULL: none. */
mp_entry *mp_entry_find(const mp_remote *remote, uint64_t hash,
                        const char *context, size_t len);

/* The entry of an id, or another one in its slot; NULL: neither. */
mp_entry *mp_entry_at(const mp_remote *remote, uint64_t id);

/* Adds an idle one, where there may be none. MP_MEMORY, MP_QUEUE_FULL. */
mp_err mp_entry_add(mp_remote *remote, uint64_t hash, const char *context,
                    size_t len, mp_entry **out);

#endif
