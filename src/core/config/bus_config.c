#include "core/config/bus_config.h"

#include "core/base/fault.h"
#include "core/base/text.h"
#include "core/os/path.h"

#include <errno.h>
#include <stdint.h>
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

/* ---- servers ---- */

/* What is wrong with a URL that a message must not show. */
static const char *unshown_fault(const char *url) {
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

/* The bytes of the host and its brackets; 0: there is none, or no end to it. */
static size_t host_length(const char *host) {
    if (*host != '[')
        return strcspn(host, ":/?#");
    size_t len = strcspn(host, "]");
    return len > 1 && host[len] == ']' ? len + 1 : 0;
}

static bool is_port(const char *digits) {
    size_t len = strspn(digits, "0123456789");
    unsigned long port = strtoul(digits, NULL, 10);
    return len > 0 && len <= 5 && port > 0 && port <= UINT16_MAX &&
           strchr("/?#", digits[len]);
}

/* What holds of any bus. Which schemes there are, and what follows one without
 * "//", the driver alone knows. */
static const char *url_fault(const char *url) {
    size_t scheme = strspn(url, "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
    const char *rest = url + scheme;
    bool none = scheme == 0 || *rest != ':' || (*url >= '0' && *url <= '9');
    /* "n1:4222" is a host and its port. */
    if (none || rest[1 + strspn(rest + 1, "0123456789")] == '\0')
        return "has no scheme: expected one such as \"tls://n1:4222\"";
    if (strncmp(rest, "://", 3) != 0)
        return NULL;
    rest += 3;
    size_t host = host_length(rest);
    rest += host;
    if (host == 0 || !strchr(":/?#", *rest))
        return "names no host: expected one such as \"tls://n1:4222\" or "
               "\"tls://[::1]:4222\"";
    if (*rest == ':' && !is_port(rest + 1))
        return "has no port from 1 to 65535 behind its host: expected one such "
               "as \"tls://n1:4222\"";
    return NULL;
}

mp_err mp_bus_config_add_server(mp_bus_config *bus, const char *url,
                                char message[MP_MESSAGE]) {
    char shown[MP_SHOWN];
    size_t number = bus->servers_count + 1;
    const char *unshown = unshown_fault(url);
    const char *fault = unshown ? NULL : url_fault(url);
    if (unshown)
        snprintf(message, MP_MESSAGE, "option 'bus.servers': URL %zu %s",
                 number, unshown);
    if (fault)
        snprintf(message, MP_MESSAGE, "option 'bus.servers': URL %zu, %s, %s",
                 number, mp_fault_quote(url, strlen(url), shown), fault);
    if (unshown || fault)
        return MP_INVALID;
    char **grown = realloc(bus->servers, number * sizeof *bus->servers);
    if (!grown)
        return MP_MEMORY;
    bus->servers = grown;
    grown[bus->servers_count] = mp_text_copy(url);
    if (!grown[bus->servers_count])
        return MP_MEMORY;
    bus->servers_count++;
    return MP_OK;
}

/* ---- texts ---- */

mp_err mp_bus_config_stream(mp_bus_config *bus, const char *name,
                            char message[MP_MESSAGE]) {
    char shown[MP_SHOWN];
    for (const char *c = name; *c; c++) {
        if ((unsigned char)*c <= ' ' || *c == 127) {
            snprintf(message, MP_MESSAGE,
                     "option 'bus.stream': got %s, expected the name of a "
                     "stream, which has no white space",
                     mp_fault_quote(name, strlen(name), shown));
            return MP_INVALID;
        }
    }
    return mp_bus_config_text(&bus->stream, name);
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
