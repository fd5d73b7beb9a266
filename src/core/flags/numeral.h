/* Numbers as text, and text as numbers, as JavaScript has them. Knows nothing
 * of locales. */
#ifndef MP_NUMERAL_H
#define MP_NUMERAL_H

#include "core/base/num.h"

#include <stddef.h>

enum {
    MP_NUMERAL_MAX = MP_NUM_MAX + 1 /* bytes that no number exceeds */
};

/* String(number): writes at `out`, which has MP_NUMERAL_MAX bytes of room,
 * adds no NUL and returns the end. */
char *mp_numeral_write(char *out, double number);

/* Number(text): all of the text but white space around it, decimal or with
 * 0x, 0o or 0b in front; 0 for nothing. NaN for any other text. */
double mp_numeral_read(const char *text, size_t len);

/* parseFloat(text): the longest beginning that is a decimal number; NaN: there
 * is none. */
double mp_numeral_read_start(const char *text, size_t len);

#endif
