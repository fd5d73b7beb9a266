/* The one libnats of this process. */
#ifndef MP_NATS_LIBRARY_H
#define MP_NATS_LIBRARY_H

#include "core/transport/bus_driver.h"

/* Opens it with the first call, and for good. `at_end` is called when the
 * process ends and OpenSSL is about to be torn down. False: *text says why not.
 */
bool mp_nats_library_open(void (*at_end)(void), char text[MP_BUS_TEXT]);

/* The last that a thread has to do with it. Between mp_nats_enter and
 * mp_nats_leave. */
void mp_nats_library_leave_thread(void);

/* This process was forked from one that had used it, so it is of no use here.
 * Takes no lock. */
bool mp_nats_library_is_forked(void);

#endif
