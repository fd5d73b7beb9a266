/* Calls to the disk that fail where the file that includes this says so. */
#ifndef FAILING_FILES_H
#define FAILING_FILES_H

#include "core/os/file.h"

#include <errno.h>
#include <unistd.h>

typedef enum call {
    OPEN,
    READ,
    WRITE,
    ALLOCATE,
    MAP,
    SYNC,
    SYNC_MAP,
    RENAME,
    UNLINK,
    MKDIR,
    RMDIR,
    LIST,
    LOCK,
    STAT,
    LOOK,
    CALLS
} call;

/* True, with errno set: this one fails. */
static bool fails(call which);

static int do_open(int dir, const char *path, unsigned flags) {
    return fails(OPEN) ? -1 : mp_file_system.open(dir, path, flags);
}

static int64_t do_read(int fd, void *bytes, size_t n) {
    return fails(READ) ? -1 : mp_file_system.read(fd, bytes, n);
}

static int64_t do_write(int fd, const void *bytes, size_t n, int64_t at) {
    return fails(WRITE) ? -1 : mp_file_system.write(fd, bytes, n, at);
}

static int do_allocate(int fd, size_t bytes) {
    return fails(ALLOCATE) ? -1 : mp_file_system.allocate(fd, bytes);
}

static void *do_map(int fd, size_t bytes) {
    return fails(MAP) ? NULL : mp_file_system.map(fd, bytes);
}

static int do_sync(int fd) {
    return fails(SYNC) ? -1 : mp_file_system.sync(fd);
}

static int do_sync_map(void *map, size_t bytes) {
    return fails(SYNC_MAP) ? -1 : mp_file_system.sync_map(map, bytes);
}

static int do_rename(int a, const char *from, int b, const char *to) {
    return fails(RENAME) ? -1 : mp_file_system.rename(a, from, b, to);
}

static int do_unlink(int dir, const char *path) {
    return fails(UNLINK) ? -1 : mp_file_system.unlink(dir, path);
}

static int do_mkdir(int dir, const char *path) {
    return fails(MKDIR) ? -1 : mp_file_system.mkdir(dir, path);
}

static int do_rmdir(int dir, const char *path) {
    return fails(RMDIR) ? -1 : mp_file_system.rmdir(dir, path);
}

static int do_list(int fd, mp_file_visit *visit, void *user) {
    if (!fails(LIST))
        return mp_file_system.list(fd, visit, user);
    int err = errno;
    close(fd); /* as the system's does */
    errno = err;
    return -1;
}

static int do_lock(int fd) {
    return fails(LOCK) ? -1 : mp_file_system.lock(fd);
}

static int do_stat(int fd, mp_file_info *out) {
    return fails(STAT) ? -1 : mp_file_system.stat(fd, out);
}

static int do_look(int dir, const char *path, mp_file_info *out) {
    return fails(LOOK) ? -1 : mp_file_system.look(dir, path, out);
}

static bool no_reserves(int fd) {
    (void)fd;
    return false;
}

static mp_file_calls faulty;

/* Until mp_file_use is called again. Not mapped: nothing reserves room. */
static void use_failing_files(bool mapped) {
    faulty = mp_file_system;
    faulty.open = do_open;
    faulty.read = do_read;
    faulty.write = do_write;
    faulty.allocate = do_allocate;
    faulty.map = do_map;
    faulty.sync = do_sync;
    faulty.sync_map = do_sync_map;
    faulty.rename = do_rename;
    faulty.unlink = do_unlink;
    faulty.mkdir = do_mkdir;
    faulty.rmdir = do_rmdir;
    faulty.list = do_list;
    faulty.lock = do_lock;
    faulty.stat = do_stat;
    faulty.look = do_look;
    if (!mapped)
        faulty.reserves = no_reserves;
    mp_file_use(&faulty);
}

#endif
