/* JSON literals: strings with their quotes, valid UTF-8 whatever came in. */
#ifndef MP_JSON_H
#define MP_JSON_H

#include "core/base/buf.h"
#include "core/base/word.h"

/* Marks the top bit of each byte that does not stand for itself in a JSON
 * string, lowest byte first; bytes above the lowest mark may be marked wrongly,
 * as subtractions borrow. So whether there is a mark means the same on every
 * machine, but the lowest is the first in memory only with MP_WORD_LITTLE. The
 * quote (0x22) is found with the controls: inverting bit 1 swaps 0x22 with 0x20
 * and keeps controls below 0x20, so all of them end up below 0x21. */
static inline uint64_t mp_json_marks(uint64_t word) {
    uint64_t low = (word ^ MP_WORD_EIGHT(0x02)) - MP_WORD_EIGHT(0x21);
    uint64_t backslash = (word ^ MP_WORD_EIGHT('\\')) - MP_WORD_EIGHT(0x01);
    return (low | backslash | word) & MP_WORD_EIGHT(0x80);
}

/* Copies bytes that stand for themselves in a JSON string: ASCII without
 * controls, quote or backslash. False, with anything in to[0..n - 1], if one
 * does not. */
bool mp_json_plain(char *to, const char *from, size_t n);

/* How many bytes `s` begins with that a JSON string may hold as they are: plain
 * ones and well-formed UTF-8. */
size_t mp_json_clean(const char *s, size_t n);

/* Appends `s` as a quoted JSON string. Escapes only what JSON demands
 * (quote, backslash, control characters; never '/'), so a record holds no
 * raw newline. Each maximal ill-formed UTF-8 sequence becomes U+FFFD and
 * sets *repaired (never clears it). Returns the buffer's error. */
mp_err mp_json_string(mp_buf *out, const char *s, size_t len, bool *repaired);

/* Does the same for a string of plain bytes that the buffer has room for, as
 * most are; false, and nothing is appended, for any other. */
static inline bool mp_json_put_plain(mp_buf *out, const char *s, size_t len) {
    if (out->cap - out->len < len + 2)
        return false;
    char *to = out->data + out->len;
    if (!mp_json_plain(to + 1, s, len))
        return false;
    to[0] = '"';
    to[len + 1] = '"';
    out->len += len + 2;
    return true;
}

/* True if JSON that is known to be well formed has no white space, and no
 * string in it has an escape that mp_json_string would not write: two strings
 * are then the same only if their bytes are. */
bool mp_json_is_own(const char *text, size_t len);

/* The end of the value that begins at `at`, in JSON that is known to be well
 * formed and has no white space. */
const char *mp_json_skip(const char *at, const char *end);

/* How many strings in such JSON, names of members included, say more than
 * `most` bytes. */
uint32_t mp_json_count_longer(const char *json, size_t len, size_t most);

#endif
