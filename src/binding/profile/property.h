/* The names that a property of a profile cannot have: those of operations,
 * modifiers, ids and the token, which Mixpanel reads beside an operation and
 * not within it (Mixpanel docs, user and group profiles). Names are JSON text
 * without quotes. */
#ifndef MP_PROPERTY_H
#define MP_PROPERTY_H

#include "binding/encode/encode.h"

#include "core/record/operation.h"

bool mp_property_is_refused(const char *name, size_t len);

/* Refuses such a name, which begins with $, and says where it belongs. */
void mp_property_check_reserved(mp_encode *e, const char *name, size_t len);

/* The letters of ids and of the token that no operation begins with. */
#define MP_ID_LETTERS (MP_LETTER('g') | MP_LETTER('h'))

static inline void mp_property_check(mp_encode *e, const char *name,
                                     size_t len) {
    if (len > 1 && name[0] == '$' &&
        (MP_LETTER(name[1]) & (MP_OPERATION_LETTERS | MP_ID_LETTERS)))
        mp_property_check_reserved(e, name, len);
}

#endif
