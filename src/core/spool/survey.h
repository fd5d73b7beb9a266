/* The look at all runs that spool_total.c begins and ends: their files are
 * counted, and the oldest of those that nobody has are kept in mind. Thread and
 * locks: as spool_total.h. */
#ifndef MP_SURVEY_H
#define MP_SURVEY_H

#include "core/spool/ordered.h"

enum {
    MP_SLICE_MS = 20,  /* a call ends then in any case */
    MP_TAKEN_MOST = 16 /* runs locked at once: the oldest files may be in
                        * several, in turns */
};

/* One call. */
typedef struct mp_slice {
    mp_spool *spool;
    mp_survey *survey;
    const mp_adopter *adopter;
    const mp_reporter *reporter;
    mp_ordered ordered;
    mp_bound *out;
    int patience; /* for as many files */
    int64_t until_ms;
    int project; /* its directory */
    int dir;     /* of the run whose files are looked at; below 0: not open */
    mp_run taken[MP_TAKEN_MOST]; /* whose files are evicted */
    int taken_n;
    bool full; /* out of memory */
} mp_slice;

/* False: the rest is for another call. */
bool mp_survey_has_patience(const mp_slice *slice);

/* Goes on. True: all was looked at, unless memory ran out. */
bool mp_survey_look(mp_slice *slice);

#endif
