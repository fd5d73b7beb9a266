#define _GNU_SOURCE
#include "nats/socket.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void mp_nats_socket_none(mp_nats_socket *s) {
    memset(s, 0, sizeof *s);
    s->fd = -1;
}

/* Both ends of what a descriptor stands for; false: it is no such socket. */
static bool ends_of(int fd, mp_nats_socket *out) {
    socklen_t local = sizeof out->local, peer = sizeof out->peer;
    mp_nats_socket_none(out);
    if (getsockname(fd, (struct sockaddr *)&out->local, &local) != 0 ||
        getpeername(fd, (struct sockaddr *)&out->peer, &peer) != 0)
        return false;
    out->fd = fd;
    return true;
}

/* Its number may have been given to another file meanwhile. */
static bool is_still(const mp_nats_socket *s) {
    mp_nats_socket now;
    return s->fd >= 0 && ends_of(s->fd, &now) &&
           memcmp(&now.local, &s->local, sizeof now.local) == 0 &&
           memcmp(&now.peer, &s->peer, sizeof now.peer) == 0;
}

/* IP and port of this process's end. */
static bool is_at(const struct sockaddr_storage *end, const char *ip,
                  int port) {
    char text[INET6_ADDRSTRLEN] = "";
    int found = -1;
    if (end->ss_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)end;
        inet_ntop(AF_INET, &four->sin_addr, text, sizeof text);
        found = ntohs(four->sin_port);
    } else if (end->ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)end;
        inet_ntop(AF_INET6, &six->sin6_addr, text, sizeof text);
        found = ntohs(six->sin6_port);
    }
    return found == port && strcmp(text, ip) == 0;
}

static void look_for(mp_nats_socket *s, const char *ip, int port) {
    DIR *dir = opendir("/proc/self/fd");
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        mp_nats_socket found;
        int fd = (int)strtol(entry->d_name, NULL, 10);
        if (entry->d_name[0] == '.' || !ends_of(fd, &found) ||
            !is_at(&found.local, ip, port))
            continue;
        *s = found;
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        break;
    }
    if (dir)
        closedir(dir);
}

void mp_nats_socket_find(mp_nats_socket *s, natsConnection *nc) {
    char *ip = NULL;
    int port = 0;
    mp_nats_socket_none(s);
    if (natsConnection_GetLocalIPAndPort(nc, &ip, &port) == NATS_OK && ip)
        look_for(s, ip, port);
    free(ip);
}

void mp_nats_socket_cut(const mp_nats_socket *s) {
    if (is_still(s))
        shutdown(s->fd, SHUT_RDWR);
}

void mp_nats_socket_close_copy(mp_nats_socket *s) {
    if (is_still(s))
        close(s->fd);
    s->fd = -1;
}
