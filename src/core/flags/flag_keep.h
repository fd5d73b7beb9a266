/* Where the definitions of a project are kept: in a file of the caller's, or
 * in a directory that processes share, of which one at a time asks the server
 * and the others read what it wrote. Blocks as long as the disk does; one
 * thread at a time. */
#ifndef MP_FLAG_KEEP_H
#define MP_FLAG_KEEP_H

#include "core/flags/flag_file.h"
#include "core/spool/trust.h"

#include <stdatomic.h>
#include <stdbool.h>

typedef struct mp_flag_keep {
    char *path;       /* absolute, owned; NULL: nowhere */
    bool shared;      /* it is a directory, made when it is needed */
    atomic_int trust; /* in that directory: an mp_trust; set by any thread */
    int lock;         /* of the directory, while this process asks; else -1 */
    bool foreign;     /* what was read last is not the project's to replace */
    uint64_t inode;   /* of what was read or written last; 0: nothing */
    int64_t modified_ms;
} mp_flag_keep;

/* Nowhere. */
void mp_flag_keep_init(mp_flag_keep *keep);
void mp_flag_keep_free(mp_flag_keep *keep);

/* True if this process is the one that asks: nobody shares the file, or
 * nobody else has the lock; or there is no telling, and a message. */
bool mp_flag_keep_leads(mp_flag_keep *keep, char message[MP_MESSAGE]);

/* Lets another process ask. */
void mp_flag_keep_resign(mp_flag_keep *keep);

/* True if somebody wrote since this was last read or written. */
bool mp_flag_keep_changed(const mp_flag_keep *keep);

/* As mp_flag_file_load and mp_flag_file_save; without a place, nothing is
 * there, and to save does nothing. A file of the caller's that was found to be
 * foreign stays: MP_STATE. */
mp_err mp_flag_keep_load(mp_flag_keep *keep, const char *token,
                         mp_flag_kept *kept, char message[MP_MESSAGE]);
mp_err mp_flag_keep_save(mp_flag_keep *keep, const char *token,
                         const mp_flag_kept *kept, char message[MP_MESSAGE]);

/* In a forked child, whose copy of the lock is closed: the parent asks. */
void mp_flag_keep_in_child(mp_flag_keep *keep);

#endif
