/* Drivers of message buses, out of shared objects. Thread: any. */
#ifndef MP_BUS_LOADER_H
#define MP_BUS_LOADER_H

#include "core/base/err.h"
#include "core/transport/bus_driver.h"

enum {
    MP_BUS_LOADER_TEXT = 1024 /* paths are long */
};

/* The driver `name` in the file, which stays loaded for good. MP_INVALID with a
 * message: a library that it needs is missing, there is no driver in it, or it
 * is made for another version of the interface. */
mp_err mp_bus_driver_load(const char *path, const char *name,
                          const mp_bus_driver **out,
                          char message[MP_BUS_LOADER_TEXT]);

#endif
