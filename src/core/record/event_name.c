#include "core/record/event_name.h"

#include <string.h>

bool mp_event_name_is_blank(const char *name, size_t len) {
    size_t i = 0;
    while (i < len && (name[i] == ' ' || (name[i] >= '\t' && name[i] <= '\r')))
        i++;
    return i == len;
}

static bool is(const char *name, size_t len, const char *text) {
    return strlen(text) == len && memcmp(name, text, len) == 0;
}

bool mp_event_name_is_merge(const char *name, size_t len) {
    return is(name, len, "$merge");
}

bool mp_event_name_is_identity(const char *name, size_t len) {
    return len > 0 && name[0] == '$' &&
           (is(name, len, "$identify") || is(name, len, "$create_alias") ||
            is(name, len, "$merge"));
}
