#include "core/record/operation.h"

#include <string.h>

const mp_operation mp_operations[] = {
    {"$set", "set", "set", MP_PROPERTIES, MP_PLAIN},
    {"$set_once", "set_once", "set_once", MP_PROPERTIES, MP_PLAIN},
    {"$add", "increment", NULL, MP_NUMBERS, MP_NON_IDEMPOTENT},
    {"$append", "append", NULL, MP_PROPERTIES, MP_NON_IDEMPOTENT},
    {"$union", "union", "union", MP_LISTS, MP_PLAIN},
    {"$remove", "remove", "remove", MP_PROPERTIES, MP_PLAIN},
    {"$unset", "unset", "unset", MP_NAMES, MP_PLAIN},
    {"$delete", "delete_user", "delete", MP_NOTHING, MP_PLAIN},
    {NULL, NULL, NULL, MP_NOTHING, MP_PLAIN},
};

static const char *const modifiers[] = {
    "$ip", "$time", "$ignore_time", "$ignore_alias", "$latitude", "$longitude",
};

/* Most are told apart by what stands behind the $. */
static bool is(const char *text, const char *name, size_t len) {
    return len > 1 && text[1] == name[1] && strlen(text) == len &&
           memcmp(text, name, len) == 0;
}

const mp_operation *mp_operation_find(const char *name, size_t len) {
    const mp_operation *o = mp_operations;
    while (o->name && !is(o->name, name, len))
        o++;
    return o->name ? o : NULL;
}

bool mp_operation_is_modifier(const char *name, size_t len) {
    for (size_t i = 0; i < sizeof modifiers / sizeof *modifiers; i++)
        if (is(modifiers[i], name, len))
            return true;
    return false;
}
