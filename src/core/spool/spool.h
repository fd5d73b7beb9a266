/* The records of a project on disk: open segments as mapped files, sealed
 * batches as files of gzip JSON, and what dead processes left.
 *
 * Knows nothing of lanes and their order. Functions return 0 or an errno
 * value, with a message for people. Thread: any where it says so, else the
 * one that makes the project's requests. Locks: as file.h, since a function
 * blocks as long as the disk does. */
#ifndef MP_SPOOL_H
#define MP_SPOOL_H

#include "core/base/buf.h"
#include "core/config/config.h"
#include "core/record/batch_file.h"
#include "core/record/segment.h"
#include "core/spool/run.h"

typedef struct mp_spool mp_spool;

/* A spool that touches no file yet. NULL: out of memory. */
mp_spool *mp_spool_new(const char *path, const char *token, const char *host,
                       const char *name);

/* Thread: any. Whose directories are used from now on. */
void mp_spool_set_trust(mp_spool *spool, mp_trust trust);

/* Thread: any. With which level files are compressed from now on: that of the
 * bodies, which the bytes of a file can then be. */
void mp_spool_set_gzip(mp_spool *spool, int level);

/* Thread: any. Whether each record is written to the file of its segment from
 * now on, also where the file could be mapped. */
void mp_spool_set_written(mp_spool *spool, bool written);
bool mp_spool_is_written(const mp_spool *spool);

/* Gives up the lock; what is on disk is for another process. */
void mp_spool_end(mp_spool *spool);
void mp_spool_free(mp_spool *spool); /* and the spool; NULL is allowed */

/* In a forked child: a spool that touched no file yet. Its descriptors are
 * closed already, see mp_file_in_child. */
void mp_spool_after_fork_child(mp_spool *spool);

/* True if both keep their files in one directory. */
bool mp_spool_same(const mp_spool *a, const mp_spool *b);

/* ---- open segments ---- */

/* Thread: any. An empty segment on a file. Where it cannot be mapped its place
 * has an `fd`, and each record is to be written, see mp_spool_write. Makes the
 * run's directory if need be. */
int mp_spool_segment(mp_spool *spool, mp_lane_id lane, mp_segment **out,
                     char message[MP_MESSAGE]);

/* Thread: any. Writes bytes of a segment that is not mapped to its file. */
int mp_spool_write(const mp_segment *segment, size_t from, size_t to,
                   char message[MP_MESSAGE]);

/* Brings the bytes to the disk itself, and the file's name. After a failure
 * nothing of the segment counts as being there: see file.h. */
int mp_spool_sync(mp_spool *spool, mp_segment *segment,
                  char message[MP_MESSAGE]);

/* False: the file of the open segment was removed from outside. */
bool mp_spool_is_there(const mp_segment *segment);

/* Removes the segment's files, if it has any. The segment stays. */
int mp_spool_discard(mp_segment *segment, char message[MP_MESSAGE]);

/* ---- sealed batches ---- */

/* Writes all records of a segment to a file, `body` if it is their gzip JSON
 * at hand (else NULL), and removes that of the open segment once the other
 * would survive a loss of power. `wall_ms`: of the last record. *out, which is
 * the caller's, is NULL unless the file stands; it may stand all the same when
 * something else failed. */
int mp_spool_seal(mp_spool *spool, mp_lane_id lane, mp_segment *segment,
                  const mp_buf *body, int64_t wall_ms, mp_batch_file **out,
                  char message[MP_MESSAGE]);

/* Notes on disk that a request with records of this segment starts, and what
 * is in doubt from then on; or what is, now that it ended. `synced`: the note
 * survives a loss of power. */
int mp_spool_mark_start(mp_segment *segment, mp_in_doubt in_doubt, bool synced,
                        char message[MP_MESSAGE]);
int mp_spool_mark_end(mp_segment *segment, mp_in_doubt in_doubt,
                      char message[MP_MESSAGE]);

/* Reads a batch, which has no `next`, back into a segment with the sequence
 * numbers that the batch says. The batch is the segment's then, unless it still
 * was the file of an open segment. EBADMSG: the file is damaged, or nothing in
 * it is this project's. The segment has fewer records than the batch if others
 * were in it that name another project's token; those are in a file *.bad then,
 * which `message` names. */
int mp_spool_load(const mp_spool *spool, mp_batch_file *file, mp_segment **out,
                  char message[MP_MESSAGE]);

/* True for a shortage of this process, of memory or descriptors: it says
 * nothing of the file. */
bool mp_spool_is_shortage(int err);

/* Frees a segment that was read back; the batch is the caller's again. */
void mp_spool_forget(mp_segment *segment);

/* Removes the file. */
int mp_spool_remove(const mp_batch_file *file, char message[MP_MESSAGE]);

/* Renames the file to *.bad: it is never read again, and never removed. */
int mp_spool_quarantine(const mp_batch_file *file, char message[MP_MESSAGE]);

/* ---- the dead ---- */

typedef struct mp_adopted {
    mp_batch_file *list;  /* in the order of acceptance; the caller's */
    uint64_t quarantined; /* files */
    uint64_t foreign;     /* other projects with files in this spool */
    bool left;            /* more waits: there was no room for it, or whose it
                           * was is still dying */
    bool more;            /* more waits: another call takes it over */
    bool waits;           /* an open segment cannot be read now, and all that
                           * was accepted later waits for it */
} mp_adopted;

/* Takes over what dead processes left of this project, where it is: it keeps
 * the locks of their runs, at most MP_HELD_MOST. Oldest first, until it takes
 * up `room` bytes, and some hundred files a call; the rest stays for others or
 * for later. Only what is set aside for people moves to the run's directory.
 * Tells what it cannot read or must pass over. */
int mp_spool_adopt(mp_spool *spool, uint64_t room, const mp_reporter *reporter,
                   mp_adopted *out, char message[MP_MESSAGE]);

/* Gives up what an adoption found and had no room or no time for. */
void mp_spool_drop_found(mp_spool *spool);

/* Gives up the runs of which nothing is left to deliver. */
void mp_spool_release_adopted(mp_spool *spool);

/* Appends to rejected.jsonl, which is kept short: old lines go. */
int mp_spool_reject(mp_spool *spool, const mp_buf *lines,
                    char message[MP_MESSAGE]);

/* The project's directory in it, which may not be there, for free(). NULL: out
 * of memory. */
char *mp_spool_directory(const mp_spool *spool);

#endif
