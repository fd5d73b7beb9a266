/* Files whose reading or sealing fails, and sealed ones by their place among
 * others. */
#ifndef MP_FAILING_DISK_H
#define MP_FAILING_DISK_H

#include "project_helper.h"

static mp_file_calls faulty;
static const char *bad_name; /* part of it */
static int bad_error;        /* 0: nothing fails */
static bool fails_open;      /* else reading does */
static bool is_bad[1024];    /* descriptors of such files */

static inline int open_or_fail(int dir, const char *path, unsigned flags) {
    bool bad = bad_error != 0 && strstr(path, bad_name) != NULL &&
               !(flags & MP_FILE_WRITE);
    if (bad && fails_open) {
        errno = bad_error;
        return -1;
    }
    int fd = mp_file_system.open(dir, path, flags);
    if (fd >= 0 && fd < 1024)
        is_bad[fd] = bad;
    return fd;
}

static inline int64_t read_or_fail(int fd, void *bytes, size_t n) {
    if (fd < 1024 && is_bad[fd]) {
        errno = bad_error;
        return -1;
    }
    return mp_file_system.read(fd, bytes, n);
}

static inline void let_fail(const char *name, int err, bool open) {
    faulty = mp_file_system;
    faulty.open = open_or_fail;
    faulty.read = read_or_fail;
    bad_name = name;
    bad_error = err;
    fails_open = open;
    mp_file_use(&faulty);
}

/* The name of the n-th sealed file, or a part of it that no other has. */
static inline void find_file(int which, char name[MP_BATCH_FILE_NAME]) {
    char command[256];
    snprintf(command, sizeof command,
             "find %s -name '*.json.gz' -printf '%%f\\n' | sort | sed -n %dp",
             home, which);
    FILE *pipe = popen(command, "r");
    CHECK(fgets(name, MP_BATCH_FILE_NAME, pipe) != NULL);
    name[strcspn(name, "\n")] = '\0';
    pclose(pipe);
}

static inline int open_no_batch(int dir, const char *path, unsigned flags) {
    if (strstr(path, ".json.gz") && (flags & MP_FILE_NEW)) {
        errno = ENOSPC;
        return -1;
    }
    return mp_file_system.open(dir, path, flags);
}

/* As on a full disk. */
static inline void let_sealing_fail(void) {
    faulty = mp_file_system;
    faulty.open = open_no_batch;
    mp_file_use(&faulty);
}

#endif
