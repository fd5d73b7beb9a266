#include "core/os/file.h"

#include "core/os/rng.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

static const mp_file_calls *calls = &mp_file_system;

void mp_file_use(const mp_file_calls *table) {
    calls = table;
}

static int result(int returned) {
    return returned < 0 ? errno : 0;
}

/* ---- descriptors that a forked child must give up ---- */

enum {
    PENDING = 512
};

/* Read by the child without a lock: another thread of the parent may have
 * been changing it. An entry is the descriptor + 1, so that zero is free. */
static atomic_int pending[PENDING];
static atomic_uint forks; /* begun and ended so far: odd while one goes on */

bool mp_file_hold(int fd) {
    for (size_t i = 0; i < PENDING; i++) {
        int empty = 0;
        if (atomic_load(&pending[i]) == 0 &&
            atomic_compare_exchange_strong(&pending[i], &empty, fd + 1))
            return true;
    }
    return false;
}

static void unhold(int fd) {
    for (size_t i = 0; i < PENDING; i++) {
        int entry = fd + 1;
        if (atomic_compare_exchange_strong(&pending[i], &entry, 0))
            return;
    }
}

void mp_file_before_fork(void) {
    atomic_fetch_add(&forks, 1);
}

void mp_file_in_parent(void) {
    atomic_fetch_add(&forks, 1);
}

void mp_file_in_child(void) {
    atomic_store(&forks, 0);
    for (size_t i = 0; i < PENDING; i++) {
        int entry = atomic_exchange(&pending[i], 0);
        if (entry > 0)
            close(entry - 1);
    }
}

/* ---- open files ---- */

