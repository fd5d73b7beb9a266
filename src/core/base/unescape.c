#include "core/base/unescape.h"

#include <stdint.h>

enum {
    REPLACEMENT = 0xfffd,
    NONE = 0x110000 /* beyond all characters */
};

static bool is_high(uint32_t unit) {
    return unit >= 0xd800 && unit <= 0xdbff;
}

static bool is_low(uint32_t unit) {
    return unit >= 0xdc00 && unit <= 0xdfff;
}

/* ---- reading ---- */

static uint32_t hex4(const char *at) {
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        uint32_t c = (unsigned char)at[i];
        value = value << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return value;
}

/* The escape at `*at`. */
static uint32_t read_escape(const char **at) {
    static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
    char c = (*at)[1];
    if (c == 'u') {
        *at += 6;
        return hex4(*at - 4);
    }
    *at += 2;
    const char *letter = strchr(letters, c);
    return (unsigned char)(letter ? meanings[letter - letters] : c);
}

/* The escape, or surrogate of three bytes, at `*at`; NONE: there is none. */
static uint32_t read_unit(const char **at, const char *end) {
    const unsigned char *s = (const unsigned char *)*at;
    if (*at == end)
        return NONE;
    if (*s == '\\')
        return read_escape(at);
    if (end - *at < 3 || s[0] != 0xed || s[1] < 0xa0 || s[1] > 0xbf ||
        (s[2] & 0xc0) != 0x80)
        return NONE;
    *at += 3;
    return 0xd000U | (s[1] & 0x3fU) << 6 | (s[2] & 0x3fU);
}

/* ---- writing ---- */

/* At most 4 bytes; returns the end. */
static char *put_utf8(char *to, uint32_t code) {
    if (code < 0x80) {
        *to++ = (char)code;
        return to;
    }
    int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char leads[] = {0, 0xc0, 0xe0, 0xf0};
    *to++ = (char)(leads[more] | code >> (6 * more));
    while (more-- > 0)
        *to++ = (char)(0x80 | (code >> (6 * more) & 0x3f));
    return to;
}

/* Writes the character that begins with `unit`. */
static char *put_character(char *to, uint32_t unit, const char **at,
                           const char *end, bool *repaired) {
    if (is_high(unit)) {
        const char *next = *at;
        uint32_t low = read_unit(&next, end);
        if (low != NONE && is_low(low)) {
            *at = next;
            return put_utf8(to,
                            0x10000 + ((unit - 0xd800) << 10 | (low & 0x3ff)));
        }
    }
    if (is_high(unit) || is_low(unit)) {
        *repaired = true;
        unit = REPLACEMENT;
    }
    return put_utf8(to, unit);
}

/* No unit becomes longer than it is, so there is room from the start. */
mp_err mp_unescape(mp_buf *out, const char *raw, size_t len, bool *repaired) {
    if (len == 0 || !mp_buf_reserve(out, len))
        return out->err;
    const char *at = raw, *end = raw + len;
    char *to = out->data + out->len;
    while (at < end) {
        uint32_t unit = read_unit(&at, end);
        if (unit == NONE)
            *to++ = *at++;
        else
            to = put_character(to, unit, &at, end, repaired);
    }
    out->len = (size_t)(to - out->data);
    return MP_OK;
}
