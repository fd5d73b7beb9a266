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
