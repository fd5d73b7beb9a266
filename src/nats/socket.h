/* The socket of a connection, which libnats shows nobody. */
#ifndef MP_NATS_SOCKET_H
#define MP_NATS_SOCKET_H

#include <nats/nats.h>
#include <sys/socket.h>

typedef struct mp_nats_socket {
    int fd; /* -1: not known */
    struct sockaddr_storage local, peer;
} mp_nats_socket;

void mp_nats_socket_none(mp_nats_socket *s);

/* Finds it, and lets no other program inherit it. */
void mp_nats_socket_find(mp_nats_socket *s, natsConnection *nc);

/* Ends its connection at once, if it is still this one: whoever waits for it
 * comes back. */
void mp_nats_socket_cut(const mp_nats_socket *s);

/* Closes the copy of it in a forked child, by system calls alone. */
void mp_nats_socket_close_copy(mp_nats_socket *s);

#endif
