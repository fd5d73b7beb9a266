/* Order of versions by semver.org 2.0.0. */
#ifndef MP_SEMVER_H
#define MP_SEMVER_H

#include <stdbool.h>
#include <stddef.h>

/* Sets `order` below, at or above 0. White space around a version, a v in
 * front and missing last numbers ("1.2" is 1.2.0) are allowed; false if
 * either is no version all the same, or takes more than 256 units. */
bool mp_semver_compare(const char *a, size_t a_len, const char *b, size_t b_len,
                       int *order);

#endif
