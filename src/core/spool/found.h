/* The files of a run, from the time they were listed until somebody looks at
 * them one by one. There may be a million: sealed ones take 40 bytes each. The
 * caller serialises every use. */
#ifndef MP_FOUND_H
#define MP_FOUND_H

#include "core/record/batch_file.h"
#include "core/spool/held.h"

#include <stddef.h>

/* What the name of a sealed batch says: see mp_batch_file. */
typedef struct mp_found_file {
    uint64_t run, seq;
    int64_t wall_ms;
    uint32_t count, attempt;
    uint8_t lane, in_doubt;
} mp_found_file;

/* All zero: none. Those whose place is known come first, then open ones. */
typedef struct mp_found {
    mp_held *run; /* whose user each is that is taken; NULL: it is not held, or
                   * none wait */
    int dir;      /* in which they are */
    mp_found_file *sealed;
    size_t next, count, room; /* of the sealed ones; next: not taken yet */
    mp_batch_file *placed; /* open ones that were read, and so have a `seq` */
    mp_batch_file *open;   /* others: where they belong nobody knows yet */
} mp_found;

/* Adds a file. False: out of memory. */
bool mp_found_add(mp_found *found, const mp_batch_file *file);

/* Sorts them, oldest first; open ones by their numbers. */
void mp_found_sort(mp_found *found);

bool mp_found_has_placed(const mp_found *found); /* sealed ones among them */
bool mp_found_has_any(const mp_found *found);
bool mp_found_has_open(const mp_found *found, uint64_t number);

/* The first, of which there is one; it stays. */
mp_batch_file mp_found_first(const mp_found *found);

/* Takes it out, and it is the caller's. NULL: out of memory, and it stays. */
mp_batch_file *mp_found_take(mp_found *found);

/* The same for the first open one, of which there is one, so that the caller
 * reads it; mp_found_place puts back what became of it, where its `seq`
 * belongs, and takes it over. The files are sorted. */
mp_batch_file *mp_found_take_open(mp_found *found);
void mp_found_place(mp_found *found, mp_batch_file *file);

/* The same for one that could not be read: it is the first again. */
void mp_found_put_back(mp_found *found, mp_batch_file *open);

/* True if a sealed one is of the same records as the open one was read as. */
bool mp_found_has_twin(const mp_found *found, const mp_batch_file *open);

/* True if any has records whose order matters. */
bool mp_found_is_ordered(const mp_found *found);

/* Forgets them. */
void mp_found_clear(mp_found *found);

#endif
