/* Why a record was refused: the path to the value, and what would be right.
 * Knows nothing of how records are encoded.
 *
 * Whoever finds the fault sets its reason; the callers on the way out add
 * their part of the path, innermost first, so a record without a fault pays
 * nothing. */
#ifndef MP_FAULT_H
#define MP_FAULT_H

#include "binding/lua/compat.h"

#include "core/base/err.h"

#include <stdarg.h>

enum {
    MP_PATH = 120, /* bytes of a path that a message shows */
    MP_SHOWN = 64  /* bytes of a value that a message shows, NUL included */
};

typedef struct mp_fault {
    const char *root;        /* what the path begins with, as "properties" */
    bool cut;                /* outer parts of the path did not fit */
    size_t first;            /* of the path's bytes, which end at MP_PATH */
    char reason[MP_MESSAGE]; /* "" as long as there is no fault */
    char path[MP_PATH];
} mp_fault;

/* No fault yet. `root` is a static text. */
static inline void mp_fault_start(mp_fault *fault, const char *root) {
    fault->root = root;
    fault->cut = false;
    fault->first = MP_PATH;
    fault->reason[0] = '\0';
}

/* Names what the path of a later fault begins with; one that was found stays
 * where it was found. */
static inline void mp_fault_enter(mp_fault *fault, const char *root) {
    if (fault->reason[0] == '\0')
        fault->root = root;
}

/* Sets the reason, unless there is one: the first fault stays. Always returns
 * MP_INVALID. */
mp_err mp_fault_set(mp_fault *fault, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void mp_fault_vset(mp_fault *fault, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* Puts a table's key in front of the path: `.name`, `["a b"]` or `[3]`. */
void mp_fault_key(mp_fault *fault, lua_State *L, int index);
void mp_fault_index(mp_fault *fault, size_t i); /* [3] */
void mp_fault_name(mp_fault *fault, const char *name, size_t len);

/* Pushes "root.path: reason", with "item." in front unless `item` is ""; a
 * fault of the record as a whole has the root "". May raise when out of
 * memory. */
void mp_fault_push(lua_State *L, const mp_fault *fault, const char *item);

/* Writes the value at `index` for people: a text in quotes and cut short, a
 * number, true or false, else "a table" and the like. Runs no Lua code. */
const char *mp_fault_show(lua_State *L, int index, char out[MP_SHOWN]);

/* The same for a text that is not in Lua. */
const char *mp_fault_quote(const char *text, size_t len, char out[MP_SHOWN]);

#endif
