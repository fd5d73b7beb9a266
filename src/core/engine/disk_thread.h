/* The thread that may wait for a disk: it writes state files, and has the turns
 * of projects that keep files, whose requests it hands to the sender. Without
 * such projects and state files it is never started. */
#ifndef MP_DISK_THREAD_H
#define MP_DISK_THREAD_H

#include "core/engine/handover.h"
#include "core/project/projects.h"

typedef struct mp_disk_thread mp_disk_thread;

/* Starts the thread; the structs stay the caller's. Returns 0 or an errno
 * value, as mp_thread_start does. */
int mp_disk_thread_start(mp_projects *projects, mp_handover *handover,
                         mp_disk_thread **out);

/* Ends the thread, waiting at most until `deadline_ms` (mp_clock_mono_ms): once
 * there is no sender, or at `alone_ms`, it takes the replies that came, writes
 * all state files, and finishes the projects with a spool. Later it is left to
 * itself. The struct stays: other threads may be about to wake it. */
void mp_disk_thread_stop(mp_disk_thread *disk, int64_t alone_ms,
                         int64_t deadline_ms);

/* In a forked child: as mp_sender_in_child. */
void mp_disk_thread_in_child(mp_disk_thread *disk, mp_disk_thread *before);

#endif
