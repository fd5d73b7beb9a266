/* State files that wait to be written, one entry per path: what comes later
 * takes the place of what still waits. Opens no file itself. The project's
 * lock is held for every call. */
#ifndef MP_SAVES_H
#define MP_SAVES_H

#include "core/base/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    MP_SAVE_DELAY_MS = 250 /* that a change waits for others */
};

typedef struct mp_save mp_save;
struct mp_save {
    mp_save *next;
    char *path;
    mp_buf text; /* what waits; empty while the last there was is written */
    int64_t due_ms;
    bool writing;
    uint32_t failures; /* in a row */
    char failure[MP_MESSAGE];
};

/* All zero: none. */
typedef struct mp_saves {
    mp_save *list;
} mp_saves;

/* Takes over the bytes of `text`. MP_MEMORY, and they stay the caller's. */
mp_err mp_saves_put(mp_saves *saves, const char *path, mp_buf *text,
                    int64_t now_ms);

/* When the next is due; INT64_MAX: none waits. */
int64_t mp_saves_due(const mp_saves *saves);

/* Makes all that wait due now. */
void mp_saves_flush(mp_saves *saves, int64_t now_ms);

/* True if one is being written or due. */
bool mp_saves_are_due(const mp_saves *saves, int64_t now_ms);

/* One that is due, with its bytes in `text`, now the caller's, who writes them
 * and ends with mp_saves_done. NULL: none. */
mp_save *mp_saves_take(mp_saves *saves, int64_t now_ms, mp_buf *text);

/* Ends what mp_saves_take began, and takes back the bytes. `failure`: why the
 * file was not written, so that it must be tried again; NULL: it was. */
void mp_saves_done(mp_saves *saves, mp_save *save, mp_buf *text,
                   const char *failure, int64_t now_ms);

/* What waits for this path, or is being written; NULL: nothing. */
mp_save *mp_saves_find(const mp_saves *saves, const char *path);

void mp_saves_clear(mp_saves *saves); /* and frees */

#endif
