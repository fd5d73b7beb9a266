/* The operations of profile updates, once: what people and groups offer as
 * methods, what their values look like, and which of them may be sent twice
 * (Mixpanel docs, user and group profiles). */
#ifndef MP_OPERATION_H
#define MP_OPERATION_H

#include "core/record/segment.h"

/* What stands behind an operation. */
typedef enum mp_payload {
    MP_PROPERTIES, /* an object */
    MP_NUMBERS,    /* an object of numbers */
    MP_LISTS,      /* an object of lists; a scalar is wrapped in one */
    MP_NAMES,      /* a list of property names, or one name */
    MP_NOTHING
} mp_payload;

typedef struct mp_operation {
    const char *name;   /* "$set" */
    const char *people; /* the method of people */
    const char *groups; /* the method of groups; NULL: people only */
    mp_payload payload;
    mp_kind kind;
} mp_operation;

extern const mp_operation mp_operations[]; /* ends with a NULL name */

/* The letters behind the $ of the names of operations and modifiers, as bits: a
 * name with another one is none of them. */
#define MP_LETTER(letter) (UINT32_C(1) << ((unsigned char)(letter)&31))
#define MP_OPERATION_LETTERS                                                   \
    (MP_LETTER('a') | MP_LETTER('d') | MP_LETTER('i') | MP_LETTER('l') |       \
     MP_LETTER('r') | MP_LETTER('s') | MP_LETTER('t') | MP_LETTER('u'))

/* The operation of this name, with its $; NULL: there is none. */
const mp_operation *mp_operation_find(const char *name, size_t len);

/* True for the name of what may stand beside an operation, with its $, but
 * for the ids. */
bool mp_operation_is_modifier(const char *name, size_t len);

#endif
