/* The thread that sends. It never touches a file, so a disk that hangs does not
 * hold it up: projects that need one have their turns on the disk thread, which
 * hands it their requests. It sleeps in one place, the transport's. */
#ifndef MP_SENDER_H
#define MP_SENDER_H

#include "core/engine/handover.h"
#include "core/project/projects.h"
#include "core/transport/transport.h"

#include <stdatomic.h>

typedef struct mp_sender mp_sender;

/* Starts the thread, which uses the transport from then on; the structs stay
 * the caller's. It sets *succeeded whenever a request did. Returns 0 or
 * an errno value, as mp_thread_start does. */
int mp_sender_start(mp_projects *projects, mp_transport *transport,
                    mp_handover *handover, atomic_bool *succeeded,
                    mp_sender **out);

/* Does nothing once the thread was stopped. */
void mp_sender_wake(mp_sender *sender);

/* Has the thread abort what is under way and end. */
void mp_sender_begin_stop(mp_sender *sender);

/* The same, and waits for it at most until `deadline_ms` (mp_clock_mono_ms).
 * False: it is left to itself, and to lock it out of the transport may have
 * taken seconds more. The struct stays: other threads may be about to wake
 * it. */
bool mp_sender_stop(mp_sender *sender, int64_t deadline_ms);

/* Around fork: see transport.h. */
void mp_sender_before_fork(mp_sender *sender);
void mp_sender_in_parent(mp_sender *sender);

/* In the child: the sender is abandoned and never freed. It keeps the one that
 * was abandoned before it, for those who look for leaks; NULL: none was. */
void mp_sender_in_child(mp_sender *sender, mp_sender *before);

#endif
