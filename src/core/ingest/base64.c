#include "core/ingest/base64.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    PAD = 64, /* the = */
    SKIP,
    BAD
};

// clang-format off
static const unsigned char values[256] = {
    66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 65, 66, 66, 65, 66, 66,
    66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
    62, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 62, 66, 66, 66, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 66, 66, 66, 64, 66, 66,
    66,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 66, 66, 66, 66, 66,
    66, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 66, 66, 66, 66, 66,
    66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
    66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
    66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
    66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
    66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
    66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
    66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
    66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
};
// clang-format on

static uint32_t value_of(char c) {
    return values[(unsigned char)c];
}

/* Decodes as many groups of four digits as there are without any of the above;
 * returns how many. */
static size_t decode_plain(char *to, const char *at, size_t len) {
    size_t n = 0;
    for (; n < len / 4; n++, at += 4, to += 3) {
        uint32_t a = value_of(at[0]), b = value_of(at[1]), c = value_of(at[2]),
                 d = value_of(at[3]);
        if ((a | b | c | d) >= PAD)
            break;
        to[0] = (char)(a << 2 | b >> 4);
        to[1] = (char)((b & 15) << 4 | c >> 2);
        to[2] = (char)((c & 3) << 6 | d);
    }
    return n;
}

/* Four digits at a time. */
typedef struct group {
    uint32_t bits;
    int digits, pads;
} group;

/* Writes the bytes of a full group and begins the next. */
static char *flush(char *to, group *g) {
    for (int i = 0; i < 3 - g->pads; i++)
        *to++ = (char)(g->bits >> (16 - 8 * i) & 0xff);
    g->bits = 0;
    g->digits = 0;
    return to;
}

mp_err mp_base64_decode(mp_buf *out, const char *text, size_t len) {
    if (!mp_buf_reserve(out, len / 4 * 3 + 3))
        return out->err;
    char *to = out->data + out->len;
    group g = {0};
    for (size_t i = 0; i < len; i++) {
        if (g.digits == 0 && g.pads == 0) {
            size_t n = decode_plain(to, text + i, len - i);
            to += 3 * n;
            i += 4 * n;
        }
        if (i == len)
            break;
        uint32_t value = value_of(text[i]);
        if (value == SKIP)
            continue;
        if (value == BAD || (g.pads > 0 && (value != PAD || g.digits == 0)) ||
            (value == PAD && g.digits < 2))
            return MP_INVALID;
        g.pads += value == PAD;
        g.bits = g.bits << 6 | (value & 63);
        if (++g.digits == 4)
            to = flush(to, &g);
    }
    if (g.digits > 0)
        return MP_INVALID;
    out->len = (size_t)(to - out->data);
    return MP_OK;
}
