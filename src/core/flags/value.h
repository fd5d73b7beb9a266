/* JSON values of which rules are made, and which rules look at: trees that
 * nobody changes, in memory that somebody else owns. */
#ifndef MP_VALUE_H
#define MP_VALUE_H

#include "core/base/arena.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum mp_value_kind {
    MP_VALUE_UNDEFINED, /* what is not there at all */
    MP_VALUE_NULL,
    MP_VALUE_BOOLEAN,
    MP_VALUE_NUMBER,
    MP_VALUE_INTEGER, /* from 2^53 on, where doubles leave some out */
    MP_VALUE_TEXT,
    MP_VALUE_ARRAY,
    MP_VALUE_OBJECT
} mp_value_kind;

typedef struct mp_member mp_member;

typedef struct mp_value {
    uint8_t kind; /* mp_value_kind */
    bool boolean;
    uint32_t len; /* bytes of a text, items, members */
    union {
        double number;
        int64_t integer;
        const char *text; /* UTF-8, with a NUL behind it */
        const struct mp_value *items;
        const mp_member *members; /* ordered by mp_value_order */
    } as;
} mp_value;

struct mp_member {
    const char *key;
    uint32_t key_len;
    mp_value value;
};

enum {
    MP_VALUE_LEVELS = 64,               /* of nesting, at the most */
    MP_VALUE_LEN_MAX = 64 * 1024 * 1024 /* bytes or items */
};

mp_value mp_value_boolean(bool boolean);
mp_value mp_value_number(double number);
mp_value mp_value_integer(int64_t integer); /* of either kind */
mp_value mp_value_text(const char *text, size_t len);
mp_value mp_value_null(void);
mp_value mp_value_undefined(void);

/* How keys are ordered: by length, then by bytes. */
int mp_value_order(const char *a, size_t a_len, const char *b, size_t b_len);

/* The member of an object with a key; NULL: none. */
const mp_value *mp_value_member(const mp_value *object, const char *key,
                                size_t len);

#endif
