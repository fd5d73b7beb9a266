/* What the files of this folder share; no other folder includes it. */
#ifndef MP_SPOOL_STATE_H
#define MP_SPOOL_STATE_H

#include "core/spool/found.h"
#include "core/spool/spool_total.h"

#include <stdatomic.h>

enum {
    MP_SPOOL_PROJECT = 32,               /* hex digits */
    MP_SPOOL_FILE = 2 * MP_SEGMENT_FILE, /* bytes that no file of it has */
    MP_SLICE_FILES = 256, /* adopted, looked at or evicted in a call */
    MP_OPEN_COST = 16     /* as many is an open segment that is read whole */
};

/* A run of this process. */
typedef struct mp_own_run mp_own_run;
struct mp_own_run {
    mp_run run;         /* it never changes */
    mp_own_run *before; /* whose directory vanished: a segment may still refer
                         * to its descriptor */
    bool anchored;      /* its name is on the disk; see mp_spool_anchor */
};

typedef enum mp_whose {
    MP_RUN_OURS,   /* adopted */
    MP_RUN_FREE,   /* its process is dead, and nobody has it */
    MP_RUN_OTHERS, /* of a living process, or adopted by one */
} mp_whose;

/* A look at all runs, see survey.h: first their files are counted; where
 * they are too many, all are looked at again for the oldest, which are evicted
 * then. All zero: there is none under way. */
typedef struct mp_survey {
    bool begun, evicts;
    uint64_t *runs; /* in the order of their starts */
    bool *ordered;  /* which of them have records whose order matters */
    size_t count, next;
    mp_whose whose;   /* the run before the next */
    bool counted;     /* it is among those elsewhere */
    mp_found waiting; /* files of it, still to be looked at */
    mp_elsewhere elsewhere;
    uint64_t dead;   /* bytes of dead runs */
    uint64_t wanted; /* bytes that must go; 0: they are only counted */
    mp_tree oldest;  /* the oldest files that nobody has, by age: no more than
                      * make up so many bytes. The `dir` of each is the place
                      * of its run in `runs`. */
    uint64_t kept;   /* bytes of those */
    uint64_t excess; /* bytes that must go still */
} mp_survey;

struct mp_spool {
    char *path;
    char *token;
    char project[MP_SPOOL_PROJECT + 1];
    atomic_int trust;    /* an mp_trust */
    atomic_int gzip;     /* level of sealed files */
    atomic_bool written; /* no open segment is mapped */

    /* The run in use, made by whichever thread needs a directory; NULL: none
     * yet. */
    mp_own_run *_Atomic run;
    _Atomic uint64_t numbers; /* of open segments, given so far */

    /* What was adopted. Thread: the one that makes the project's requests. */
    mp_held_runs held;
    mp_found found;   /* of a run, what has to wait for room or time */
    int profiles;     /* mp_run_lock_profiles */
    uint64_t foreign; /* other projects, when it was looked last */
    mp_survey survey;
};

/* "spool: cannot <what> <name>: <why>"; returns `err`. */
int mp_spool_error(char message[MP_MESSAGE], const char *what, const char *name,
                   int err);

mp_run_place mp_spool_place(const mp_spool *spool);

/* The run in use, made if there is none; `lost`: the one that was in use, if
 * its directory vanished. NULL with an errno value in *err and a message. */
const mp_run *mp_spool_run(mp_spool *spool, const mp_run *lost, int *err,
                           char message[MP_MESSAGE]);

/* The run of this process with that directory; NULL: it was adopted. */
const mp_run *mp_spool_find_run(const mp_spool *spool, int dir);

/* True if this process made that run. Thread: any. */
bool mp_spool_is_own(const mp_spool *spool, uint64_t id);

/* Sees to it that the names of the run's directory and of those above it are
 * on the disk. Thread: as spool.h. */
int mp_spool_anchor(mp_spool *spool, const mp_run *run,
                    char message[MP_MESSAGE]);

/* The file of a batch that ended cannot be removed: the lock of its run is
 * kept as long as the process lives, or the batch would be adopted again. */
void mp_spool_keep_lock(const mp_batch_file *file);

/* ---- spool_dead.c ---- */

/* Says of an open segment with `count` records that it has other pieces too. */
void mp_spool_report_damage(const mp_batch_file *open, uint32_t others,
                            const mp_reporter *reporter);

/* Removes an open segment, and frees it. */
void mp_spool_remove_open(mp_batch_file *open, const mp_reporter *reporter);

/* Removes open segments whose batch is there: their process died before it
 * could. */
void mp_spool_remove_twins(mp_found *found, const mp_reporter *reporter);

typedef struct mp_evicted {
    bool gone;        /* its bytes do not count any more */
    uint32_t records; /* that are gone with it */
    bool quarantined; /* it was damaged, and set aside as ever */
} mp_evicted;

/* Removes a file of a run whose lock this process has, and frees the batch. How
 * many records an open segment has is found out by reading it. */
void mp_spool_evict(mp_batch_file *file, const mp_reporter *reporter,
                    mp_evicted *out);

/* ---- reading ---- */

/* What a file is read with, and what it holds that goes into no segment. */
typedef struct mp_lines {
    const char *token; /* whose records are wanted; NULL: anybody's */
    uint32_t others;   /* pieces that are no record, as between zero bytes */
    uint32_t foreign;  /* records of another token */
    mp_buf foreigners; /* those, each with ",\n"; the caller's */
} mp_lines;

/* Adds the lines of `text` that are records to a segment. MP_MEMORY. */
mp_err mp_spool_read_lines(mp_segment *segment, const char *text, size_t len,
                           const mp_endpoint *endpoint, mp_lines *lines);

/* Adds the records of a sealed batch, or of an open segment, to a segment.
 * What an open one says of itself goes into `file`. ENOMEM; EBADMSG: the
 * content is no such file; ENOTSUP: of another version. */
int mp_spool_read_sealed(const mp_batch_file *file, const mp_buf *content,
                         mp_segment *segment, mp_lines *lines);
int mp_spool_read_open(mp_batch_file *file, const mp_buf *content,
                       mp_segment *segment, mp_lines *lines);

/* Reads an open segment back from its file. What the file says of itself
 * goes into `file`. EBADMSG: it is no such file; ENOTSUP: of another
 * version. */
int mp_spool_recover(mp_batch_file *file, mp_segment **out, mp_lines *lines,
                     char message[MP_MESSAGE]);

/* Fills in the `seq` of an open segment of a dead process, and whether it holds
 * nothing for sure, as a spare; reads no more than its header. False: it cannot
 * be read, or says nothing. */
bool mp_spool_look_open(mp_batch_file *open, bool *empty);

/* Notes that the segment's records were read from the file of an open one,
 * whose directory it uses from now on. */
void mp_spool_locate(mp_segment *segment, const mp_batch_file *open);

/* What a file of so many bytes takes up. */
uint64_t mp_spool_bytes(uint64_t bytes);

#endif
