/* What a client says of the message bus that carries its records: option `bus`.
 * It never changes once it is in a config, and is counted by reference, since
 * an open bus outlives the projects that use it. Holds no secret: the
 * credentials are a path. */
#ifndef MP_BUS_CONFIG_H
#define MP_BUS_CONFIG_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct mp_bus_driver; /* core/transport/bus_driver.h */

/* The texts are owned; NULL: not said. */
typedef struct mp_bus_config {
    char *name;                         /* of the transport, such as "nats" */
    const struct mp_bus_driver *driver; /* stays loaded for good */
    char **servers;
    size_t servers_count;
    char *credentials, *ca_file; /* absolute paths */
    char *stream;
    int refs; /* private, atomic */
} mp_bus_config;

mp_bus_config *mp_bus_config_new(void); /* one reference; NULL: no memory */
mp_bus_config *mp_bus_config_retain(mp_bus_config *bus);
void mp_bus_config_release(mp_bus_config *bus); /* NULL is allowed */

/* True if both lead to one bus in the same way; NULL: no bus. */
bool mp_bus_config_same(const mp_bus_config *a, const mp_bus_config *b);

/* Adds the URL of a server. MP_INVALID, with a message, for one without a
 * scheme, a host behind "//" or a port that can be, and for one with blanks or
 * with an @, before which a password may stand: that is not shown. MP_MEMORY.
 */
mp_err mp_bus_config_add_server(mp_bus_config *bus, const char *url,
                                char message[MP_MESSAGE]);

/* Replaces the name of the stream. MP_INVALID, with a message, for one with
 * white space; MP_MEMORY. */
mp_err mp_bus_config_stream(mp_bus_config *bus, const char *name,
                            char message[MP_MESSAGE]);

/* Replaces a text of the struct, or one by a path made absolute. MP_MEMORY;
 * MP_INVALID when there is no working directory. */
mp_err mp_bus_config_text(char **field, const char *text);
mp_err mp_bus_config_path(char **field, const char *path);

#endif
