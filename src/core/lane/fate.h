/* How records end. Each way has one name, which knows the counter that it is
 * added to and how it is reported. */
#ifndef MP_FATE_H
#define MP_FATE_H

#include "core/lane/report.h"

typedef enum mp_fate {
    MP_FATE_DELIVERED,
    MP_FATE_REJECTED,    /* the API refused them */
    MP_FATE_UNCERTAIN,   /* not sent again, though they may be applied */
    MP_FATE_EXPIRED,     /* older than max_age */
    MP_FATE_NO_IMPORT,   /* too old, and the host takes no older ones */
    MP_FATE_OVERFLOW,    /* made room in memory */
    MP_FATE_EVICTED,     /* made room on disk */
    MP_FATE_LEFT_OVER,   /* the same, of what dead processes left */
    MP_FATE_REMOVED,     /* somebody else removed their file */
    MP_FATE_QUARANTINED, /* their file is damaged */
    MP_FATES
} mp_fate;

/* Adds `n` records to the counter of their fate. They are still to be taken
 * off the counter of where they were. */
void mp_fate_count(mp_fate fate, mp_stats *stats, uint64_t n);

/* A report of `n` records: `endpoint` as in mp_report, `status` and `text` as
 * the API said; NULL: the fate's own text. */
mp_report mp_fate_report(mp_fate fate, const char *endpoint, uint64_t n,
                         int status, const char *text);

#endif
