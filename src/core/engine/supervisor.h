/* The worker of this process: started when it is first needed, left behind in
 * a forked child, stopped at exit. Thread: any. */
#ifndef MP_SUPERVISOR_H
#define MP_SUPERVISOR_H

#include "core/project/projects.h"

/* Once per process: sets up the transport, and says whose requests it sends. */
mp_err mp_supervisor_set_up(mp_projects *projects);

/* Sees to it that the worker runs in this process. False: it cannot. */
bool mp_supervisor_start(void);

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
