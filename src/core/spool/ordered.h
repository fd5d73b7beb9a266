/* Whether this process may adopt runs with records whose order matters.
 *
 * It may while it has the lock of the profiles. That is not enough: the lock
 * may become free in the midst of a look, after earlier runs were passed over;
 * and the locks of a process that dies go one by one, that of the profiles
 * perhaps before those of the runs that it adopted, which are marked. Whichever
 * it is, nothing behind the run that was passed over is adopted in this look.
 * Thread and locks: as spool_adopt. */
#ifndef MP_ORDERED_H
#define MP_ORDERED_H

#include "core/spool/spool_state.h"

/* One look for the dead. */
typedef struct mp_ordered {
    mp_spool *spool;
    const mp_reporter *reporter;
    bool denied; /* another process has the lock, or had it a moment ago */
    bool dying;  /* who had it still has a run */
} mp_ordered;

/* Gets the lock if need be. */
bool mp_ordered_may(mp_ordered *look);

/* False: the run has such records and may not be adopted. Its lock, which the
 * caller has not, is not tried. */
bool mp_ordered_admits(mp_ordered *look, int project, const char *name);

/* The run is locked, by whomever. */
void mp_ordered_locked(mp_ordered *look, int project, const char *name,
                       uint64_t run);

#endif
