/* State files that wait to be written. Each mp_state_file has its own text;
 * nothing here opens a file. Locks: the caller holds the project's for every
 * call. */
#ifndef MP_SAVES_H
#define MP_SAVES_H

#include "core/user/state_file.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    MP_SAVE_DELAY_MS = 250 /* that a change waits for others */
};

typedef struct mp_save mp_save;
struct mp_save {
    mp_save *next;
    mp_state_file *file; /* a reference */
    int64_t due_ms;
    bool waits; /* false while the newest text is being written */
    bool writing;
    uint32_t failures; /* in a row */
    char failure[MP_MESSAGE];
};

/* All zero: none. */
typedef struct mp_saves {
    mp_save *list;
} mp_saves;

/* There is a newer text. MP_MEMORY. */
mp_err mp_saves_put(mp_saves *saves, mp_state_file *file, int64_t now_ms);

/* When the next is due; INT64_MAX: none waits. */
int64_t mp_saves_due(const mp_saves *saves);

/* Makes all that wait due now. */
void mp_saves_flush(mp_saves *saves, int64_t now_ms);

/* True if one is being written or due. */
bool mp_saves_are_due(const mp_saves *saves, int64_t now_ms);

/* Takes one that is due: the caller gives the lock back, writes the file, and
 * calls mp_saves_done with the lock held again. NULL: none. */
mp_save *mp_saves_take(mp_saves *saves, int64_t now_ms);

/* Ends what mp_saves_take began. `failure`: why the file was not written, so
 * that it must be tried again; NULL: it was. */
void mp_saves_done(mp_saves *saves, mp_save *save, const char *failure,
                   int64_t now_ms);

/* The one of this file, if it waits or is being written; NULL: neither. */
mp_save *mp_saves_find(const mp_saves *saves, const mp_state_file *file);

void mp_saves_clear(mp_saves *saves); /* and frees */

#endif
