/* A spool and its files for people to look at. Reads, and changes nothing: a
 * process that uses the spool does not notice, but for a run's lock that is
 * tried and given back at once. Thread: any. Locks: as file.h. */
#ifndef MP_LOOK_H
#define MP_LOOK_H

#include "core/spool/spool.h"

/* Appends what the project has in the spool as an object of JSON; what its
 * members mean is in library/mixpanel.lua (mixpanel.SpoolList). Returns 0 or an
 * errno value, with a message. */
int mp_look_list(const mp_spool *spool, mp_buf *out, char message[MP_MESSAGE]);

typedef struct mp_look {
    mp_lane_id lane;
    uint32_t records;         /* that could be read */
    char problem[MP_MESSAGE]; /* what else there is to it; "": nothing */
} mp_look;

/* Appends the records of a batch or an open segment, also one that is set
 * aside, each as a line. Which it is and of which endpoint its name says.
 * Returns 0 or an errno value, with a message; EINVAL: no file has this
 * name. */
int mp_look_records(const char *path, mp_buf *lines, mp_look *out,
                    char message[MP_MESSAGE]);

#endif
