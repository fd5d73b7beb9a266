/* The calls of the system. */
#define _GNU_SOURCE
#include "core/os/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
    FILE_MODE = 0600,
    DIRECTORY_MODE = 0700
};

static int from(int dir) {
    return dir == MP_FILE_HERE ? AT_FDCWD : dir;
}

/* ---- open files ---- */

static int open_flags(unsigned flags) {
    static const int access[] = {0, O_RDONLY, O_WRONLY, O_RDWR};
    int system = access[flags & (MP_FILE_READ | MP_FILE_WRITE)];
    if (flags & MP_FILE_APPEND)
        system |= O_APPEND;
    if (flags & MP_FILE_MAKE)
        system |= O_CREAT;
    if (flags & MP_FILE_NEW)
        system |= O_EXCL;
    if (flags & MP_FILE_DIRECTORY)
        system |= O_DIRECTORY;
    return system;
}

/* O_NONBLOCK: opening a planted fifo must not block. */
static int system_open(int dir, const char *path, unsigned flags) {
    return openat(from(dir), path,
                  open_flags(flags) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
                  FILE_MODE);
}

static int64_t system_read(int fd, void *bytes, size_t n) {
    return read(fd, bytes, n);
}

/* Beyond what ulimit -f allows, the kernel does not only refuse: its SIGXFSZ
 * ends the process. */
static bool is_allowed(off_t end) {
    struct rlimit limit;
    bool allowed = getrlimit(RLIMIT_FSIZE, &limit) != 0 ||
                   limit.rlim_cur == RLIM_INFINITY ||
                   (rlim_t)end <= limit.rlim_cur;
    if (!allowed)
        errno = EFBIG;
    return allowed;
}

static int64_t system_write(int fd, const void *bytes, size_t n, int64_t at) {
    return is_allowed((off_t)at + (off_t)n) ? pwrite(fd, bytes, n, (off_t)at)
                                            : -1;
}

/* Where a file system cannot reserve, zeros are written. */
static int system_allocate(int fd, size_t bytes) {
    static const char zeros[65536];
    off_t end = (off_t)bytes;
    if (!is_allowed(end))
        return -1;
    if (fallocate(fd, 0, 0, end) == 0)
        return 0;
    if (errno != EOPNOTSUPP)
        return -1;
    for (off_t at = 0; at < end;) {
        off_t n = end - at;
        if (n > (off_t)sizeof zeros)
            n = (off_t)sizeof zeros;
        ssize_t done = pwrite(fd, zeros, (size_t)n, at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return -1;
        at += done;
    }
    return 0;
}

static void *system_map(int fd, size_t bytes) {
    void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return NULL;
    madvise(map, bytes, MADV_DONTFORK);
    return map;
}

static void system_unmap(void *map, size_t bytes) {
    munmap(map, bytes);
}

static int system_sync_map(void *map, size_t bytes) {
    return msync(map, bytes, MS_SYNC);
}

/* Those that overwrite in place. An overlay does not say what lies below. */
static bool system_reserves(int fd) {
    /* fstatfs gives these 32 bits as a signed or an unsigned word. */
    static const uint32_t types[] = {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC,
                                     TMPFS_MAGIC, RAMFS_MAGIC};
    struct statfs seen;
    if (fstatfs(fd, &seen) != 0)
        return false;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if ((uint32_t)seen.f_type == types[i])
            return true;
    return false;
}

/* ---- names ---- */

static int system_rename(int from_dir, const char *old, int to_dir,
                         const char *name) {
    return renameat(from(from_dir), old, from(to_dir), name);
}

static int system_unlink(int dir, const char *path) {
    return unlinkat(from(dir), path, 0);
}

static int system_mkdir(int dir, const char *path) {
    return mkdirat(from(dir), path, DIRECTORY_MODE);
}

static int system_rmdir(int dir, const char *path) {
    return unlinkat(from(dir), path, AT_REMOVEDIR);
}

static int system_list(int fd, mp_file_visit *visit, void *user) {
    const struct dirent *entry;
    bool go_on = true;
    DIR *list = fdopendir(fd);
    if (!list) {
        int err = errno;
        close(fd);
        errno = err;
        return -1;
    }
    while (go_on && (errno = 0, entry = readdir(list))) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
            go_on = visit(name, user);
    }
    int err = go_on ? errno : 0;
    closedir(list);
    errno = err;
    return err == 0 ? 0 : -1;
}

static int describe(int failed, const struct stat *seen, mp_file_info *out) {
    if (failed)
        return failed;
    *out = (mp_file_info){
        .kind = S_ISREG(seen->st_mode)   ? MP_FILE_REGULAR
                : S_ISLNK(seen->st_mode) ? MP_FILE_LINK
                                         : MP_FILE_OTHER,
        .device = (uint64_t)seen->st_dev,
        .inode = (uint64_t)seen->st_ino,
        .bytes = (uint64_t)seen->st_size,
        .modified_ms = (int64_t)seen->st_mtime * 1000,
        .gone = seen->st_nlink == 0,
        .owner = seen->st_uid == geteuid() ? MP_FILE_OURS
                 : seen->st_uid == 0       ? MP_FILE_ROOTS
                                           : MP_FILE_OTHERS,
        .user = (uint32_t)seen->st_uid,
        .group_writes = (seen->st_mode & S_IWGRP) != 0,
        .anybody_writes = (seen->st_mode & S_IWOTH) != 0,
    };
    return 0;
}

static int system_stat(int fd, mp_file_info *out) {
    struct stat seen;
    return describe(fstat(fd, &seen), &seen, out);
}

static int system_look(int dir, const char *path, mp_file_info *out) {
    struct stat seen;
    return describe(fstatat(from(dir), path, &seen, AT_SYMLINK_NOFOLLOW), &seen,
                    out);
}

/* ---- locks ---- */

static int system_lock(int fd) {
    return flock(fd, LOCK_EX | LOCK_NB);
}

static int system_unlock(int fd) {
    return flock(fd, LOCK_UN);
}

const mp_file_calls mp_file_system = {
    .open = system_open,
    .close = close,
    .read = system_read,
    .write = system_write,
    .allocate = system_allocate,
    .map = system_map,
    .unmap = system_unmap,
    .sync = fdatasync,
    .sync_map = system_sync_map,
    .rename = system_rename,
    .unlink = system_unlink,
    .mkdir = system_mkdir,
    .rmdir = system_rmdir,
    .list = system_list,
    .lock = system_lock,
    .unlock = system_unlock,
    .stat = system_stat,
    .look = system_look,
    .reserves = system_reserves,
};
