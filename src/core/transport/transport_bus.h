/* Message buses over another transport, which carries all other requests and in
 * which the thread sleeps: one open bus for all projects that say the same of
 * theirs, by a driver, until the process ends. */
#ifndef MP_TRANSPORT_BUS_H
#define MP_TRANSPORT_BUS_H

#include "core/transport/transport.h"

/* Takes over the transport below it. Opens nothing before the first message.
 * Returns 0 or an errno value, and then that stays the caller's. */
int mp_transport_bus_new(mp_transport *below, mp_transport **out);

#endif
