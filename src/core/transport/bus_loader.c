#include "core/transport/bus_loader.h"

#include "core/os/library.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    SYMBOL = 64 /* bytes; names are shorter */
};

mp_err mp_bus_driver_load(const char *path, const char *name,
                          const mp_bus_driver **out,
                          char message[MP_BUS_LOADER_TEXT]) {
    char why[MP_BUS_LOADER_TEXT / 2], symbol[SYMBOL];
    *out = NULL;
    mp_library *library = mp_library_open(path, why, sizeof why);
    if (!library) {
        snprintf(message, MP_BUS_LOADER_TEXT, "cannot be loaded: %s", why);
        return MP_INVALID;
    }
    snprintf(symbol, sizeof symbol, "mp_bus_driver_%s", name);
    const mp_bus_driver *driver = mp_library_symbol(library, symbol);
    if (!driver)
        snprintf(message, MP_BUS_LOADER_TEXT,
                 "is no driver of that name: it does not export %s", symbol);
    else if (driver->abi != MP_BUS_ABI)
        snprintf(message, MP_BUS_LOADER_TEXT,
                 "is made for version %" PRIu32
                 " of the drivers' interface, and this module for version %d: "
                 "build both of one release",
                 driver->abi, MP_BUS_ABI);
    else
        *out = driver;
    if (*out)
        return MP_OK;
    mp_library_close(library);
    return MP_INVALID;
}
