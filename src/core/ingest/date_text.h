/* The times of events as files write them. */
#ifndef MP_DATE_TEXT_H
#define MP_DATE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Milliseconds since 1970, or seconds if it is a number of seconds: of
 * 2026-01-02, 2026-01-02 03:04[:05[.678]], with T instead of the space, with Z
 * or an offset such as +01:00 behind, else UTC; or a number. False for
 * anything else. */
bool mp_date_read(const char *text, size_t len, int64_t *time);

#endif
