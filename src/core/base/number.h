/* What JSON numbers mean, whatever the locale says. The text is well formed. */
#ifndef MP_NUMBER_H
#define MP_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False: it lies beyond the largest double. */
bool mp_number_is_finite(const char *text, size_t len);

/* The value, exact to about 16 digits. */
double mp_number_value(const char *text, size_t len);

/* True for an integer without fraction or exponent. */
bool mp_number_is_integer(const char *text, size_t len);

#endif
