/* JavaScript's conversions and comparisons of JSON values, which JSON logic
 * is defined by. Text that has to be made is taken from an arena. Each
 * returns false when that gives none, or when an array is nested deeper than
 * MP_VALUE_LEVELS. */
#ifndef MP_COERCE_H
#define MP_COERCE_H

#include "core/flags/value.h"

/* As JSON logic has it: false for false, null, 0, NaN, "" and [], and for
 * what is not there. */
bool mp_coerce_truth(const mp_value *value);

bool mp_coerce_number(const mp_value *value, mp_arena *arena, double *out);

/* String(value): a text. */
bool mp_coerce_text(const mp_value *value, mp_arena *arena, mp_value *out);

/* Array.prototype.join: a text of the items as text, nothing for what is null
 * or not there. */
bool mp_coerce_join(const mp_value *items, size_t count, const char *separator,
                    mp_arena *arena, mp_value *out);

/* value === other. */
bool mp_coerce_same(const mp_value *value, const mp_value *other);

/* value == other. */
bool mp_coerce_equal(const mp_value *value, const mp_value *other,
                     mp_arena *arena, bool *out);

/* value < other, or with `or_equal` value <= other. */
bool mp_coerce_less(const mp_value *value, const mp_value *other, bool or_equal,
                    mp_arena *arena, bool *out);

#endif
