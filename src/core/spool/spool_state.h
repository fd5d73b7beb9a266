/* What the files of this folder share; no other folder includes it. */
#ifndef MP_SPOOL_STATE_H
#define MP_SPOOL_STATE_H

#include "core/base/gzip.h"
#include "core/spool/spool.h"

#include <stdatomic.h>

enum {
    MP_SPOOL_PROJECT = 32,              /* hex digits */
    MP_SPOOL_RENEWED = 15,              /* runs that lost their directory */
    MP_SPOOL_FILE = 2 * MP_SEGMENT_FILE /* bytes that no file of it has */
};

struct mp_spool {
    char *path;
    char project[MP_SPOOL_PROJECT + 1];
    atomic_int trust; /* an mp_trust */

    /* The run in use, and those before it, whose directories vanished: a
     * segment may still refer to their descriptors. Appended to by whichever
     * thread needs a directory; entries never change. */
    mp_run runs[1 + MP_SPOOL_RENEWED];
    atomic_int run;     /* index of the one in use; -1: none yet */
    atomic_flag making; /* a thread makes one */
    int anchored;       /* of them, whose names are on the disk; the sender's */
    _Atomic uint64_t numbers; /* of open segments, given so far */
};

/* "spool: cannot <what> <name>: <why>"; returns `err`. */
int mp_spool_error(char message[MP_MESSAGE], const char *what, const char *name,
                   int err);

mp_run_place mp_spool_place(const mp_spool *spool);

/* The run in use, made if there is none; `lost`: the one that was in use, if
 * its directory vanished. NULL with an errno value in *err and a message. */
const mp_run *mp_spool_run(mp_spool *spool, const mp_run *lost, int *err,
                           char message[MP_MESSAGE]);

/* The run of this process with that directory; NULL: it is another's. */
const mp_run *mp_spool_find_run(const mp_spool *spool, int dir);

/* Sees to it that the names of the run's directory and of those above it are
 * on the disk. Thread: the sender's. */
int mp_spool_anchor(mp_spool *spool, const mp_run *run,
                    char message[MP_MESSAGE]);

/* Adds the lines of `text` that are records to a segment; the others, and
 * what lies between zero bytes, are counted. MP_MEMORY. */
mp_err mp_spool_read_lines(mp_segment *segment, const char *text, size_t len,
                           const mp_endpoint *endpoint, uint32_t *others);

/* Adds the records of a sealed batch, or of an open segment, to a segment;
 * `others`: see above. What an open one says of itself goes into `file`.
 * ENOMEM; EBADMSG: the content is no such file; ENOTSUP: of another version. */
int mp_spool_read_sealed(const mp_batch_file *file, const mp_buf *content,
                         mp_segment *segment, uint32_t *others);
int mp_spool_read_open(mp_batch_file *file, const mp_buf *content,
                       mp_segment *segment, uint32_t *others);

/* Reads an open segment back from its file. What the file says of itself
 * goes into `file`; `others`: see above. EBADMSG: it is no such file, or of
 * another version. */
int mp_spool_recover(mp_batch_file *file, mp_segment **out, uint32_t *others,
                     char message[MP_MESSAGE]);

/* Notes that the segment's records were read from the file of an open
 * one. */
void mp_spool_locate(mp_segment *segment, const mp_batch_file *open);

/* What a file of so many bytes takes up. */
uint64_t mp_spool_bytes(uint64_t bytes);

#endif
