/* The state files of this process: one entry for each that is in use. Several
 * users, clients, Lua states and threads may share an entry; it has the consent
 * that holds for all of them, and the newest text until it is on the disk.
 * Which file it is depends on its folder (device and inode) and name, not on
 * how its path is written.
 *
 * Thread: any. Locks: one guards all entries; a function that needs it takes it
 * itself, after a project's. */
#ifndef MP_STATE_FILE_H
#define MP_STATE_FILE_H

#include "core/user/user.h"

typedef struct mp_state_file mp_state_file;

/* The entry of the file at an absolute path, with a reference for the caller;
 * NULL: out of memory. */
mp_state_file *mp_state_file_open(const char *path);

/* Another reference. */
mp_state_file *mp_state_file_retain(mp_state_file *file);

/* The path that it was opened with first; it is there that it is written. */
const char *mp_state_file_path(const mp_state_file *file);

/* Gives the reference back. What is not on the disk yet stays known. */
void mp_state_file_close(mp_state_file *file); /* NULL: nothing */

/* The consent that holds now, read without the lock. */
mp_consent mp_state_file_consent(const mp_state_file *file);

/* The same with what belongs to it: see mp_user. */
void mp_state_file_get(const mp_state_file *file, mp_user *user);

/* The user decided. Whatever refusal was known until now may be overwritten on
 * the disk then; one that another process stored meanwhile may not. */
void mp_state_file_decide(mp_state_file *file, const mp_user *user);

/* What a text that was read from the disk says of it: a refusal holds unless
 * the user decided otherwise and that is not written yet. */
void mp_state_file_learn(mp_state_file *file, const mp_user *user);

/* Notes the newest text, which is still to be written. False: its consent is
 * not the one that holds any more, and it is to be made anew. *err: MP_MEMORY,
 * and the text before it stays. */
bool mp_state_file_put(mp_state_file *file, const mp_buf *text, mp_err *err);

/* Appends what is known of the file: the newest text that is not written yet,
 * or else what is on the disk, at most `most` bytes. Returns 0 or an errno
 * value: ENOENT when there is neither, EEXIST for a file of something else,
 * ENOTSUP for one of a newer version. */
int mp_state_file_read(mp_state_file *file, size_t most, mp_buf *out);

/* Replaces the file with the newest text, if it is not written yet. Locks: the
 * file's folder where that can be locked, so that no other process replaces the
 * file meanwhile; of the caller's as file.h, since this blocks as long as the
 * disk does. A refusal on the disk that this process did not know of stays, and
 * holds from now on. Returns 0 or an errno value as mp_state_file_read. */
int mp_state_file_write(mp_state_file *file);

/* Says that one cannot "read" or "write" the file, and why. */
void mp_state_file_describe(const mp_state_file *file, const char *what,
                            int err, char message[MP_MESSAGE]);

/* Called around fork: what is known stays known to the child. The parent
 * writes what is not written yet. */
void mp_state_files_before_fork(void);
void mp_state_files_in_parent(void);
void mp_state_files_in_child(void);

#endif
