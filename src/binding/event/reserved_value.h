/* What callers may put into the properties of an event that have a meaning of
 * their own. */
#ifndef MP_RESERVED_VALUE_H
#define MP_RESERVED_VALUE_H

#include "binding/encode/encode.h"
#include "binding/encode/id.h"

#include "core/record/limits.h"
#include "core/record/reserved.h"

/* Appends the id at the top as a string. *given: it is there and not empty;
 * nothing is appended for what stands for null. */
void mp_reserved_value_id(mp_encode *e, bool *given);

/* Reads the caller's own $insert_id at the top into `out`; *len is 0 for
 * what stands for null. Refused unless it is 1 to 36 of
 * [A-Za-z0-9-] (Mixpanel docs, import events). */
void mp_reserved_value_insert_id(mp_encode *e, char out[MP_INSERT_ID_MAX],
                                 size_t *len);

#endif
