#define _GNU_SOURCE
#include "core/os/stderr.h"

#include "core/os/clock.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <unistd.h>

/* 0: it takes PIPE_BUF bytes without blocking. The descriptor is shared with
 * the host, which would be surprised to find it non-blocking. */
static int await_room(int64_t deadline_ms) {
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
    int64_t left_ms = deadline_ms - mp_clock_mono_ms();
    int ready = poll(&room, 1, left_ms > 0 ? (int)left_ms : 0);
    if (ready < 0)
        return errno;
    if (ready == 0)
        return EAGAIN;
    /* To write where nobody reads any more would raise a SIGPIPE. */
    return room.revents & (POLLERR | POLLNVAL) ? EPIPE : 0;
}

int mp_stderr_write(const char *bytes, size_t n, int wait_ms) {
    int64_t deadline_ms = mp_clock_mono_ms() + wait_ms;
    while (n > 0) {
        int err = await_room(deadline_ms);
        if (err == EINTR)
            continue;
        if (err != 0)
            return err;
        ssize_t done = write(STDERR_FILENO, bytes, n < PIPE_BUF ? n : PIPE_BUF);
        if (done < 0 && errno != EINTR)
            return errno;
        if (done > 0) {
            bytes += done;
            n -= (size_t)done;
        }
    }
    return 0;
}
