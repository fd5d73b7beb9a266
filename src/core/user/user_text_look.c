/* What the first bytes of a text, or a damaged one, say of it. */
#include "core/user/user_text.h"

#include "core/base/text.h"

#include <string.h>

static const char start[] = MP_USER_TEXT_START;

bool mp_user_text_is_ours(const char *text, size_t len) {
    size_t zeros = 0;
    while (zeros < len && text[zeros] == '\0')
        zeros++;
    return zeros == len || (len >= sizeof start - 1 &&
                            memcmp(text, start, sizeof start - 1) == 0);
}

bool mp_user_text_is_newer(const char *text, size_t len) {
    unsigned long version = 0;
    size_t at = sizeof start - 1;
    if (len < at || memcmp(text, start, at) != 0)
        return false;
    for (; at < len && text[at] >= '0' && text[at] <= '9'; at++)
        if (version <= MP_USER_TEXT_VERSION)
            version = 10 * version + (unsigned long)(text[at] - '0');
    return version > MP_USER_TEXT_VERSION;
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* What stands behind `part`, where that is next but for white space, which
 * other programs write; NULL: it is not. */
static const char *follow(const char *at, const char *end, const char *part) {
    size_t len = strlen(part);
    while (at < end && is_space(*at))
        at++;
    bool there = len <= (size_t)(end - at) && memcmp(at, part, len) == 0;
    return there ? at + len : NULL;
}

/* In a string, such as a property that the host chose, each quote has a
 * backslash before it. */
bool mp_user_text_refuses(const char *text, size_t len) {
    static const char name[] = "\"consent\"";
    const char *at = text, *end = text + len;
    while ((at = mp_text_find(at, (size_t)(end - at), name, sizeof name - 1))) {
        at += sizeof name - 1;
        const char *value = follow(at, end, ":");
        if (value && follow(value, end, "\"r"))
            return true;
    }
    return false;
}

bool mp_user_text_has_ids(const char *text, size_t len) {
    static const char name[] = "\"distinct_id\"";
    return mp_text_find(text, len, name, sizeof name - 1) != NULL;
}
