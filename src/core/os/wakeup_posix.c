#define _GNU_SOURCE
#include "core/os/wakeup.h"

#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int mp_wakeup_open(void) {
    return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

void mp_wakeup_close(int fd) {
    if (fd >= 0)
        close(fd);
}

void mp_wakeup_set(int fd) {
    const uint64_t one = 1;
    if (write(fd, &one, sizeof one) < 0)
        return; /* EAGAIN: it was set 2^64 times */
}

void mp_wakeup_clear(int fd) {
    uint64_t count;
    if (read(fd, &count, sizeof count) < 0)
        return; /* EAGAIN: it was cleared already */
}
