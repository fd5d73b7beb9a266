/* Why a record was refused: the path to the value, and what would be right.
 * Knows nothing of how records are encoded.
 *
 * The function that finds the fault sets its reason; its callers then add
 * their part of the path, innermost first, so a record without a fault pays
 * nothing. */
#ifndef MP_FAULT_H
#define MP_FAULT_H

#include "core/base/err.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

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

/* Puts a name in front of the path, `.name` or `["a b"]`, or a position,
 * `[3]`. */
void mp_fault_name(mp_fault *fault, const char *name, size_t len);
void mp_fault_index(mp_fault *fault, size_t i);

/* Puts any text in front of the path. */
void mp_fault_prepend(mp_fault *fault, const char *text, size_t len);

/* Writes where the fault is, "properties.items[3]", with a NUL; "" for a
 * record as a whole. A root is shorter than MP_SHOWN. */
enum {
    MP_WHERE = MP_SHOWN + 3 + MP_PATH + 1
};
void mp_fault_where(const mp_fault *fault, char out[MP_WHERE]);

/* Writes a text for people: in quotes, cut short, on one line. */
const char *mp_fault_quote(const char *text, size_t len, char out[MP_SHOWN]);

#endif
