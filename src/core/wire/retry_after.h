/* What a Retry-After header asks for (RFC 9110, 10.2.3), for transports that
 * hand over headers as text. Pure. */
#ifndef MP_RETRY_AFTER_H
#define MP_RETRY_AFTER_H

#include <stdint.h>

/* Milliseconds from `wall_ms` (mp_clock_wall_ms) on that the value asks for:
 * seconds, or a date as "Sun, 06 Nov 1994 08:49:37 GMT". 0: none, in the
 * past, or not understood. */
int64_t mp_retry_after_ms(const char *value, int64_t wall_ms);

#endif
