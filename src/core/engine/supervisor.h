/* The threads of this process, the sender and the one for the disk: each
 * started when it is first needed, left behind in a forked child, stopped at
 * exit. Thread: any. A set of threads is as mp_project_threads says. */
#ifndef MP_SUPERVISOR_H
#define MP_SUPERVISOR_H

#include "core/project/projects.h"

/* Once per process: sets up the transport, and says whose requests it sends. */
mp_err mp_supervisor_set_up(mp_projects *projects);

/* Sees to it that these threads run in this process. MP_THREAD or MP_MEMORY
 * when one cannot, with a message that says what to do; MP_CLOSED, with a
 * message, once they were stopped. */
mp_err mp_supervisor_start(unsigned threads, char message[MP_MESSAGE]);

/* The same for calls that come with every record: for a second after a
 * failure it does not try again. */
mp_err mp_supervisor_keep_running(unsigned threads, char message[MP_MESSAGE]);

/* True if all of them run. */
bool mp_supervisor_runs(unsigned threads);

/* Wakes those of them that run. */
void mp_supervisor_wake(unsigned threads);

/* Stops them for good, waiting at most until `deadline_ms`, and for the disk
 * until `disk_ms`, which is not before; writes what is left to disk. One that
 * does not come by then is left to itself. */
void mp_supervisor_stop(int64_t deadline_ms, int64_t disk_ms);

/* True if a request succeeded since this was last asked. */
bool mp_supervisor_succeeded(void);

/* Around fork. */
void mp_supervisor_before_fork(void);
void mp_supervisor_in_parent(void);
void mp_supervisor_in_child(void);

#endif
