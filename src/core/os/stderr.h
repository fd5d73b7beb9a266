/* The standard error of the process, which is the host's. */
#ifndef MP_STDERR_H
#define MP_STDERR_H

#include <stddef.h>

/* Writes the bytes. A pipe that nobody reads holds up the caller for at most
 * `wait_ms`; the rest is not written then. Returns 0 or an errno value, of
 * which EAGAIN is that. Thread: any. */
int mp_stderr_write(const char *bytes, size_t n, int wait_ms);

#endif
