/* The process that the module was loaded into. */
#ifndef MP_PROCESS_H
#define MP_PROCESS_H

#include <stdbool.h>

/* Keeps the library that holds this address loaded until the process ends:
 * lua_close unloads C modules, also one whose thread still runs. */
void mp_process_pin(const void *inside);

/* Has `run` called once when the process ends by exit, while other threads
 * still run and before what was set up earlier is torn down. False: out of
 * memory. */
bool mp_process_at_end(void (*run)(void));

/* Has these called around every fork, by the thread that forks: the first
 * before it, the others after it in either process. False: out of memory. */
bool mp_process_around_fork(void (*before)(void), void (*in_parent)(void),
                            void (*in_child)(void));

#endif
