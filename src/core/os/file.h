/* The only access of the core to files. Every call to the system goes through
 * a table that tests replace, so that each can be made to fail.
 *
 * A path is looked up from the open directory `dir`; MP_FILE_HERE takes it
 * from the working directory. No function follows a symbolic link at the end
 * of a path, and no descriptor survives an exec. Files are made with mode
 * 0600, directories with 0700. Each function returns 0 or an errno value.
 * Thread: any. Locks: the caller holds none that a call of track may wait for,
 * since each function blocks as long as the disk does. */
#ifndef MP_FILE_H
#define MP_FILE_H

#include "core/base/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    MP_FILE_HERE = -100 /* no descriptor, nor the -1 of one that failed */
};

/* What a file is opened for. */
enum {
    MP_FILE_READ = 1,
    MP_FILE_WRITE = 2,
    MP_FILE_APPEND = 4, /* each write goes to the end, whatever its place */
    MP_FILE_MAKE = 8,   /* makes it if need be */
    MP_FILE_NEW = 16,   /* with MP_FILE_MAKE: it must not exist */
    MP_FILE_DIRECTORY = 32
};

typedef enum mp_file_kind {
    MP_FILE_REGULAR,
    MP_FILE_LINK, /* symbolic */
    MP_FILE_OTHER
} mp_file_kind;

typedef enum mp_file_owner {
    MP_FILE_OURS, /* of the user that this process acts as */
    MP_FILE_ROOTS,
    MP_FILE_OTHERS
} mp_file_owner;

typedef struct mp_file_info {
    mp_file_kind kind;
    mp_file_owner owner;
    uint32_t user;          /* the owner's number */
    uint64_t device, inode; /* which file it is */
    uint64_t bytes;
    int64_t modified_ms; /* since the epoch, UTC */
    bool gone;           /* it has no name any more */
    bool group_writes;   /* its mode lets its group write to it */
    bool anybody_writes; /* its mode lets everybody do so */
} mp_file_info;

typedef bool mp_file_visit(const char *name, void *user);

/* Below 0, or NULL: it failed, and errno says why. */
typedef struct mp_file_calls {
    int (*open)(int dir, const char *path, unsigned flags);
    int (*close)(int fd);
    int64_t (*read)(int fd, void *bytes, size_t n);
    int64_t (*write)(int fd, const void *bytes, size_t n, int64_t at);
    int (*allocate)(int fd, size_t bytes); /* blocks for bytes 0 to `bytes` */
    void *(*map)(int fd, size_t bytes);    /* shared; not in a forked child */
    void (*unmap)(void *map, size_t bytes);
    int (*sync)(int fd);
    int (*sync_map)(void *map, size_t bytes);
    int (*rename)(int from_dir, const char *from, int to_dir, const char *to);
    int (*unlink)(int dir, const char *path);
    int (*mkdir)(int dir, const char *path);
    int (*rmdir)(int dir, const char *path);
    int (*list)(int fd, mp_file_visit *visit, void *user); /* closes it */
    int (*lock)(int fd); /* EWOULDBLOCK: another open of it is locked */
    int (*unlock)(int fd);
    int (*stat)(int fd, mp_file_info *out);
    int (*look)(int dir, const char *path, mp_file_info *out);
    bool (*reserves)(int fd); /* see mp_file_reserves */
} mp_file_calls;

extern const mp_file_calls mp_file_system; /* the calls of the system */

/* Replaces the table, mp_file_system to begin with, for the whole process.
 * For tests: no other thread may use a file meanwhile. */
void mp_file_use(const mp_file_calls *table);

/* ---- whole files ---- */

/* Appends a regular file's contents. EFBIG when there are more than `most`
 * bytes, EINVAL when it is no regular file; `out` keeps its length then. */
int mp_file_read(int dir, const char *path, size_t most, mp_buf *out);

/* Reads its first bytes. EIO: there are fewer. */
int mp_file_read_start(int dir, const char *path, void *bytes, size_t n);

/* Replaces a file or a symbolic link, or makes it. Ensures: the path holds the
 * old contents whole or the new ones whole at any time, also after a loss of
 * power. EINVAL: there is something else, such as a device. */
int mp_file_replace(int dir, const char *path, const void *bytes, size_t n);

/* Removes what processes left that died in the midst of replacing a file of
 * the directory `dir`. The caller sees to it that nobody replaces it now. */
void mp_file_sweep(int dir, const char *name);

/* Appends to a file, which is made if need be. */
int mp_file_append(int dir, const char *path, const void *bytes, size_t n);

/* ---- open files ---- */

/* Makes a file that must not exist yet, for reading and writing. */
int mp_file_create(int dir, const char *path, int *fd);
int mp_file_write(int fd, const void *bytes, size_t n, int64_t at);
int mp_file_allocate(int fd, size_t bytes); /* ENOSPC rather than later */

/* True if blocks that were allocated stay the file's, so that writing to a
 * mapping of it can never end in a SIGBUS: by the type of its file system,
 * since on a copy-on-write or network one it can. */
bool mp_file_reserves(int fd);

/* Brings a file's bytes to the disk; the second function the names that came
 * and went in a directory, where its file system can do that. After a failure
 * they may not be there even if it succeeds when it is tried again: the kernel
 * gives up what it could not write. */
int mp_file_sync(int fd);
int mp_file_sync_dir(int dir);
void mp_file_close(int fd); /* below 0: nothing */

/* Maps the first bytes of a file, shared with it and hidden from a forked
 * child; the descriptor may be closed then. */
int mp_file_map(int fd, size_t bytes, char **map);
int mp_file_sync_map(char *map, size_t bytes);
void mp_file_unmap(char *map, size_t bytes);

/* ---- directories ---- */

int mp_file_mkdir(int dir, const char *path);
int mp_file_open_dir(int dir, const char *path, int *fd);
/* The same for the directory that a path leads to, where that can be read. */
int mp_file_sync_parent(int dir, const char *path);

int mp_file_rename(int from_dir, const char *from, int to_dir, const char *to);
int mp_file_unlink(int dir, const char *path);
int mp_file_rmdir(int dir, const char *path);

/* Calls `visit` with the name of each entry but "." and "..", in no order,
 * until it returns false. */
int mp_file_list(int dir, mp_file_visit *visit, void *user);

int mp_file_stat(int fd, mp_file_info *out);
int mp_file_look(int dir, const char *path, mp_file_info *out);

/* ---- locks ---- */

/* Opens a directory as mp_file_open_dir does and locks it against every
 * other open of it, until mp_file_unlock_dir or the death of the process. A
 * forked child gives up its copy at once: see mp_file_in_child. EWOULDBLOCK:
 * it is locked; ENOENT: somebody removed it meanwhile. */
int mp_file_lock_dir(int dir, const char *path, int *fd);
void mp_file_unlock_dir(int fd); /* below 0: nothing */

/* Until mp_file_close, a forked child closes its copy of the descriptor
 * before anything else. False: out of memory. */
bool mp_file_hold(int fd);

/* Called around fork by the thread that forks. */
void mp_file_before_fork(void);
void mp_file_in_parent(void);
void mp_file_in_child(void);

#endif
