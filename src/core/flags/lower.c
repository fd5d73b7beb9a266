#include "core/flags/lower.h"

#include "core/flags/lower_table.h"
#include "core/flags/utf8.h"

#include <stdbool.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

enum {
    DOTTED_I = 0x130, /* the only one that becomes two: i and a dot */
    DOT_ABOVE = 0x307,
    SIGMA = 0x3a3, /* has another lower case at the end of a word */
    SMALL_SIGMA = 0x3c3,
    FINAL_SIGMA = 0x3c2
};

static uint32_t lower_of(uint32_t code) {
    size_t from = 0, to = COUNT(lower_mappings);
    while (from < to) {
        size_t middle = (from + to) / 2;
        const lower_mapping *row = &lower_mappings[middle];
        if (code > row->last)
            from = middle + 1;
        else if (code < row->first)
            to = middle;
        else
            return (code - row->first) % (uint32_t)row->step == 0
                       ? (uint32_t)((int32_t)code + row->delta)
                       : code;
    }
    return code;
}

static bool is_in(const lower_range *ranges, size_t count, uint32_t code) {
    size_t from = 0, to = count;
    while (from < to) {
        size_t middle = (from + to) / 2;
        if (code > ranges[middle].last)
            from = middle + 1;
        else if (code < ranges[middle].first)
            to = middle;
        else
            return true;
    }
    return false;
}

static bool is_ignorable(uint32_t code) {
    return is_in(lower_ignorable, COUNT(lower_ignorable), code);
}

static bool is_cased(uint32_t code) {
    return is_in(lower_cased, COUNT(lower_cased), code);
}

/* Whether a sigma ends its word: a letter with case stands before it and none
 * behind it, whatever ignorable characters are between (Unicode 17, table
 * 3-17, Final_Sigma). */
static bool ends_word(const char *start, const char *sigma, const char *behind,
                      const char *end) {
    uint32_t code = 0;
    bool cased_before = false;
    while (sigma > start && !cased_before) {
        code = mp_utf8_previous(start, &sigma);
        if (is_ignorable(code))
            continue;
        if (!is_cased(code))
            return false;
        cased_before = true;
    }
    while (behind < end) {
        code = mp_utf8_next(&behind, end);
        if (!is_ignorable(code))
            return cased_before && !is_cased(code);
    }
    return cased_before;
}

static char *put_lower(const char *start, const char *at, const char *behind,
                       const char *end, uint32_t code, char *out) {
    if (code == MP_UTF8_BAD) {
        *out = *at;
        return out + 1;
    }
    if (code == DOTTED_I) {
        *out++ = 'i';
        return mp_utf8_put(out, DOT_ABOVE);
    }
    if (code == SIGMA)
        return mp_utf8_put(
            out, ends_word(start, at, behind, end) ? FINAL_SIGMA : SMALL_SIGMA);
    return mp_utf8_put(out, lower_of(code));
}

size_t mp_lower(const char *text, size_t len, char *out) {
    const char *at = text, *end = text + len;
    char *to = out;
    while (at < end) {
        unsigned char byte = (unsigned char)*at;
        if (byte < 0x80) {
            *to++ = (char)(byte >= 'A' && byte <= 'Z' ? byte + 32 : byte);
            at++;
        } else {
            const char *behind = at;
            uint32_t code = mp_utf8_next(&behind, end);
            to = put_lower(text, at, behind, end, code, to);
            at = behind;
        }
    }
    return (size_t)(to - out);
}
