/* Dates as RFC 3339 writes them. */
#ifndef MP_RFC3339_H
#define MP_RFC3339_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Seconds since 1970 of a date with time and zone, rounded down; white space
 * may stand around it. False for anything else, a day that is in no calendar
 * and a leap second included. */
bool mp_rfc3339_read(const char *text, size_t len, int64_t *seconds);

#endif
