/* Who connects, out of the file that the option names. */
#ifndef MP_NATS_CREDENTIALS_H
#define MP_NATS_CREDENTIALS_H

#include "core/transport/bus_driver.h"

#include <nats/nats.h>

/* Reads the file anew, since it may have been mended, and puts what it says
 * into `options`. False: *text says why it cannot be used, without its path or
 * anything of what is in it. */
bool mp_nats_credentials(natsOptions *options, const char *path,
                         char text[MP_BUS_TEXT]);

#endif
