#include "core/ingest/form_data.h"

#include "core/base/word.h"

bool mp_form_data_find(const char *form, size_t len, const char *name,
                       mp_span *value) {
    const char *at = form, *end = form + len;
    size_t n = strlen(name);
    while (at < end) {
        const char *next = memchr(at, '&', (size_t)(end - at));
        if (!next)
            next = end;
        if ((size_t)(next - at) > n && memcmp(at, name, n) == 0 &&
            at[n] == '=') {
            *value = (mp_span){at + n + 1, (size_t)(next - at) - n - 1};
            return true;
        }
        at = next + 1;
    }
    return false;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte at `at`, a % and two digits; -1: it is none. */
static int read_byte(const char *at, const char *end) {
    if (end - at < 3)
        return -1;
    int high = hex_digit(at[1]), low = hex_digit(at[2]);
    return high >= 0 && low >= 0 ? high << 4 | low : -1;
}

/* Marks the bytes that are % or +, as mp_json_marks does. */
static uint64_t marks(uint64_t word) {
    uint64_t percent = word ^ MP_WORD_EIGHT('%');
    uint64_t plus = word ^ MP_WORD_EIGHT('+');
    return (((percent - MP_WORD_EIGHT(1)) & ~percent) |
            ((plus - MP_WORD_EIGHT(1)) & ~plus)) &
           MP_WORD_EIGHT(0x80);
}

/* Copies up to the next % or +, and maybe bytes behind it: there is room for
 * all of them. Returns how many there are in front of it. */
static size_t copy_plain(char *to, const char *at, size_t n) {
    size_t i = 0;
    for (; MP_WORD_LITTLE && n - i >= 8; i += 8) {
        memcpy(to + i, at + i, 8);
        uint64_t found = marks(mp_word_load(at + i));
        if (found)
            return i + (size_t)mp_word_first(found);
    }
    for (; i < n && at[i] != '%' && at[i] != '+'; i++)
        to[i] = at[i];
    return i;
}

mp_err mp_form_data_decode(mp_buf *out, const char *value, size_t len) {
    if (len == 0 || !mp_buf_reserve(out, len))
        return out->err;
    const char *at = value, *end = value + len;
    char *to = out->data + out->len;
    while (at < end) {
        size_t n = copy_plain(to, at, (size_t)(end - at));
        to += n;
        at += n;
        if (at == end)
            break;
        int byte = *at == '%' ? read_byte(at, end) : -1;
        if (byte >= 0) {
            *to++ = (char)byte;
            at += 3;
        } else {
            char same = *at++;
            if (same == '+')
                same = ' ';
            *to++ = same;
        }
    }
    out->len = (size_t)(to - out->data);
    return MP_OK;
}
