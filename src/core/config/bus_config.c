#include "core/config/bus_config.h"

#include "core/base/text.h"
#include "core/os/path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

mp_bus_config *mp_bus_config_new(void) {
    mp_bus_config *bus = calloc(1, sizeof *bus);
    if (bus)
        bus->refs = 1;
    return bus;
}

mp_bus_config *mp_bus_config_retain(mp_bus_config *bus) {
    __atomic_add_fetch(&bus->refs, 1, __ATOMIC_RELAXED);
    return bus;
}

void mp_bus_config_release(mp_bus_config *bus) {
    if (!bus || __atomic_sub_fetch(&bus->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (size_t i = 0; i < bus->servers_count; i++)
        free(bus->servers[i]);
    free(bus->servers);
    free(bus->name);
    free(bus->credentials);
    free(bus->ca_file);
    free(bus->stream);
    free(bus);
}

static bool same_text(const char *a, const char *b) {
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool mp_bus_config_same(const mp_bus_config *a, const mp_bus_config *b) {
    if (!a || !b)
        return a == b;
    bool same = a->driver == b->driver && same_text(a->name, b->name) &&
                same_text(a->credentials, b->credentials) &&
                same_text(a->ca_file, b->ca_file) &&
                same_text(a->stream, b->stream) &&
                a->servers_count == b->servers_count;
    for (size_t i = 0; same && i < a->servers_count; i++)
        same = strcmp(a->servers[i], b->servers[i]) == 0;
    return same;
}

static const char *server_fault(const char *url) {
    if (*url == '\0')
        return "is empty";
    for (const char *c = url; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == 127)
            return "has white space or another character no URL has";
    /* What stands before it may be a password, and URLs get into messages. */
    return strchr(url, '@') ? "has an @: who may connect is what the file of "
                              "bus.credentials says"
                            : NULL;
}

mp_err mp_bus_config_add_server(mp_bus_config *bus, const char *url,
                                char message[MP_MESSAGE]) {
    const char *fault = server_fault(url);
    if (fault) {
        snprintf(message, MP_MESSAGE, "option 'bus.servers': URL %zu %s",
                 bus->servers_count + 1, fault);
        return MP_INVALID;
    }
    char **grown =
        realloc(bus->servers, (bus->servers_count + 1) * sizeof *bus->servers);
    if (!grown)
        return MP_MEMORY;
    bus->servers = grown;
    grown[bus->servers_count] = mp_text_copy(url);
    if (!grown[bus->servers_count])
        return MP_MEMORY;
    bus->servers_count++;
    return MP_OK;
}

mp_err mp_bus_config_text(char **field, const char *text) {
    char *copy = mp_text_copy(text);
    if (!copy)
        return MP_MEMORY;
    free(*field);
    *field = copy;
    return MP_OK;
}

mp_err mp_bus_config_path(char **field, const char *path) {
    char *absolute;
    int err = mp_path_absolute(path, &absolute);
    if (err != 0)
        return err == ENOMEM ? MP_MEMORY : MP_INVALID;
    free(*field);
    *field = absolute;
    return MP_OK;
}
