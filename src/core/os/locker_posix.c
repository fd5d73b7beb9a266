/* Linux lists all locks in one file. */
#define _GNU_SOURCE
#include "core/os/locker.h"

#include "core/os/file.h"

#include <stdlib.h>
#include <sys/sysmacros.h>

enum {
    MOST = 16 * 1024 * 1024 /* bytes of the list */
};

/* "1: FLOCK  ADVISORY  WRITE 1234 fe:01:5678 0 EOF"; 0: another lock, or only
 * wanted: "1: -> FLOCK  …". */
static int64_t read_line(const char *line, const mp_file_info *of) {
    const char *kind = strstr(line, ": FLOCK ");
    const char *at = kind ? strstr(kind, " WRITE ") : NULL;
    const char *end = strchr(line, '\n');
    char *rest;
    if (!at || !end || at > end)
        return 0;
    long long pid = strtoll(at + strlen(" WRITE "), &rest, 10);
    unsigned long major = strtoul(rest, &rest, 16);
    unsigned long minor = *rest == ':' ? strtoul(rest + 1, &rest, 16) : 0;
    unsigned long long inode = *rest == ':' ? strtoull(rest + 1, NULL, 10) : 0;
    return inode == of->inode &&
                   makedev((unsigned)major, (unsigned)minor) == of->device &&
                   pid > 0
               ? pid
               : 0;
}

int64_t mp_locker_pid(int dir, const char *path) {
    mp_file_info seen;
    mp_buf list = {0};
    int64_t pid = 0;
    if (mp_file_look(dir, path, &seen) != 0 ||
        mp_file_read(MP_FILE_HERE, "/proc/locks", MOST, &list) != 0 ||
        mp_buf_add(&list, "", 1) != MP_OK) {
        mp_buf_free(&list);
        return 0;
    }
    for (const char *line = list.data; line && pid == 0;) {
        pid = read_line(line, &seen);
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    mp_buf_free(&list);
    return pid;
}
