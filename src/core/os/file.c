#include "core/os/file.h"

#include "core/base/text.h"
#include "core/os/random.h"
#include "core/os/thread.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

static const mp_file_calls *calls = &mp_file_system;

void mp_file_use(const mp_file_calls *table) {
    calls = table;
}

static int result(int returned) {
    return returned < 0 ? errno : 0;
}

/* ---- descriptors that a forked child must give up ---- */

enum {
    PENDING = 512 /* of a block */
};

/* Read by the child without a lock: another thread of the parent may have
 * been changing it. An entry is the descriptor + 1, so that zero is free. There
 * is another block once all entries are taken, and none ever goes. */
typedef struct pending_block pending_block;
struct pending_block {
    atomic_int entries[PENDING];
    pending_block *_Atomic next;
};
static pending_block pending;
static atomic_uint forks; /* begun and ended so far: odd while one goes on */

/* NULL: out of memory. */
static pending_block *next_or_new(pending_block *block) {
    pending_block *next = atomic_load(&block->next);
    pending_block *fresh = next ? NULL : calloc(1, sizeof *fresh);
    if (fresh && atomic_compare_exchange_strong(&block->next, &next, fresh))
        return fresh;
    free(fresh); /* another thread was first */
    return next;
}

bool mp_file_hold(int fd) {
    for (pending_block *b = &pending; b; b = next_or_new(b))
        for (size_t i = 0; i < PENDING; i++) {
            int empty = 0;
            if (atomic_load(&b->entries[i]) == 0 &&
                atomic_compare_exchange_strong(&b->entries[i], &empty, fd + 1))
                return true;
        }
    return false;
}

