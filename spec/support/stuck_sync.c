/* Preloaded: a disk that hangs. While the file that MP_SPEC_STUCK names exists,
 * no sync returns; a file of that name with ".met" at its end says that one was
 * called. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

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

int fsync(int fd) {
    hang();
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
    hang();
    return (int)syscall(SYS_fdatasync, fd);
}

int msync(void *address, size_t bytes, int flags) {
    hang();
    return (int)syscall(SYS_msync, address, bytes, flags);
}
