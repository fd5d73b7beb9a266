#include "core/base/json.h"

#include <stdint.h>

/* The output of a string is never shorter than its input: what changes at all
 * becomes longer, or U+FFFD (3 bytes) for at most 3 bytes. So a buffer with
 * room for the input and two quotes is asked for at once, without ever asking
 * for more than is needed, and from then on only for what comes on top. At
 * every step there is room for the rest of the input and the last quote. */

static bool is_plain(unsigned char c) {
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* Copies eight bytes and returns their marks. */
static inline uint64_t copy_word(char *to, const char *from) {
    uint64_t word = mp_word_load(from);
    memcpy(to, &word, 8);
    return mp_json_marks(word);
}

/* mp_json_plain for at least eight bytes. The last word overlaps the one in
 * front of it, so there is no tail. */
__attribute__((noinline)) static bool copy_words(char *to, const char *from,
                                                 size_t n) {
    size_t last = n - 8;
    uint64_t found = copy_word(to + last, from + last);
    for (size_t i = 0; i < last; i += 8)
        found |= copy_word(to + i, from + i);
    return !found;
}

/* Names, mostly, are of at most two words, or of two halves of a word that
 * overlap likewise. */
bool mp_json_plain(char *to, const char *from, size_t n) {
    if (n > 16)
        return copy_words(to, from, n);
    if (n >= 8)
        return !(copy_word(to, from) | copy_word(to + n - 8, from + n - 8));
    if (n >= 4) {
        uint32_t head, tail;
        memcpy(&head, from, 4);
        memcpy(&tail, from + n - 4, 4);
        memcpy(to, &head, 4);
        memcpy(to + n - 4, &tail, 4);
        return !mp_json_marks(head | (uint64_t)tail << 32);
    }
    for (size_t i = 0; i < n; i++) {
        if (!is_plain((unsigned char)from[i]))
            return false;
        to[i] = from[i];
    }
    return true;
}

/* The length of the UTF-8 sequence at the start of `s`, which is not ASCII,
 * and whether it is well-formed (Unicode, table 3-7). Of an ill-formed one
 * the maximal subpart, which is what one U+FFFD replaces. */
static size_t utf8_sequence(const unsigned char *s, size_t n, bool *valid) {
    unsigned char event_prefix = s[0];
    *valid = false;
    if (event_prefix < 0xc2 || event_prefix > 0xf4)
        return 1;
    size_t length = event_prefix < 0xe0 ? 2 : event_prefix < 0xf0 ? 3 : 4;
    /* Overlong forms, surrogates and what is above U+10FFFF show in the
     * second byte. */
    unsigned char from = event_prefix == 0xe0   ? 0xa0
                         : event_prefix == 0xf0 ? 0x90
                                                : 0x80;
    unsigned char to = event_prefix == 0xed   ? 0x9f
                       : event_prefix == 0xf4 ? 0x8f
                                              : 0xbf;
    if (n < 2 || s[1] < from || s[1] > to)
        return 1;
    for (size_t i = 2; i < length; i++)
        if (i >= n || (s[i] & 0xc0) != 0x80)
            return i;
    *valid = true;
    return length;
}

/* Writes an escape of at most 6 bytes and returns its length. */
static size_t put_escape(char *out, unsigned char c) {
    static const char hex[] = "0123456789abcdef";
    static const char letters[] = {
        ['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
        ['\n'] = 'n', ['\r'] = 'r',  ['\t'] = 't',
    };
    out[0] = '\\';
    if (letters[c]) {
        out[1] = letters[c];
        return 2;
    }
    out[1] = 'u';
    out[2] = out[3] = '0';
    out[4] = hex[c >> 4];
    out[5] = hex[c & 15];
    return 6;
}

/* The first byte of s[i..n - 1] that is not plain; n: there is none. */
static size_t skip_plain(const char *s, size_t i, size_t n) {
    for (; MP_WORD_LITTLE && n - i >= 8; i += 8) {
        uint64_t found = mp_json_marks(mp_word_load(s + i));
        if (found)
            return i + (size_t)mp_word_first(found);
    }
    size_t rest = n - i;
    if (MP_WORD_LITTLE && rest > 0 && n >= 8) {
        /* A word that ends where the text does, filled up with spaces. */
        uint64_t word = mp_word_load(s + n - 8) >> 8 * (8 - rest) |
                        MP_WORD_EIGHT(' ') << 8 * rest;
        uint64_t found = mp_json_marks(word);
        return found ? i + (size_t)mp_word_first(found) : n;
    }
    while (i < n && is_plain((unsigned char)s[i]))
        i++;
    return i;
}

size_t mp_json_clean(const char *s, size_t n) {
    size_t i = skip_plain(s, 0, n);
    while (i < n && (unsigned char)s[i] >= 0x80) {
        do { /* these come in runs */
            bool valid;
            size_t length =
                utf8_sequence((const unsigned char *)s + i, n - i, &valid);
            if (!valid)
                return i;
            i += length;
        } while (i < n && (unsigned char)s[i] >= 0x80);
        i = skip_plain(s, i, n);
    }
    return i;
}

/* Appends what stands for the control, quote, backslash or ill-formed
 * sequence at the start of `s`, and sets *used to the bytes of that. False
 * when the buffer failed. */
static bool add_special(mp_buf *out, const char *s, size_t n, size_t *used,
                        bool *repaired) {
    char text[6] = "\xef\xbf\xbd";
    size_t length = 3;
    if ((unsigned char)s[0] < 0x80) {
        *used = 1;
        length = put_escape(text, (unsigned char)s[0]);
    } else {
        bool valid;
        *used = utf8_sequence((const unsigned char *)s, n, &valid);
        *repaired = true;
    }
    if (!mp_buf_reserve(out, length + (n - *used) + 1))
        return false;
    memcpy(out->data + out->len, text, length);
    out->len += length;
    return true;
}

mp_err mp_json_string(mp_buf *out, const char *s, size_t n, bool *repaired) {
    if (!mp_buf_reserve(out, n + 2))
        return out->err;
    out->data[out->len++] = '"';
    while (n > 0) {
        size_t done = mp_json_clean(s, n);
        memcpy(out->data + out->len, s, done);
        out->len += done;
        s += done;
        n -= done;
        if (n == 0)
            break;
        if (!add_special(out, s, n, &done, repaired))
            return out->err;
        s += done;
        n -= done;
    }
    out->data[out->len++] = '"';
    return MP_OK;
}

/* ---- reading ---- */

/* The length of the escape at `at`; 0: put_escape writes none like it. */
static size_t own_escape(const char *at, size_t n) {
    char text[6];
    for (int c = 0; c <= '\\'; c++) {
        unsigned char byte = (unsigned char)c;
        size_t length = is_plain(byte) ? 0 : put_escape(text, byte);
        if (length > 0 && length <= n && memcmp(at, text, length) == 0)
            return length;
    }
    return 0;
}

bool mp_json_is_own(const char *text, size_t len) {
    bool in_string = false;
    size_t length = 1;
    for (size_t i = 0; i < len; i += length) {
        char c = text[i];
        length = c == '\\' ? own_escape(text + i, len - i) : 1;
        in_string ^= c == '"';
        if (length == 0 ||
            (!in_string && (c == ' ' || (c >= '\t' && c <= '\r'))))
            return false;
    }
    return true;
}

static const char *skip_string(const char *at, const char *end) {
    for (at++; at < end && *at != '"'; at++)
        at += *at == '\\';
    return at < end ? at + 1 : end;
}

const char *mp_json_skip(const char *at, const char *end) {
    size_t depth = 0;
    while (at < end) {
        char c = *at;
        if (depth == 0 && (c == ',' || c == ':' || c == ']' || c == '}'))
            return at;
        if (c == '"') {
            at = skip_string(at, end);
            continue;
        }
        if (c == '[' || c == '{')
            depth++;
        else if (c == ']' || c == '}')
            depth--;
        at++;
    }
    return end;
}

/* Moves *at to the string's closing quote. An escape counts as one byte: those
 * that mp_json_string writes stand for one. */
static size_t count_bytes(const char **at, const char *end) {
    size_t n = 0;
    while (*at < end && **at != '"') {
        size_t len = 1;
        if (**at == '\\')
            len = end - *at > 1 && (*at)[1] == 'u' ? 6 : 2;
        *at += len < (size_t)(end - *at) ? len : (size_t)(end - *at);
        n++;
    }
    return n;
}

uint32_t mp_json_count_longer(const char *json, size_t len, size_t most) {
    uint32_t n = 0;
    const char *end = json + len;
    if (len <= most)
        return 0;
    for (const char *at = json; at < end; at++) {
        if (*at != '"')
            continue;
        at++;
        n += count_bytes(&at, end) > most;
    }
    return n;
}