static void unhold(int fd) {
    for (pending_block *b = &pending; b; b = atomic_load(&b->next))
        for (size_t i = 0; i < PENDING; i++) {
            int entry = fd + 1;
            if (atomic_compare_exchange_strong(&b->entries[i], &entry, 0))
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
    for (pending_block *b = &pending; b; b = atomic_load(&b->next))
        for (size_t i = 0; i < PENDING; i++) {
            int entry = atomic_exchange(&b->entries[i], 0);
            if (entry > 0)
                calls->close(entry - 1);
        }
}

/* ---- open files ---- */

static int open_file(int dir, const char *path, unsigned flags, int *fd) {
    do
        *fd = calls->open(dir, path, flags);
    while (*fd < 0 && errno == EINTR);
    return result(*fd);
}

int mp_file_create(int dir, const char *path, int *fd) {
    return open_file(dir, path,
                     MP_FILE_READ | MP_FILE_WRITE | MP_FILE_MAKE | MP_FILE_NEW,
                     fd);
}

int mp_file_write(int fd, const void *bytes, size_t n, int64_t at) {
    const char *from = bytes;
    while (n > 0) {
        int64_t done = calls->write(fd, from, n, at);
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
        returned = calls->allocate(fd, bytes);
    while (returned < 0 && errno == EINTR);
    return result(returned);
}

bool mp_file_reserves(int fd) {
    return calls->reserves(fd);
}

int mp_file_sync(int fd) {
    int returned;
    do
        returned = calls->sync(fd);
    while (returned < 0 && errno == EINTR);
    return result(returned);
}

int mp_file_sync_dir(int dir) {
    int err = mp_file_sync(dir);
    return err == EINVAL ? 0 : err;
}

void mp_file_close(int fd) {
    if (fd < 0)
        return;
    unhold(fd);
    calls->close(fd);
}

int mp_file_map(int fd, size_t bytes, char **map) {
    *map = calls->map(fd, bytes);
    return *map ? 0 : errno;
}

int mp_file_sync_map(char *map, size_t bytes) {
    return result(calls->sync_map(map, bytes));
}

void mp_file_unmap(char *map, size_t bytes) {
    calls->unmap(map, bytes);
}

int mp_file_stat(int fd, mp_file_info *out) {
    return result(calls->stat(fd, out));
}

int mp_file_look(int dir, const char *path, mp_file_info *out) {
    return result(calls->look(dir, path, out));
}

/* ---- whole files ---- */

static int read_all(int fd, size_t most, mp_buf *out) {
    mp_file_info seen;
    int err = mp_file_stat(fd, &seen);
    if (err == 0 && seen.kind != MP_FILE_REGULAR)
        err = EINVAL;
    if (err == 0 && seen.bytes > most)
        err = EFBIG;
    size_t room = err == 0 ? (size_t)seen.bytes + 1 : 0;
    for (size_t got = 0; err == 0;) {
        if (!mp_buf_reserve(out, room))
            return ENOMEM;
        int64_t n = calls->read(fd, out->data + out->len, room);
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
    int err = open_file(dir, path, MP_FILE_READ, &fd);
    if (err != 0)
        return err;
    err = read_all(fd, most, out);
    if (err != 0)
        mp_buf_rewind(out, start);
    mp_file_close(fd);
    return err;
}

int mp_file_read_start(int dir, const char *path, void *bytes, size_t n) {
    int fd, err = open_file(dir, path, MP_FILE_READ, &fd);
    if (err != 0)
        return err;
    int64_t got = calls->read(fd, bytes, n);
    if (got != (int64_t)n)
        err = got < 0 ? errno : EIO;
    mp_file_close(fd);
    return err;
}

int mp_file_sync_parent(int dir, const char *path) {
    const char *slash = strrchr(path, '/');
    char *parent =
        slash ? mp_text_format("%.*s", (int)(slash - path) + 1, path) : NULL;
    if (slash && !parent)
        return ENOMEM;
    int fd, err = mp_file_open_dir(dir, parent ? parent : ".", &fd);
    free(parent);
    if (err != 0)
        return err == EACCES ? 0 : err;
    err = mp_file_sync_dir(fd);
    mp_file_close(fd);
    return err;
}

/* Root may rename over a device. */
static bool is_replaceable(int dir, const char *path) {
    mp_file_info seen;
    return mp_file_look(dir, path, &seen) != 0 || seen.kind != MP_FILE_OTHER;
}

/* Two processes may replace one file at a time: each has a name of its own
 * for what is not whole yet. */
int mp_file_replace(int dir, const char *path, const void *bytes, size_t n) {
    if (!is_replaceable(dir, path))
        return EINVAL;
    char *fresh = mp_text_format("%s.%016llx.new", path,
                                 (unsigned long long)mp_random_bits());
    if (!fresh)
        return ENOMEM;
    int fd, err = mp_file_create(dir, fresh, &fd);
    if (err != 0)
        goto done;
    err = mp_file_write(fd, bytes, n, 0);
    if (err == 0)
        err = mp_file_sync(fd);
    mp_file_close(fd);
    if (err == 0)
        err = mp_file_rename(dir, fresh, dir, path);
    if (err != 0)
        mp_file_unlink(dir, fresh);
    else
        err = mp_file_sync_parent(dir, path);
done:
    free(fresh);
    return err;
}

typedef struct leftovers {
    int dir;
    const char *name;
} leftovers;

static bool sweep_one(const char *name, void *user) {
    const leftovers *of = user;
    size_t n = strlen(of->name);
    if (strncmp(name, of->name, n) == 0 && name[n] == '.' &&
        strspn(name + n + 1, "0123456789abcdef") == 16 &&
        strcmp(name + n + 17, ".new") == 0)
        mp_file_unlink(of->dir, name);
    return true;
}

void mp_file_sweep(int dir, const char *name) {
    leftovers of = {dir, name};
    mp_file_list(dir, sweep_one, &of);
}

int mp_file_append(int dir, const char *path, const void *bytes, size_t n) {
    int fd, err = open_file(dir, path,
                            MP_FILE_WRITE | MP_FILE_APPEND | MP_FILE_MAKE, &fd);
    if (err != 0)
        return err;
    mp_file_info seen;
    err = mp_file_stat(fd, &seen);
    if (err == 0 && seen.kind != MP_FILE_REGULAR)
        err = EINVAL;
    if (err == 0) /* at whatever is its end by now */
        err = mp_file_write(fd, bytes, n, (int64_t)seen.bytes);
    mp_file_close(fd);
    return err;
}

/* ---- directories ---- */

int mp_file_mkdir(int dir, const char *path) {
    return result(calls->mkdir(dir, path));
}

int mp_file_open_dir(int dir, const char *path, int *fd) {
    return open_file(dir, path, MP_FILE_READ | MP_FILE_DIRECTORY, fd);
}

int mp_file_rename(int from_dir, const char *from, int to_dir, const char *to) {
    return result(calls->rename(from_dir, from, to_dir, to));
}

int mp_file_unlink(int dir, const char *path) {
    return result(calls->unlink(dir, path));
}

int mp_file_rmdir(int dir, const char *path) {
    return result(calls->rmdir(dir, path));
}

int mp_file_list(int dir, mp_file_visit *visit, void *user) {
    int fd, err = mp_file_open_dir(dir, ".", &fd);
    return err == 0 ? result(calls->list(fd, visit, user)) : err;
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
            return ENOMEM;
        }
        if (before % 2 == 0 && atomic_load(&forks) == before)
            return 0;
        mp_file_close(*fd);
        mp_thread_yield();
    }
}

int mp_file_lock_dir(int dir, const char *path, int *fd) {
    mp_file_info seen;
    int err = open_held(dir, path, fd);
    if (err != 0)
        return err;
    err = result(calls->lock(*fd));
    if (err == 0)
        err = mp_file_stat(*fd, &seen);
    if (err == 0 && seen.gone)
        err = ENOENT;
    if (err != 0)
        mp_file_close(*fd);
    return err;
}

/* Unlocked by name: a child forked between unhold and close has a copy. */
void mp_file_unlock_dir(int fd) {
    if (fd < 0)
        return;
    calls->unlock(fd);
    mp_file_close(fd);
}
