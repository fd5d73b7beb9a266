/* Which projects a thread visits, and when.
 *
 * A project gets a turn when something happened to it, at its due time, or once
 * there is a place for its requests. Nothing here is ever done for one that
 * waits for none of these, however many there are. Locks: each function takes
 * the lock of the turns itself, which comes before a project's; but for those
 * around fork. */
#ifndef MP_TURNS_H
#define MP_TURNS_H

#include "core/project/hosts.h"
#include "core/project/project.h"

typedef struct mp_turns mp_turns;

/* Those of that thread; all share the hosts. NULL: out of memory. */
mp_turns *mp_turns_new(mp_role role, mp_hosts *hosts);
void mp_turns_free(mp_turns *turns); /* NULL is allowed; nobody has a turn */

/* Thread: any. Something happened to the project, which gets a turn. The caller
 * wakes the thread. */
void mp_turns_mark(mp_turns *turns, mp_project *project);

/* Thread: any. The project is closed and gets no turn any more. */
void mp_turns_forget(mp_turns *turns, mp_project *project);

/* ---- for the thread: a round of turns ---- */

/* How many projects have their turn now. What happens from now on gives turns
 * of the next round. */
size_t mp_turns_begin(mp_turns *turns, int64_t now_ms);

/* The next of them, with a reference for the caller; NULL: there is none. */
mp_project *mp_turns_take(mp_turns *turns);

/* The same for the one that waits longest for a place, of the next host, in
 * turn, that may get a request. */
mp_project *mp_turns_take_waiting(mp_turns *turns);

/* True if there is one. */
bool mp_turns_any_may_start(mp_turns *turns);

/* Ends a turn: the next one comes at `due_ms`; INT64_MAX: at no time. */
void mp_turns_end(mp_turns *turns, mp_project *project, int64_t due_ms);

/* True if the project's host may get one more request: see hosts.h. Whoever
 * starts one for it says so, and the sender says when it has ended, or was not
 * sent. */
bool mp_turns_may_start(mp_turns *turns, mp_project *project);
void mp_turns_started(mp_turns *turns, mp_project *project);
void mp_turns_ended(mp_turns *turns, mp_project *project, bool answered);

/* Has the project wait for a place, behind the others of its host. */
void mp_turns_wait(mp_turns *turns, mp_project *project);

/* When the next round is due; INT64_MIN: at once; INT64_MAX: at no time. */
int64_t mp_turns_due(mp_turns *turns);

/* ---- all that have something to do ---- */

/* For the end of the process. Calls `visit` for each project with a turn to
 * come, a record or a state file until it returns false; no lock is held
 * meanwhile. */
void mp_turns_each(mp_turns *turns,
                   bool (*visit)(mp_project *project, void *user), void *user);

/* Around fork: the first takes the lock; the second, once those of all turns
 * are taken, the locks of the projects that have something to do, but for those
 * that are held already. In the parent all are given back; in the child nobody
 * has a turn. */
void mp_turns_before_fork(mp_turns *turns);
void mp_turns_hold_busy(mp_turns *turns);
void mp_turns_in_parent(mp_turns *turns);
void mp_turns_in_child(mp_turns *turns);

#endif
