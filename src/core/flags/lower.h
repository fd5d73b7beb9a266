/* Lower case of any text, as JavaScript's toLowerCase has it: the rules of
 * flags are written without regard to case. */
#ifndef MP_LOWER_H
#define MP_LOWER_H

#include <stddef.h>

/* Room for the lower case of `len` bytes: a character of two bytes may become
 * one of three. */
static inline size_t mp_lower_room(size_t len) {
    return len + len / 2;
}

/* Writes the lower case of UTF-8 at `out`, which has mp_lower_room(len) bytes,
 * and returns its length. What is no UTF-8 is copied. */
size_t mp_lower(const char *text, size_t len, char *out);

#endif
