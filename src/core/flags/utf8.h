/* UTF-8, character by character, and what JavaScript sees in it: units of
 * UTF-16. A surrogate that stands alone, as JavaScript cuts text, has the
 * three bytes that UTF-8 would give it. What is no UTF-8 counts as one
 * character for each byte. */
#ifndef MP_UTF8_H
#define MP_UTF8_H

#include <stddef.h>
#include <stdint.h>

enum {
    MP_UTF8_MAX = 4,       /* bytes of a character */
    MP_UTF8_BAD = 0x110000 /* stands for a byte that is no UTF-8 */
};

/* The character at `at`, before `end`; moves `*at` behind it. */
uint32_t mp_utf8_next(const char **at, const char *end);

/* The character that ends at `at`, behind `start`; moves `*at` to it. */
uint32_t mp_utf8_previous(const char *start, const char **at);

/* Writes a code point and returns the end of what it wrote. */
char *mp_utf8_put(char *out, uint32_t code);

/* Units of UTF-16. */
size_t mp_utf8_units(const char *text, size_t len);

/* Copies units `from` to `to` - 1 to `out`, which has room for 3 bytes each,
 * and returns the end of what it wrote. */
char *mp_utf8_slice(const char *text, size_t len, size_t from, size_t to,
                    char *out);

/* Below, at or above 0 as JavaScript orders texts: by units of UTF-16. */
int mp_utf8_compare(const char *a, size_t a_len, const char *b, size_t b_len);

/* Takes JavaScript's white space and line ends off the front, and off the
 * back. */
void mp_utf8_trim_start(const char **text, size_t *len);
void mp_utf8_trim(const char **text, size_t *len);

#endif
