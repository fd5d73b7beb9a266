/* The worker of this process: started when it is first needed, left behind in
 * a forked child, stopped at exit. Thread: any. */
#ifndef MP_SUPERVISOR_H
#define MP_SUPERVISOR_H

#include "core/project/projects.h"

/* Once per process: sets up the transport, and says whose requests it sends. */
mp_err mp_supervisor_set_up(mp_projects *projects);

/* Sees to it that the worker runs in this process. MP_THREAD or MP_MEMORY
 * when it cannot, with a message that says what to do; MP_CLOSED, with a
 * message, once it was stopped. */
mp_err mp_supervisor_start(char message[MP_MESSAGE]);

/* The same for calls that come with every record: for a second after a
 * failure it does not try again. */
mp_err mp_supervisor_keep_running(char message[MP_MESSAGE]);

/* Wakes it, if it runs. */
void mp_supervisor_wake(void);

/* Stops it for good, waiting at most until `deadline_ms`. True: it ended. */
bool mp_supervisor_stop(int64_t deadline_ms);

/* True if a request succeeded since this was last asked. */
bool mp_supervisor_succeeded(void);

/* Around fork. */
void mp_supervisor_before_fork(void);
void mp_supervisor_in_parent(void);
void mp_supervisor_in_child(void);

#endif
