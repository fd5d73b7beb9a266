#include "binding/client/option.h"

#include "core/transport/proxy.h"

#include <math.h>
#include <string.h>

/* ---- failures ---- */

static _Noreturn void fail(const mp_option_reader *r, const char *name,
                           const char *expected) {
    char shown[MP_SHOWN];
    mp_raise(r->L, r->arg, "option '%s': got %s, expected %s", name,
             mp_fault_show(r->L, -1, shown), expected);
}

void mp_option_fail(const mp_option_reader *r, const mp_option *o) {
    fail(r, o->name, o->expected);
}

static _Noreturn void fail_unshown(const mp_option_reader *r, const char *name,
                                   const char *expected) {
    mp_raise(r->L, r->arg, "option '%s': expected %s", name, expected);
}

void mp_option_fail_unshown(const mp_option_reader *r, const mp_option *o) {
    fail_unshown(r, o->name, o->expected);
}

void mp_option_check(const mp_option_reader *r, mp_err err,
                     const char *message) {
    if (err == MP_INVALID)
        mp_raise(r->L, r->arg, "%s", message);
    if (err != MP_OK)
        mp_raise_memory(r->L);
}

/* ---- values, by the name of the option and what would be right ---- */

static bool read_boolean(const mp_option_reader *r, const char *name,
                         const char *expected) {
    if (!lua_isboolean(r->L, -1))
        fail(r, name, expected);
    return lua_toboolean(r->L, -1) != 0;
}

static const char *read_text(const mp_option_reader *r, const char *name,
                             const char *expected) {
    size_t len;
    if (lua_type(r->L, -1) != LUA_TSTRING)
        fail(r, name, expected);
    const char *text = lua_tolstring(r->L, -1, &len);
    if (strlen(text) != len)
        fail(r, name, expected);
    return text;
}

static int read_word(const mp_option_reader *r, const char *name,
                     const char *expected, const char *const *words) {
    const char *text = read_text(r, name, expected);
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], text) == 0)
            return i;
    fail(r, name, expected);
}

bool mp_option_get_boolean(const mp_option_reader *r, const mp_option *o) {
    return read_boolean(r, o->name, o->expected);
}

const char *mp_option_get_text(const mp_option_reader *r, const mp_option *o) {
    return read_text(r, o->name, o->expected);
}

int mp_option_get_word(const mp_option_reader *r, const mp_option *o,
                       const char *const *words) {
    return read_word(r, o->name, o->expected, words);
}

/* ---- settings ---- */

static double read_number(const mp_option_reader *r, const mp_setting *s) {
    lua_Number value = lua_tonumber(r->L, -1);
    if (lua_type(r->L, -1) != LUA_TNUMBER ||
        !(value >= s->min && value <= s->max))
        fail(r, s->name, s->expected);
    return value;
}

static double read_integer(const mp_option_reader *r, const mp_setting *s) {
    double value = read_number(r, s);
    if (value != floor(value))
        fail(r, s->name, s->expected);
    return value;
}

static const char *read_path(const mp_option_reader *r, const mp_setting *s) {
    const char *path = read_text(r, s->name, s->expected);
    if (*path == '\0')
        fail(r, s->name, s->expected);
    return path;
}

/* Never shown: it may hold a password. The only URL is that of a proxy. */
static const char *read_url(const mp_option_reader *r, const mp_setting *s) {
    size_t len = 0, n = 0;
    const char *url = "";
    if (lua_type(r->L, -1) == LUA_TSTRING)
        url = lua_tolstring(r->L, -1, &len);
    while ((unsigned char)url[n] > ' ' && url[n] != 127)
        n++;
    if (n == 0 || n != len)
        fail_unshown(r, s->name, s->expected);
    char message[MP_MESSAGE] = "";
    mp_option_check(r, mp_proxy_check(url, message), message);
    return url;
}

static double read_level(const mp_option_reader *r, const mp_setting *s) {
    return lua_isboolean(r->L, -1) ? lua_toboolean(r->L, -1)
                                   : read_integer(r, s);
}

static bool stands_for_none(const mp_option_reader *r, const mp_setting *s) {
    return (s->flags & MP_SETTING_OR_FALSE) && lua_isboolean(r->L, -1) &&
           !lua_toboolean(r->L, -1);
}

static void store_text(const mp_option_reader *r, const mp_setting *s,
                       const char *text) {
    mp_option_check(r, mp_settings_text(r->overrides->values, s, text), "");
}

static void store_none(const mp_option_reader *r, const mp_setting *s) {
    if (s->kind == MP_SETTING_SECONDS || s->kind == MP_SETTING_RATE)
        mp_settings_number(r->overrides->values, s, 0);
    else
        store_text(r, s, NULL);
}

static void store_path(const mp_option_reader *r, const mp_setting *s) {
    char message[MP_MESSAGE] = "";
    if ((s->flags & MP_SETTING_OR_STDERR) && lua_isboolean(r->L, -1))
        store_text(r, s, MP_SETTINGS_STDERR);
    else
        mp_option_check(
            r,
            mp_settings_path(r->overrides->values, s, read_path(r, s), message),
            message);
}

static void store_pem(const mp_option_reader *r, const mp_setting *s) {
    char message[MP_MESSAGE] = "";
    const char *path = read_text(r, s->name, s->expected);
    mp_option_check(r, mp_settings_pem(r->overrides->values, s, path, message),
                    message);
}

/* A value that is stored as a number. */
static double read_value(const mp_option_reader *r, const mp_setting *s) {
    switch (s->kind) {
    case MP_SETTING_BOOLEAN:
        return read_boolean(r, s->name, s->expected);
    case MP_SETTING_EITHER:
    case MP_SETTING_WORD:
        return read_word(r, s->name, s->expected, s->words);
    case MP_SETTING_LEVEL:
        return read_level(r, s);
    case MP_SETTING_SECONDS:
    case MP_SETTING_RATE:
        return read_number(r, s);
    default:
        return read_integer(r, s);
    }
}

void mp_option_setting(mp_option_reader *r, const mp_setting *s) {
    if (stands_for_none(r, s))
        store_none(r, s);
    else if (s->kind == MP_SETTING_PATH)
        store_path(r, s);
    else if (s->kind == MP_SETTING_URL)
        store_text(r, s, read_url(r, s));
    else if (s->kind == MP_SETTING_PEM)
        store_pem(r, s);
    else
        mp_settings_number(r->overrides->values, s, read_value(r, s));
    mp_overrides_say(r->overrides, s);
}
