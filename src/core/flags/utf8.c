#include "core/flags/utf8.h"

#include <stdbool.h>
#include <string.h>

enum {
    HIGH = 0xd800, /* first of the surrogates that come first */
    LOW = 0xdc00,  /* and second */
    BEYOND = 0x10000
};

static bool continues(char byte) {
    return ((unsigned char)byte & 0xc0) == 0x80;
}

/* Bytes of the character that this one begins; 0: it begins none. */
static size_t length_of(unsigned char first) {
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

uint32_t mp_utf8_next(const char **at, const char *end) {
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, BEYOND};
    const char *text = *at;
    unsigned char first = (unsigned char)*text;
    size_t n = length_of(first);
    *at = text + 1;
    if (n == 1)
        return first;
    if (n == 0 || (size_t)(end - text) < n)
        return MP_UTF8_BAD;
    uint32_t code = first & (0x7fU >> n);
    for (size_t i = 1; i < n; i++) {
        if (!continues(text[i]))
            return MP_UTF8_BAD;
        code = code << 6 | ((unsigned char)text[i] & 0x3f);
    }
    if (code < smallest[n] || code >= MP_UTF8_BAD)
        return MP_UTF8_BAD;
    *at = text + n;
    return code;
}

uint32_t mp_utf8_previous(const char *start, const char **at) {
    const char *end = *at, *from = end - 1;
    while (from > start && continues(*from) && end - from < MP_UTF8_MAX)
        from--;
    const char *to = from;
    uint32_t code = mp_utf8_next(&to, end);
    if (to != end) { /* the last byte belongs to no character */
        from = end - 1;
        code = MP_UTF8_BAD;
    }
    *at = from;
    return code;
}

char *mp_utf8_put(char *out, uint32_t code) {
    if (code < 0x80) {
        *out++ = (char)code;
        return out;
    }
    int more = code < 0x800 ? 1 : code < BEYOND ? 2 : 3;
    *out++ = (char)((0xf00U >> (more + 1) & 0xff) | code >> (6 * more));
    while (more-- > 0)
        *out++ = (char)(0x80 | (code >> (6 * more) & 0x3f));
    return out;
}

static size_t units_of(uint32_t code) {
    return code >= BEYOND && code != MP_UTF8_BAD ? 2 : 1;
}

static uint32_t high_half(uint32_t code) {
    return HIGH + ((code - BEYOND) >> 10);
}

static uint32_t low_half(uint32_t code) {
    return LOW + ((code - BEYOND) & 0x3ff);
}

size_t mp_utf8_units(const char *text, size_t len) {
    const char *end = text + len;
    size_t units = 0;
    while (text < end) {
        if ((unsigned char)*text < 0x80) {
            text++;
            units++;
        } else {
            units += units_of(mp_utf8_next(&text, end));
        }
    }
    return units;
}

char *mp_utf8_slice(const char *text, size_t len, size_t from, size_t to,
                    char *out) {
    const char *end = text + len;
    for (size_t unit = 0; text < end && unit < to;) {
        const char *start = text;
        uint32_t code = mp_utf8_next(&text, end);
        size_t n = units_of(code);
        bool first = unit >= from;
        bool second = n == 2 && unit + 1 >= from && unit + 1 < to;
        if (n == 1 ? first : first && second) {
            memcpy(out, start, (size_t)(text - start));
            out += text - start;
        } else if (first || second) { /* half a pair */
            out = mp_utf8_put(out, first ? high_half(code) : low_half(code));
        }
        unit += n;
    }
    return out;
}

/* Text that is read unit by unit. */
typedef struct unit_reader {
    const char *at, *end;
    uint32_t low; /* second half of a pair that was begun; 0: none */
} unit_reader;

/* The next unit; -1 at the end. */
static int64_t next_unit(unit_reader *reader) {
    uint32_t unit = reader->low;
    reader->low = 0;
    if (unit > 0)
        return unit;
    if (reader->at == reader->end)
        return -1;
    unit = mp_utf8_next(&reader->at, reader->end);
    if (units_of(unit) == 1)
        return unit;
    reader->low = low_half(unit);
    return high_half(unit);
}

int mp_utf8_compare(const char *a, size_t a_len, const char *b, size_t b_len) {
    size_t n = a_len < b_len ? a_len : b_len, same = 0;
    while (same < n && a[same] == b[same])
        same++;
    while (same > 0 && same < n && (continues(a[same]) || continues(b[same])))
        same--; /* to where the characters begin */
    unit_reader x = {a + same, a + a_len, 0}, y = {b + same, b + b_len, 0};
    int64_t u, v;
    do {
        u = next_unit(&x);
        v = next_unit(&y);
    } while (u == v && u >= 0);
    return (u > v) - (u < v);
}

static bool is_space(uint32_t code) {
    if (code <= ' ')
        return code == ' ' || (code >= '\t' && code <= '\r');
    return code == 0xa0 || code == 0x1680 ||
           (code >= 0x2000 && code <= 0x200a) || code == 0x2028 ||
           code == 0x2029 || code == 0x202f || code == 0x205f ||
           code == 0x3000 || code == 0xfeff;
}

void mp_utf8_trim_start(const char **text, size_t *len) {
    const char *at = *text, *end = *text + *len;
    while (at < end && is_space(mp_utf8_next(&at, end))) {
        *text = at;
        *len = (size_t)(end - at);
    }
}

void mp_utf8_trim(const char **text, size_t *len) {
    mp_utf8_trim_start(text, len);
    const char *at = *text + *len;
    while (at > *text && is_space(mp_utf8_previous(*text, &at)))
        *len = (size_t)(at - *text);
}
