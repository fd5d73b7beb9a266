/* What a fork must find libnats in. At its exit a child runs what libnats and
 * OpenSSL registered, which takes locks of theirs; one that a thread of the
 * parent held at the fork stays locked, and the child would not end. */
#ifndef MP_NATS_FORK_H
#define MP_NATS_FORK_H

#include <stdbool.h>
#include <stdint.h>

/* Has forks of this process, and of its children, wait until no thread is
 * between the two calls below, a second at the most; and not a second time for
 * one that was waited for in vain, as it may be in the network. Once, before
 * any of those calls. False: out of memory. */
bool mp_nats_fork_watch(void);

/* Around what takes such locks: to connect, to close, to end a thread. Waits
 * while a fork is on, so the caller holds no lock. The first gives what the
 * second takes. */
uint64_t mp_nats_enter(void);
void mp_nats_leave(uint64_t ticket);

#endif
