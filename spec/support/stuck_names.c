/* Preloaded: a resolver that hangs. While the file that MP_SPEC_STUCK names
 * exists, no look-up of a name below .invalid returns, whatever the time limits
 * of who asks; a file of that name with ".met" at its end says that one was
 * begun. */
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef int look_up(const char *node, const char *service,
                    const struct addrinfo *hints, struct addrinfo **result);

static bool is_invalid(const char *name) {
    static const char end[] = ".invalid";
    size_t len = name ? strlen(name) : 0;
    return len >= sizeof end - 1 &&
           strcmp(name + len - (sizeof end - 1), end) == 0;
}

static void hang(void) {
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    const char *path = getenv("MP_SPEC_STUCK");
    char met[256];
    if (!path || access(path, F_OK) != 0)
        return;
    snprintf(met, sizeof met, "%s.met", path);
    close(open(met, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    while (access(path, F_OK) == 0)
        nanosleep(&pause, NULL);
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
