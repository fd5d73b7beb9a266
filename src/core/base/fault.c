#include "core/base/fault.h"

#include "core/base/json.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum {
    QUOTED = 40 /* bytes of a text that a message shows */
};

mp_err mp_fault_set(mp_fault *fault, const char *format, ...) {
    va_list args;
    va_start(args, format);
    mp_fault_vset(fault, format, args);
    va_end(args);
    return MP_INVALID;
}

void mp_fault_vset(mp_fault *fault, const char *format, va_list args) {
    if (fault->reason[0] == '\0')
        vsnprintf(fault->reason, sizeof fault->reason, format, args);
}

/* As a JSON string, so that a message is valid UTF-8 on one line whatever
 * the text holds. */
const char *mp_fault_quote(const char *text, size_t len, char out[MP_SHOWN]) {
    size_t n = len;
    bool repaired;
    for (size_t most = QUOTED;; most /= 2) { /* escapes may take the room */
        mp_buf buf = {.data = out, .cap = MP_SHOWN - 4, .limit = MP_SHOWN - 4};
        if (n > most)
            for (n = most; n > 0 && (text[n] & 0xc0) == 0x80;)
                n--; /* never in the middle of a character */
        if (mp_json_string(&buf, text, n, &repaired) == MP_OK) {
            memcpy(out + buf.len, n < len ? "..." : "", n < len ? 4 : 1);
            return out;
        }
    }
}

/* ---- paths ---- */

void mp_fault_prepend(mp_fault *fault, const char *text, size_t len) {
    if (fault->cut || len > fault->first) {
        fault->cut = true;
        return;
    }
    fault->first -= len;
    memcpy(fault->path + fault->first, text, len);
}

static bool is_identifier(const char *name, size_t len) {
    if (len == 0 || len > QUOTED || isdigit((unsigned char)name[0]))
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)name[i];
        if (c >= 0x80 || (!isalnum(c) && c != '_' && c != '$'))
            return false;
    }
    return true;
}

void mp_fault_name(mp_fault *fault, const char *name, size_t len) {
    char quoted[MP_SHOWN], part[MP_SHOWN + 2];
    int n = is_identifier(name, len)
                ? snprintf(part, sizeof part, ".%.*s", (int)len, name)
                : snprintf(part, sizeof part, "[%s]",
                           mp_fault_quote(name, len, quoted));
    mp_fault_prepend(fault, part, (size_t)n);
}

void mp_fault_index(mp_fault *fault, size_t i) {
    char part[MP_SHOWN];
    int n = snprintf(part, sizeof part, "[%zu]", i);
    mp_fault_prepend(fault, part, (size_t)n);
}

void mp_fault_where(const mp_fault *fault, char out[MP_WHERE]) {
    const char *path = fault->path + fault->first;
    size_t len = MP_PATH - fault->first;
    if (!*fault->root && !fault->cut && len > 0 && *path == '.') {
        path++; /* a name with nothing in front of it */
        len--;
    }
    snprintf(out, MP_WHERE, "%s%s%.*s", fault->root, fault->cut ? "..." : "",
             (int)len, path);
}
