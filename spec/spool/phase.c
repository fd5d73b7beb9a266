/* Kills the process at the n-th time that it comes to a phase: see
 * src/core/phase.h. MP_SPEC_KILL is "phase n file"; the file gets the phase's
 * name first. Linked only into the build that the crash spec uses. */
#ifndef MP_SPEC_HOOKS
#define MP_SPEC_HOOKS /* for linters, which read this file alone */
#endif
#include "core/base/crash_point.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_long left = -1;
static char phase[16], path[256];

__attribute__((constructor)) static void set_up(void) {
    const char *kill = getenv("MP_SPEC_KILL");
    long n;
    if (kill && sscanf(kill, "%15s %ld %255s", phase, &n, path) == 3)
        atomic_store(&left, n);
}

__attribute__((visibility("hidden"))) void mp_crash_point(const char *name) {
    if (strcmp(name, phase) != 0 || atomic_fetch_sub(&left, 1) != 1)
        return;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0 && write(fd, name, strlen(name)) > 0)
        kill(getpid(), SIGKILL);
}
