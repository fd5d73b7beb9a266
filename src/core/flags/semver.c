#include "core/flags/semver.h"

#include "core/flags/utf8.h"

#include <string.h>

enum {
    UNITS = 256, /* of UTF-16, as node-semver bounds it */
    NUMBERS = 3
};

typedef struct slice {
    const char *text;
    size_t len;
} slice;

typedef struct version {
    slice numbers[NUMBERS];
    slice prerelease; /* without its dash; NULL: a release */
} version;

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

/* Takes what stands in front of the next dot, and the dot. False: there was
 * nothing left. */
static bool next_part(slice *rest, slice *part) {
    if (!rest->text)
        return false;
    const char *dot = memchr(rest->text, '.', rest->len);
    *part = *rest;
    if (!dot) {
        rest->text = NULL;
        return true;
    }
    part->len = (size_t)(dot - rest->text);
    rest->len -= part->len + 1;
    rest->text = dot + 1;
    return true;
}

static bool is_numeric(slice part) {
    for (size_t i = 0; i < part.len; i++)
        if (!is_digit(part.text[i]))
            return false;
    return part.len > 0;
}

/* Digits without zeros in front. */
static bool is_number(slice part) {
    return is_numeric(part) && (part.len == 1 || part.text[0] != '0');
}

/* Parts of letters, digits and dashes; of a prerelease those of digits alone
 * have no zeros in front. */
static bool are_identifiers(slice rest, bool prerelease) {
    slice part;
    while (next_part(&rest, &part)) {
        for (size_t i = 0; i < part.len; i++)
            if (!is_digit(part.text[i]) && !is_letter(part.text[i]))
                return false;
        if (part.len == 0 ||
            (prerelease && is_numeric(part) && !is_number(part)))
            return false;
    }
    return true;
}

static bool take_numbers(slice core, version *out) {
    size_t count = 0;
    slice part;
    while (next_part(&core, &part)) {
        if (count == NUMBERS || !is_number(part))
            return false;
        out->numbers[count++] = part;
    }
    while (count < NUMBERS)
        out->numbers[count++] = (slice){"0", 1};
    return true;
}

/* Cuts the text at the first `c`: what follows it, NULL if there is none. */
static slice cut(slice *text, char c) {
    const char *at = memchr(text->text, c, text->len);
    if (!at)
        return (slice){NULL, 0};
    slice rest = {at + 1, text->len - (size_t)(at - text->text) - 1};
    text->len = (size_t)(at - text->text);
    return rest;
}

static bool parse(const char *text, size_t len, version *out) {
    if (mp_utf8_units(text, len) > UNITS)
        return false;
    mp_utf8_trim(&text, &len);
    if (len > 0 && (*text | 0x20) == 'v') {
        text++;
        len--;
    }
    slice core = {text, len};
    slice build = cut(&core, '+');
    out->prerelease = cut(&core, '-');
    return take_numbers(core, out) && are_identifiers(build, false) &&
           are_identifiers(out->prerelease, true);
}

/* ---- order ---- */

static int compare_bytes(slice a, slice b) {
    int order = memcmp(a.text, b.text, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_numbers(slice a, slice b) {
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return compare_bytes(a, b);
}

static int compare_identifiers(slice a, slice b) {
    bool a_numeric = is_numeric(a), b_numeric = is_numeric(b);
    if (a_numeric && b_numeric)
        return compare_numbers(a, b);
    return a_numeric != b_numeric ? b_numeric - a_numeric : compare_bytes(a, b);
}

/* A prerelease comes before its release. */
static int compare_prereleases(slice a, slice b) {
    slice a_part = {0}, b_part = {0};
    if (!a.text || !b.text)
        return (a.text == NULL) - (b.text == NULL);
    for (;;) {
        bool a_more = next_part(&a, &a_part), b_more = next_part(&b, &b_part);
        if (!a_more || !b_more)
            return a_more - b_more;
        int order = compare_identifiers(a_part, b_part);
        if (order != 0)
            return order;
    }
}

bool mp_semver_compare(const char *a, size_t a_len, const char *b, size_t b_len,
                       int *order) {
    version x, y;
    if (!parse(a, a_len, &x) || !parse(b, b_len, &y))
        return false;
    *order = 0;
    for (size_t i = 0; i < NUMBERS && *order == 0; i++)
        *order = compare_numbers(x.numbers[i], y.numbers[i]);
    if (*order == 0)
        *order = compare_prereleases(x.prerelease, y.prerelease);
    return true;
}
