#define _GNU_SOURCE
#include "nats/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FILE_BYTES = 16384 /* a file of NATS has about 1000 */
};

/* NULL: none is known yet. */
static const char *fault_of(const struct stat *about) {
    if (!S_ISREG(about->st_mode))
        return "is no file";
    if (about->st_mode & (S_IRWXG | S_IRWXO))
        return "is open to others than its owner: chmod 600 mends that";
    if (about->st_size >= FILE_BYTES)
        return "is too large";
    return NULL;
}

/* Its length, or -1 with *text. */
static ssize_t read_file(const char *path, char bytes[FILE_BYTES],
                         char text[MP_BUS_TEXT]) {
    struct stat about;
    ssize_t len = -1;
    /* Not to hang on a pipe before it is known to be none. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool there = fd >= 0 && fstat(fd, &about) == 0;
    const char *fault = there ? fault_of(&about) : NULL;
    if (there && !fault)
        len = read(fd, bytes, FILE_BYTES - 1);
    if (fault)
        snprintf(text, MP_BUS_TEXT, "nats: the file of credentials %s", fault);
    else if (len < 0)
        snprintf(text, MP_BUS_TEXT,
                 "nats: the file of credentials cannot be read: %s",
                 strerror(errno));
    if (fd >= 0)
        close(fd);
    return len;
}

/* Ends the line at `at`; where the next begins. */
static char *end_line(char *at) {
    size_t len = strcspn(at, "\n");
    char *next = at + len + (at[len] == '\n');
    if (len > 0 && at[len - 1] == '\r')
        len--;
    at[len] = '\0';
    return next;
}

static natsStatus take(natsOptions *options, const char *path, char *bytes) {
    if (strstr(bytes, "BEGIN NATS USER JWT") &&
        strstr(bytes, "BEGIN USER NKEY SEED"))
        return natsOptions_SetUserCredentialsFromFiles(options, path, NULL);
    if (strstr(bytes, "-----BEGIN "))
        return NATS_INVALID_ARG; /* a half of such a file is no user */
    char *password = end_line(bytes);
    const char *rest = end_line(password);
    if (bytes[0] == '\0' || password[0] == '\0' ||
        rest[strspn(rest, "\r\n")] != '\0')
        return NATS_INVALID_ARG;
    return natsOptions_SetUserInfo(options, bytes, password);
}

bool mp_nats_credentials(natsOptions *options, const char *path,
                         char text[MP_BUS_TEXT]) {
    char bytes[FILE_BYTES];
    ssize_t len = read_file(path, bytes, text);
    if (len < 0)
        return false;
    bytes[len] = '\0';
    natsStatus status = take(options, path, bytes);
    explicit_bzero(bytes, sizeof bytes);
    if (status != NATS_OK)
        snprintf(text, MP_BUS_TEXT,
                 "nats: the file of credentials holds neither those of NATS "
                 "nor two lines, a user and a password");
    return status == NATS_OK;
}
