/* Sockets that no program which the host executes gets. */
#ifndef MP_SOCKET_H
#define MP_SOCKET_H

/* As socket(). Below 0: errno says why not. */
int mp_socket_open(int family, int type, int protocol);
int mp_socket_close(int fd);

/* Has its close drop what was not sent yet, which the system would go on
 * sending. */
void mp_socket_drop(int fd);

#endif
