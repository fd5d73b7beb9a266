#include "binding/profile/property.h"

#include <string.h>

static const char *const ids[] = {
    "$distinct_id", "$device_id", "$user_id",
    "$group_key",   "$group_id",  "$had_persisted_distinct_id",
};

static bool is(const char *text, const char *name, size_t len) {
    return text[1] == name[1] && strlen(text) == len &&
           memcmp(text, name, len) == 0;
}

static bool is_id(const char *name, size_t len) {
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        if (is(ids[i], name, len))
            return true;
    return false;
}

/* What a name that begins with $ is instead of a property's. */
static enum {
    PROPERTY,
    MODIFIER,
    OPERATION,
    TOKEN,
    ID
} classify(const char *name, size_t len) {
    return mp_operation_is_modifier(name, len) ? MODIFIER
           : mp_operation_find(name, len)      ? OPERATION
           : is("$token", name, len)           ? TOKEN
           : is_id(name, len)                  ? ID
                                               : PROPERTY;
}

bool mp_property_is_refused(const char *name, size_t len) {
    return len > 1 && name[0] == '$' && classify(name, len) != PROPERTY;
}

void mp_property_check_reserved(mp_encode *e, const char *name, size_t len) {
    switch (classify(name, len)) {
    case PROPERTY:
        return;
    case MODIFIER:
        mp_encode_refuse(e,
                         "this is a modifier and no property: pass "
                         "{ %.*s = ... } as the last argument",
                         (int)len - 1, name + 1);
        return;
    case OPERATION:
        mp_encode_refuse(e, "this is an operation and no property: see update");
        return;
    case TOKEN:
        mp_encode_refuse(e, "the token is the client's, always");
        return;
    case ID:
        mp_encode_refuse(e, "this says whose profile it is, and is no "
                            "property");
    }
}
