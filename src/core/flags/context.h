/* The custom properties of a context, told piece by piece by whoever reads
 * them, and made into values of which keys and texts are lower case, unless
 * `as_given` is set after the beginning. One after
 * the other in the same memory, so that equal ones allocate nothing. Not
 * thread-safe.
 *
 *     mp_context_begin(context);
 *     mp_context_open(context);
 *     if (mp_context_key(context, "Plan", 4, flag))
 *         mp_context_text(context, "Pro", 3);
 *     mp_context_close_object(context);
 *     properties = mp_context_value(context); // {"plan": "pro"}
 *
 * Calls after an error do nothing. */
#ifndef MP_CONTEXT_H
#define MP_CONTEXT_H

#include "core/flags/flag.h"

enum {
    MP_CONTEXT_BYTES = 4 * 1024 * 1024 /* of values, and what rules make */
};

typedef struct mp_context_entry mp_context_entry;

/* All zero before the first mp_context_begin. */
typedef struct mp_context {
    mp_arena arena;
    mp_context_entry *entries; /* of tables that are open */
    uint32_t count, cap;
    uint32_t first[MP_VALUE_LEVELS + 1]; /* entry of each open table */
    uint32_t levels;
    bool as_given;
    const char *key, *given_key; /* of the next value */
    uint32_t key_len, given_len;
    const char *problem; /* "nested deeper than …", NULL: none; after
                            MP_INVALID */
    mp_err err;
} mp_context;

/* Forgets what there was. */
void mp_context_begin(mp_context *context);

/* Begins a table: an array unless it is closed as an object. */
void mp_context_open(mp_context *context);

/* Names the next value. `key` stays until the table is closed. False: the
 * rules of `flag`, NULL for any, do not read it, and nothing was named. */
bool mp_context_key(mp_context *context, const char *key, size_t len,
                    const mp_flag *flag);

void mp_context_null(mp_context *context);
void mp_context_boolean(mp_context *context, bool boolean);
void mp_context_number(mp_context *context, double number);
void mp_context_integer(mp_context *context, int64_t integer);
void mp_context_text(mp_context *context, const char *text, size_t len);

void mp_context_close_array(mp_context *context);

/* Of keys that are the same in lower case the one that was lower case wins,
 * else the one whose bytes come first. */
void mp_context_close_object(mp_context *context);

/* What was told, valid until the next begin; NULL after an error, or if
 * nothing was. */
const mp_value *mp_context_value(const mp_context *context);

void mp_context_free(mp_context *context);

#endif
