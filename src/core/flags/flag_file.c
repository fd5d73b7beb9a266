#include "core/flags/flag_file.h"

#include "core/base/json.h"
#include "core/base/num.h"
#include "core/flags/flag_set.h"
#include "core/flags/fnv.h"
#include "core/os/file.h"
#include "core/os/syserr.h"
#include "core/record/parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    VERSION = 1,
    /* Bytes of the first line; each byte of an ETag may need six. */
    HEADER_MAX = 512 + 6 * MP_FLAG_FILE_ETAG_MAX
};

/* ---- hashes ---- */

static void hash_token(const char *token, char out[MP_FNV128_HEX]) {
    mp_fnv128 hash = mp_fnv128_empty;
    mp_fnv128_add(&hash, token, strlen(token));
    mp_fnv128_hex(&hash, out);
}

static void checksum(const mp_flag_kept *kept, const char *token,
                     char out[MP_FNV128_HEX]) {
    char time[MP_NUM_MAX];
    char *end = mp_num_int64(time, kept->time_ms);
    mp_fnv128 hash = mp_fnv128_empty;
    mp_fnv128_add(&hash, kept->text.data, kept->text.len);
    mp_fnv128_add(&hash, kept->etag.data, kept->etag.len);
    mp_fnv128_add(&hash, time, (size_t)(end - time));
    mp_fnv128_add(&hash, token, strlen(token));
    mp_fnv128_hex(&hash, out);
}

/* ---- writing ---- */

static void put_string(mp_buf *out, const char *text, size_t len) {
    bool repaired = false;
    mp_json_string(out, text, len, &repaired);
}

static void put_number(mp_buf *out, int64_t number) {
    char text[MP_NUM_MAX];
    mp_buf_add(out, text, (size_t)(mp_num_int64(text, number) - text));
}

mp_err mp_flag_file_write(const mp_flag_kept *kept, const char *token,
                          mp_buf *out) {
    char hash[MP_FNV128_HEX], sum[MP_FNV128_HEX];
    hash_token(token, hash);
    checksum(kept, token, sum);
    mp_buf_puts(out, "{\"version\":1,\"token\":");
    put_string(out, hash, sizeof hash);
    mp_buf_puts(out, ",\"time\":");
    put_number(out, kept->time_ms);
    mp_buf_puts(out, ",\"etag\":");
    put_string(out, kept->etag.data, kept->etag.len);
    mp_buf_puts(out, ",\"checksum\":");
    put_string(out, sum, sizeof sum);
    mp_buf_puts(out, "}\n");
    return mp_buf_add(out, kept->text.data, kept->text.len);
}

/* ---- reading ---- */

static mp_err refuse(char message[MP_MESSAGE], const char *why) {
    snprintf(message, MP_MESSAGE, "%s", why);
    return MP_INVALID;
}

/* What another program or project keeps there. */
static mp_err refuse_foreign(mp_flag_kept *kept, char message[MP_MESSAGE],
                             const char *why) {
    kept->foreign = true;
    return refuse(message, why);
}

static bool has_text(const json_t *header, const char *member, const char *text,
                     size_t len) {
    const json_t *value = json_object_get(header, member);
    return json_string_length(value) == len &&
           memcmp(json_string_value(value), text, len) == 0;
}

/* Takes what the header says, once it is known that it belongs to the project
 * and to the text. */
static mp_err read_all(const json_t *header, const char *text, size_t len,
                       const char *token, mp_flag_kept *kept,
                       char message[MP_MESSAGE]) {
    const json_t *etag = json_object_get(header, "etag");
    char hash[MP_FNV128_HEX];
    if (!json_is_integer(json_object_get(header, "version")))
        return refuse_foreign(kept, message, "its first line has no version");
    if (json_integer_value(json_object_get(header, "version")) != VERSION)
        return refuse(message, "it has another version");
    hash_token(token, hash);
    if (!has_text(header, "token", hash, sizeof hash))
        return refuse_foreign(kept, message, "it belongs to another project");
    kept->time_ms = json_integer_value(json_object_get(header, "time"));
    mp_buf_add(&kept->text, text, len);
    mp_buf_add(&kept->etag, json_string_value(etag), json_string_length(etag));
    if (kept->text.err || kept->etag.err)
        return MP_MEMORY;
    checksum(kept, token, hash);
    return has_text(header, "checksum", hash, sizeof hash)
               ? MP_OK
               : refuse(message, "it is damaged: its checksum is another");
}

mp_err mp_flag_file_read(const char *contents, size_t len, const char *token,
                         mp_flag_kept *kept, char message[MP_MESSAGE]) {
    size_t most = len < HEADER_MAX ? len : HEADER_MAX;
    const char *end = most > 0 ? memchr(contents, '\n', most) : NULL;
    if (!end)
        return len == 0
                   ? refuse(message, "it is empty")
                   : refuse_foreign(kept, message,
                                    "it has no first line that describes it");
    json_error_t why;
    size_t header_len = (size_t)(end - contents);
    json_t *header = mp_parse(contents, header_len, JSON_ALLOW_NUL, &why);
    if (!header)
        return mp_parse_failure(&why) == MP_MEMORY
                   ? MP_MEMORY
                   : refuse_foreign(kept, message, "its first line is no JSON");
    mp_err err =
        read_all(header, end + 1, len - header_len - 1, token, kept, message);
    json_decref(header);
    return err;
}

/* ---- files ---- */

static mp_err refuse_errno(char message[MP_MESSAGE], int error) {
    char text[MP_SYSERR];
    snprintf(message, MP_MESSAGE, "%s",
             error == EINVAL ? "it is no file" : mp_syserr_text(error, text));
    return error == ENOMEM ? MP_MEMORY : MP_STATE;
}

mp_err mp_flag_file_save(int dir, const char *path, const mp_flag_kept *kept,
                         const char *token, char message[MP_MESSAGE]) {
    mp_buf contents = {0};
    mp_err err = mp_flag_file_write(kept, token, &contents);
    if (err == MP_OK) {
        int error = mp_file_replace(dir, path, contents.data, contents.len);
        if (error != 0)
            err = refuse_errno(message, error);
    }
    mp_buf_free(&contents);
    return err;
}

mp_err mp_flag_file_load(int dir, const char *path, const char *token,
                         mp_flag_kept *kept, char message[MP_MESSAGE]) {
    mp_buf contents = {0};
    mp_err err = MP_OK;
    int error =
        mp_file_read(dir, path, HEADER_MAX + MP_FLAG_SET_BYTES, &contents);
    if (error == 0)
        err = mp_flag_file_read(contents.data, contents.len, token, kept,
                                message);
    else if (error != ENOENT)
        err = refuse_errno(message, error);
    kept->foreign |= error == EFBIG || error == EACCES;
    mp_buf_free(&contents);
    return err;
}

void mp_flag_kept_free(mp_flag_kept *kept) {
    mp_buf_free(&kept->etag);
    mp_buf_free(&kept->text);
}
