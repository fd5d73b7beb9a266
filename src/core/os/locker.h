/* Who holds a lock: for people, and for no decision. */
#ifndef MP_LOCKER_H
#define MP_LOCKER_H

#include <stdint.h>

/* The process that has locked the file or directory of this name; 0: nobody,
 * or it is not known, as of a process in another container. Takes no lock. See
 * file.h for `dir`, thread and locks. */
int64_t mp_locker_pid(int dir, const char *path);

#endif
