#include "binding/client/option.h"

#include <math.h>
#include <string.h>

/* ---- failures ---- */

void mp_option_fail(const mp_option_reader *r, const mp_option *o) {
    char shown[MP_SHOWN];
    mp_raise(r->L, r->arg, "option '%s': got %s, expected %s", o->name,
             mp_fault_show(r->L, -1, shown), o->expected);
}

void mp_option_fail_unshown(const mp_option_reader *r, const mp_option *o) {
    mp_raise(r->L, r->arg, "option '%s': expected %s", o->name, o->expected);
}

void mp_option_check(const mp_option_reader *r, mp_err err,
                     const char *message) {
    if (err == MP_INVALID)
        mp_raise(r->L, r->arg, "%s", message);
    if (err != MP_OK)
        mp_raise_memory(r->L);
}

/* ---- values ---- */

static void *setting(const mp_option_reader *r, const mp_option *o) {
    return (char *)r->settings + o->offset;
}

static double get_number(const mp_option_reader *r, const mp_option *o) {
    lua_Number value = lua_tonumber(r->L, -1);
    if (lua_type(r->L, -1) != LUA_TNUMBER ||
        !(value >= o->min && value <= o->max))
        mp_option_fail(r, o);
    return value;
}

double mp_option_get_integer(const mp_option_reader *r, const mp_option *o) {
    double value = get_number(r, o);
    if (value != floor(value))
        mp_option_fail(r, o);
    return value;
}

void mp_option_seconds(mp_option_reader *r, const mp_option *o) {
    double seconds = get_number(r, o);
    int64_t *ms = setting(r, o);
    *ms = llround(seconds * 1000);
    if (seconds > 0 && *ms == 0)
        *ms = 1;
}

void mp_option_count(mp_option_reader *r, const mp_option *o) {
    *(uint32_t *)setting(r, o) = (uint32_t)mp_option_get_integer(r, o);
}

void mp_option_bytes(mp_option_reader *r, const mp_option *o) {
    double bytes = mp_option_get_integer(r, o);
    *(size_t *)setting(r, o) =
        bytes < (double)SIZE_MAX ? (size_t)bytes : SIZE_MAX;
}

bool mp_option_get_boolean(const mp_option_reader *r, const mp_option *o) {
    if (!lua_isboolean(r->L, -1))
        mp_option_fail(r, o);
    return lua_toboolean(r->L, -1) != 0;
}

void mp_option_boolean(mp_option_reader *r, const mp_option *o) {
    *(bool *)setting(r, o) = mp_option_get_boolean(r, o);
}

const char *mp_option_get_text(const mp_option_reader *r, const mp_option *o) {
    size_t len;
    if (lua_type(r->L, -1) != LUA_TSTRING)
        mp_option_fail(r, o);
    const char *text = lua_tolstring(r->L, -1, &len);
    if (strlen(text) != len)
        mp_option_fail(r, o);
    return text;
}

void mp_option_path(mp_option_reader *r, const mp_option *o) {
    const char *path = mp_option_get_text(r, o);
    if (*path == '\0')
        mp_option_fail(r, o);
    mp_option_check(r, mp_settings_text(setting(r, o), path), "");
}

int mp_option_get_choice(const mp_option_reader *r, const mp_option *o,
                         const char *const *words) {
    const char *text = mp_option_get_text(r, o);
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], text) == 0)
            return i;
    mp_option_fail(r, o);
}
