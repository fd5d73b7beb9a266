/* The calls of the system. */
#include "core/os/file.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

static int system_open(int dir, const char *path, int flags, mode_t mode) {
    return openat(dir, path, flags, mode);
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

static ssize_t system_write(int fd, const void *bytes, size_t n, off_t at) {
    return is_allowed(at + (off_t)n) ? pwrite(fd, bytes, n, at) : -1;
}

/* Where a file system cannot reserve, zeros are written. */
static int system_allocate(int fd, off_t bytes) {
    if (!is_allowed(bytes))
        return -1;
    if (fallocate(fd, 0, 0, bytes) == 0)
        return 0;
    if (errno != EOPNOTSUPP)
        return -1;
    static const char zeros[65536];
    for (off_t at = 0; at < bytes;) {
        off_t n = bytes - at;
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
    return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

static int system_sync_map(void *map, size_t bytes) {
    return msync(map, bytes, MS_SYNC);
}

/* Those that overwrite in place. An overlay does not say what lies below. */
static bool system_reserves(int fd) {
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

const mp_file_calls mp_file_system = {
    .open = system_open,
    .close = close,
    .read = read,
    .write = system_write,
    .allocate = system_allocate,
    .map = system_map,
    .sync = fdatasync,
    .sync_map = system_sync_map,
    .rename = renameat,
    .unlink = unlinkat,
    .mkdir = mkdirat,
    .lock = flock,
    .stat = fstat,
    .look = fstatat,
    .reserves = system_reserves,
};
