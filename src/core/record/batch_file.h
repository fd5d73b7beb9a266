/* The names of the files of a spool: a sealed batch carries its whole state
 * in its name, so that renaming it changes the state in one step. Knows
 * nothing of files. */
#ifndef MP_BATCH_FILE_H
#define MP_BATCH_FILE_H

#include "core/base/tree.h"
#include "core/record/endpoint.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    MP_BATCH_FILE_NAME = 128,
    MP_BATCH_FILE_VERSION = 1, /* of all formats of a spool: the "v1" in names
                                */
    MP_BATCH_FILE_TRIES = 3 /* to read one, while what was accepted later waits
                             * for it, where order matters */
};

/* Which of a batch's records were in a request whose fate is not known. */
typedef enum mp_in_doubt {
    MP_IN_DOUBT_NONE,
    MP_IN_DOUBT_IDEMPOTENT,    /* only such as may be sent twice */
    MP_IN_DOUBT_NON_IDEMPOTENT /* $add and $append too */
} mp_in_doubt;

/* A sealed batch on disk. It has one owner at a time: the lane, a segment, or
 * the function that moves it between them. Those that are read together are one
 * list, the lane's and then the segment's. */
typedef struct mp_batch_file mp_batch_file;
struct mp_batch_file {
    mp_batch_file *next; /* for its owner's list */
    mp_node order, age;  /* the same */

    /* in the name */
    mp_lane_id lane;
    uint64_t run; /* the process that accepted the records */
    uint64_t seq; /* rising within run and lane */
    uint32_t count;
    uint32_t attempt; /* requests made with records of it */
    mp_in_doubt in_doubt;
    int64_t wall_ms; /* of the last record */

    /* in this process only */
    uint64_t first, last; /* sequence numbers */
    uint64_t bytes;       /* on disk */
    int64_t last_ms;      /* mp_clock_mono_ms of the last record */
    bool adopted;
    bool later;        /* it waits behind others, since it cannot be read */
    uint32_t failures; /* to read it, in a row */
    /* what its lane knows of it: see batch.h */
    uint32_t sends, server_errors;
    bool alone;      /* it shares no request with others */
    int dir;         /* in which the file is */
    uint32_t *users; /* of an adopted run's `dir`, this batch among them: see
                      * held.h; NULL: the run is this process's own */
    uint64_t number; /* of the open segment that it still is; 0: sealed */
};

/* Frees a batch that has no owner any more; NULL is allowed. The file stays. */
void mp_batch_file_free(mp_batch_file *file);
void mp_batch_file_free_all(mp_batch_file **list); /* which is empty then */

/* "events-019abc…-000000000001-2000-0-0-1795460000123.v1.json.gz", or what
 * mp_batch_file_open_name says while it has a `number`. */
void mp_batch_file_name(const mp_batch_file *file,
                        char out[MP_BATCH_FILE_NAME]);

/* An open segment: "events-019abc…-000000000001.v1.open". `number` only
 * tells the segments of a run apart. */
void mp_batch_file_open_name(mp_lane_id lane, uint64_t run, uint64_t number,
                             char out[MP_BATCH_FILE_NAME]);

/* A run's directory: 16 hex digits that sort by the time of its start, and
 * behind `last`, the last of those that there are, whatever the clock says. */
void mp_batch_file_run_name(uint64_t run, char out[MP_BATCH_FILE_NAME]);
uint64_t mp_batch_file_new_run(int64_t wall_ms, uint64_t random, uint64_t last);
int64_t mp_batch_file_run_ms(uint64_t run); /* of its start */

/* False: not such a name. The batch is filled as far as the name goes. */
bool mp_batch_file_parse(const char *name, mp_batch_file *out);
bool mp_batch_file_parse_open(const char *name, mp_batch_file *out);
bool mp_batch_file_parse_run(const char *name, uint64_t *run);

/* True for what a newer version of this module made, a file or a run: the name
 * says its format, as "events-….v2.json.gz". */
bool mp_batch_file_is_newer(const char *name);

/* True for the name of a batch or an open segment of a lane with order. */
bool mp_batch_file_is_ordered(const char *name);

/* True if a comes before b in the order in which they were accepted. */
bool mp_batch_file_before(const mp_batch_file *a, const mp_batch_file *b);

/* Sorts a list in that order; of open segments, whose first number is not known
 * before they are read, by their own. Out of memory it stays as it is. */
void mp_batch_file_sort(mp_batch_file **list);

#endif