/* O_NONBLOCK: a planted fifo must not hold up whoever opens it. */
static int open_file(int dir, const char *path, int flags, int *fd) {
    do
        *fd = calls->open(dir, path,
                          flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    while (*fd < 0 && errno == EINTR);
    return result(*fd);
}

int mp_file_create(int dir, const char *path, int *fd) {
    return open_file(dir, path, O_RDWR | O_CREAT | O_EXCL, fd);
}

int mp_file_write(int fd, const void *bytes, size_t n, int64_t at) {
    const char *from = bytes;
    while (n > 0) {
        ssize_t done = calls->write(fd, from, n, (off_t)at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return errno;
        if (done == 0)
            return EIO;
        from += done;
        at += done;
        n -= (size_t)done;
    }
    return 0;
}

int mp_file_allocate(int fd, size_t bytes) {
    int returned;
    do
        returned = calls->allocate(fd, (off_t)bytes);
    while (returned < 0 && errno == EINTR);
    return result(returned);
}

bool mp_file_reserves(int fd) {
    return calls->reserves(fd);
}

int mp_file_sync(int fd) {
    return result(calls->sync(fd));
}

void mp_file_close(int fd) {
    if (fd < 0)
        return;
    unhold(fd);
    calls->close(fd);
}

int mp_file_map(int fd, size_t bytes, char **map) {
    *map = calls->map(fd, bytes);
    if (*map == MAP_FAILED) {
        *map = NULL;
        return errno;
    }
    madvise(*map, bytes, MADV_DONTFORK);
    return 0;
}

int mp_file_sync_map(char *map, size_t bytes) {
    return result(calls->sync_map(map, bytes));
}

void mp_file_unmap(char *map, size_t bytes) {
    munmap(map, bytes);
}

int mp_file_stat(int fd, struct stat *out) {
    return result(calls->stat(fd, out));
}

int mp_file_look(int dir, const char *path, struct stat *out) {
    return result(calls->look(dir, path, out, AT_SYMLINK_NOFOLLOW));
}

/* ---- whole files ---- */

static int read_all(int fd, size_t most, mp_buf *out) {
    struct stat seen;
    int err = mp_file_stat(fd, &seen);
    if (err == 0 && !S_ISREG(seen.st_mode))
        err = EINVAL;
    if (err == 0 && (uint64_t)seen.st_size > most)
        err = EFBIG;
    size_t room = err == 0 ? (size_t)seen.st_size + 1 : 0;
    for (size_t got = 0; err == 0;) {
        if (!mp_buf_reserve(out, room))
            return ENOMEM;
        ssize_t n = calls->read(fd, out->data + out->len, room);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            err = errno;
        if (n <= 0)
            break;
        got += (size_t)n;
        out->len += (size_t)n;
        room -= (size_t)n;
        if (got > most) /* it grew */
            err = EFBIG;
        else if (room == 0)
            room = 4096;
    }
    return err;
}

int mp_file_read(int dir, const char *path, size_t most, mp_buf *out) {
    int fd;
    size_t start = out->len;
    int err = open_file(dir, path, O_RDONLY, &fd);
    if (err != 0)
        return err;
    err = read_all(fd, most, out);
    if (err != 0)
        mp_buf_rewind(out, start);
    mp_file_close(fd);
    return err;
}

static int sync_parent(int dir, const char *path) {
    const char *slash = strrchr(path, '/');
    char *parent = slash ? strndup(path, (size_t)(slash - path) + 1) : NULL;
    if (slash && !parent)
        return ENOMEM;
    int fd, err = mp_file_open_dir(dir, parent ? parent : ".", &fd);
    free(parent);
    if (err != 0)
        return err;
    err = mp_file_sync(fd);
    mp_file_close(fd);
    return err;
}

/* Two processes may replace one file at a time: each has a name of its own
 * for what is not whole yet. */
int mp_file_replace(int dir, const char *path, const void *bytes, size_t n,
                    bool durable) {
    char *fresh = NULL;
    if (asprintf(&fresh, "%s.%016llx.new", path,
                 (unsigned long long)mp_rng_seed()) < 0)
        return ENOMEM;
    int fd, err = mp_file_create(dir, fresh, &fd);
    if (err != 0)
        goto done;
    err = mp_file_write(fd, bytes, n, 0);
    if (err == 0 && durable)
        err = mp_file_sync(fd);
    mp_file_close(fd);
    if (err == 0)
        err = mp_file_rename(dir, fresh, dir, path);
    if (err != 0)
        mp_file_unlink(dir, fresh);
    else if (durable)
        err = sync_parent(dir, path);
done:
    free(fresh);
    return err;
}

int mp_file_append(int dir, const char *path, const void *bytes, size_t n) {
    int fd, err = open_file(dir, path, O_WRONLY | O_CREAT | O_APPEND, &fd);
    if (err != 0)
        return err;
    struct stat seen;
    err = mp_file_stat(fd, &seen);
    if (err == 0 && !S_ISREG(seen.st_mode))
        err = EINVAL;
    if (err == 0) /* where it ends by now, by O_APPEND */
        err = mp_file_write(fd, bytes, n, seen.st_size);
    mp_file_close(fd);
    return err;
}

/* ---- directories ---- */

int mp_file_mkdir(int dir, const char *path) {
    return result(calls->mkdir(dir, path, 0700));
}

int mp_file_open_dir(int dir, const char *path, int *fd) {
    return open_file(dir, path, O_RDONLY | O_DIRECTORY, fd);
}

int mp_file_rename(int from_dir, const char *from, int to_dir, const char *to) {
    return result(calls->rename(from_dir, from, to_dir, to));
}

int mp_file_unlink(int dir, const char *path) {
    return result(calls->unlink(dir, path, 0));
}

int mp_file_rmdir(int dir, const char *path) {
    return result(calls->unlink(dir, path, AT_REMOVEDIR));
}

int mp_file_list(int dir, bool (*visit)(const char *name, void *user),
                 void *user) {
    int fd, err = mp_file_open_dir(dir, ".", &fd);
    if (err != 0)
        return err;
    DIR *list = fdopendir(fd);
    if (!list) {
        err = errno;
        mp_file_close(fd);
        return err;
    }
    const struct dirent *entry;
    bool go_on = true;
    while (go_on && (errno = 0, entry = readdir(list))) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
            go_on = visit(name, user);
    }
    err = go_on ? errno : 0;
    closedir(list);
    return err;
}

/* ---- locks ---- */

/* A fork between open and hold, or one that began before and is not over,
 * would leave the child with a copy that it does not know of, and which would
 * keep the lock alive: such a descriptor is not the one that is locked. */
static int open_held(int dir, const char *path, int *fd) {
    for (;;) {
        unsigned before = atomic_load(&forks);
        int err = mp_file_open_dir(dir, path, fd);
        if (err != 0)
            return err;
        if (!mp_file_hold(*fd)) {
            mp_file_close(*fd);
            return EMFILE;
        }
        if (before % 2 == 0 && atomic_load(&forks) == before)
            return 0;
        mp_file_close(*fd);
        sched_yield();
    }
}

int mp_file_lock_dir(int dir, const char *path, int *fd) {
    struct stat seen;
    int err = open_held(dir, path, fd);
    if (err != 0)
        return err;
    err = result(calls->lock(*fd, LOCK_EX | LOCK_NB));
    if (err == 0)
        err = mp_file_stat(*fd, &seen);
    if (err == 0 && seen.st_nlink == 0)
        err = ENOENT;
    if (err != 0)
        mp_file_close(*fd);
    return err;
}

/* Unlocked by name: a child forked between unhold and close has a copy. */
void mp_file_unlock_dir(int fd) {
    if (fd < 0)
        return;
    calls->lock(fd, LOCK_UN);
    mp_file_close(fd);
}
