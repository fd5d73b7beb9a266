#define _GNU_SOURCE /* SOCK_CLOEXEC */
#include "core/os/socket.h"

#include <sys/socket.h>
#include <unistd.h>

int mp_socket_open(int family, int type, int protocol) {
    return socket(family, type | SOCK_CLOEXEC, protocol);
}

int mp_socket_close(int fd) {
    return close(fd);
}

void mp_socket_drop(int fd) {
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}
