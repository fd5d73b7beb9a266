#include "core/ingest/form_data.h"

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

mp_err mp_form_data_decode(mp_buf *out, const char *value, size_t len) {
    if (len == 0 || !mp_buf_reserve(out, len))
        return out->err;
    const char *at = value, *end = value + len;
    char *to = out->data + out->len;
    while (at < end) {
        while (at < end && *at != '%' && *at != '+')
            *to++ = *at++;
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
