/* What C11 lacks for text. */
#ifndef MP_TEXT_H
#define MP_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* A copy, or what printf would write, for free(); NULL: out of memory. */
char *mp_text_copy(const char *text);
char *mp_text_format(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* The first place of `part`, which is not empty, among the `len` bytes of
 * `text`; NULL: it is not there. */
const char *mp_text_find(const char *text, size_t len, const char *part,
                         size_t part_len);

bool mp_text_ends(const char *text, const char *end); /* and is longer */

/* Both compare ASCII letters without their case, whatever the locale. */
bool mp_text_same(const char *a, const char *b);
bool mp_text_begins(const char *text, const char *start);

#endif
