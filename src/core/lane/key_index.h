/* Which ordering keys wait: the records of batches by the hash of their key.
 *
 * Linear hashing (Litwin, 1980): a table that grows by one bucket at a time, so
 * that no step takes longer for all that is in it. It links the items of the
 * batches themselves, so that nothing fails for want of memory: without it the
 * chains become longer. The project's lock is held for every call. */
#ifndef MP_KEY_INDEX_H
#define MP_KEY_INDEX_H

#include "core/record/batch.h"

enum {
    MP_KEY_BUCKETS = 16, /* at first; a power of two */
    MP_KEY_DOUBLINGS = 26
};

/* All zero: empty. */
typedef struct mp_key_index {
    mp_item *first[MP_KEY_BUCKETS];
    mp_item **more[MP_KEY_DOUBLINGS]; /* as many buckets as all before it */
    uint32_t added;                   /* buckets in use beyond the first */
    uint32_t items;
} mp_key_index;

/* Of records with the same key only the first of a batch is linked. While it is
 * in the index, a batch's items stay where they are. */
void mp_key_index_add(mp_key_index *index, mp_batch *batch);
void mp_key_index_remove(mp_key_index *index, mp_batch *batch);

/* True if a batch but `besides` holds an earlier record of the entry's key. */
bool mp_key_index_has_earlier(const mp_key_index *index, const mp_entry *entry,
                              const mp_batch *besides);

void mp_key_index_free(mp_key_index *index); /* what is in it is forgotten */

#endif
