/* Preloaded: a resolver that hangs. While the file that MP_SPEC_STUCK names
 * exists, no look-up of a name below .invalid returns, whatever the time limits
 * of who asks. */
#include "stuck.h"

#include <dlfcn.h>
#include <netdb.h>
#include <stdbool.h>
#include <string.h>

typedef int look_up(const char *node, const char *service,
                    const struct addrinfo *hints, struct addrinfo **result);

static bool is_invalid(const char *name) {
    static const char end[] = ".invalid";
    size_t len = name ? strlen(name) : 0;
    return len >= sizeof end - 1 &&
           strcmp(name + len - (sizeof end - 1), end) == 0;
}

int getaddrinfo(const char *node, const char *service,
                const struct addrinfo *hints, struct addrinfo **result) {
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
    look_up *real = NULL;
    if (is_invalid(node)) {
        hang();
        return EAI_AGAIN;
    }
    memcpy(&real, &symbol, sizeof real);
    return real ? real(node, service, hints, result) : EAI_SYSTEM;
}
