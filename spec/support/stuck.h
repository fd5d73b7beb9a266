/* For libraries that are preloaded, and hang where a program calls them. */
#ifndef MP_SPEC_STUCK_H
#define MP_SPEC_STUCK_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Returns once the file that MP_SPEC_STUCK names is not there; a file of that
 * name with ".met" at its end says that it was. */
static void hang(void) {
    const struct timespec pause = {.tv_nsec = 10L * 1000 * 1000};
    const char *path = getenv("MP_SPEC_STUCK");
    char met[256];
    if (!path || access(path, F_OK) != 0)
        return;
    snprintf(met, sizeof met, "%s.met", path);
    close(open(met, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    while (access(path, F_OK) == 0)
        nanosleep(&pause, NULL);
}

#endif
