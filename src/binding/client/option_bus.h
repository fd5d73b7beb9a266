/* The options `bus` and, where it names a driver, `transport` of mixpanel.new.
 */
#ifndef MP_OPTION_BUS_H
#define MP_OPTION_BUS_H

#include "binding/client/option.h"

/* { servers =, credentials =, ca_file =, stream = }. Nothing of it is shown. */
void mp_option_bus(mp_option_reader *r, const mp_option *option);

/* True for what may be the name of a driver. */
bool mp_option_is_driver(const char *transport);

/* Once all options are read: loads the driver, which is looked for along
 * package.cpath, as `require` looks. Raises if there is none, and for options
 * that do not go together. */
void mp_option_bus_finish(mp_option_reader *r);

/* Raises for an option that says how Mixpanel is reached, if a bus is between.
 */
void mp_option_bus_check(const mp_option_reader *r, const mp_bus_config *bus);

#endif
