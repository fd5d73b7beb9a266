/* Definitions of flags that are kept in a file, so that a process has flags
 * before it has a connection.
 *
 *     {"version":1,"token":"…","time":1795460000123,"etag":"…","checksum":"…"}
 *     {"flags":[…]}
 *
 * The first line is one object; behind it are the definitions as they came.
 * `token` and `checksum` are 128-bit FNV-1a hashes: of the project's token,
 * and of the definitions and the other members. */
#ifndef MP_FLAG_FILE_H
#define MP_FLAG_FILE_H

#include "core/base/buf.h"

#include <stdint.h>

enum {
    MP_FLAG_FILE_ETAG_MAX = 1024 /* bytes; a longer one is not kept */
};

typedef struct mp_flag_kept {
    int64_t time_ms; /* since 1970, when they came */
    mp_buf etag;     /* empty: none */
    mp_buf text;     /* the definitions */
    bool foreign;    /* the file was refused, and is none of the project's */
} mp_flag_kept;

/* Appends the contents of a file. MP_MEMORY. */
mp_err mp_flag_file_write(const mp_flag_kept *kept, const char *token,
                          mp_buf *out);

/* Fills an all-zero struct from the contents of a file. MP_MEMORY; MP_INVALID,
 * and the message says why they cannot be used. Free the struct even then. An
 * empty file, or one with our first line, is damaged rather than foreign. */
mp_err mp_flag_file_read(const char *contents, size_t len, const char *token,
                         mp_flag_kept *kept, char message[MP_MESSAGE]);

/* The same with a file, of mode 0600, that is looked up from the open
 * directory `dir`; see core/os/file.h. Each blocks as long as the disk does.
 * MP_STATE, and the message names the error of the system; to load what is not
 * there is MP_OK, and `text` is empty. */
mp_err mp_flag_file_save(int dir, const char *path, const mp_flag_kept *kept,
                         const char *token, char message[MP_MESSAGE]);
mp_err mp_flag_file_load(int dir, const char *path, const char *token,
                         mp_flag_kept *kept, char message[MP_MESSAGE]);

void mp_flag_kept_free(mp_flag_kept *kept);

#endif
