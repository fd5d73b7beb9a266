/* Addresses of the Internet as text. */
#ifndef MP_ADDRESS_H
#define MP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

/* True if the `len` bytes are an address as inet_pton takes it: of version 4
 * as four decimal numbers, whose first goes to *first; of version 6 without
 * brackets or zone. */
bool mp_address_is_v4(const char *text, size_t len, unsigned *first);
bool mp_address_is_v6(const char *text, size_t len);

#endif
