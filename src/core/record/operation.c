#include "core/record/operation.h"

#include <string.h>

const mp_operation mp_operations[MP_OPERATIONS] = {
    [MP_SET] = {"$set", "set", "set", MP_PROPERTIES, MP_PLAIN},
    [MP_SET_ONCE] = {"$set_once", "set_once", "set_once", MP_PROPERTIES,
                     MP_PLAIN},
    [MP_ADD] = {"$add", "increment", NULL, MP_NUMBERS, MP_NON_IDEMPOTENT},
    [MP_APPEND] = {"$append", "append", NULL, MP_PROPERTIES, MP_NON_IDEMPOTENT},
    [MP_UNION] = {"$union", "union", "union", MP_LISTS, MP_PLAIN},
    [MP_REMOVE] = {"$remove", "remove", "remove", MP_PROPERTIES, MP_PLAIN},
    [MP_UNSET] = {"$unset", "unset", "unset", MP_NAMES, MP_PLAIN},
    [MP_DELETE] = {"$delete", "delete_user", "delete", MP_NOTHING, MP_PLAIN},
};

static const char *const modifiers[] = {
    "$ip", "$time", "$ignore_time", "$ignore_alias", "$latitude", "$longitude",
};

static bool is(const char *text, const char *name, size_t len) {
    return strlen(text) == len && memcmp(text, name, len) == 0;
}

const mp_operation *mp_operation_find(const char *name, size_t len) {
    for (size_t i = 0; i < MP_OPERATIONS; i++)
        if (is(mp_operations[i].name, name, len))
            return &mp_operations[i];
    return NULL;
}

bool mp_operation_is_modifier(const char *name, size_t len) {
    for (size_t i = 0; i < sizeof modifiers / sizeof *modifiers; i++)
        if (is(modifiers[i], name, len))
            return true;
    return false;
}
