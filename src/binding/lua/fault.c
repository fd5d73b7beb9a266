#include "binding/lua/fault.h"

#include "core/base/json.h"
#include "core/base/num.h"

#include <ctype.h>
#include <math.h>
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

/* ---- values ---- */

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

static const char *show_number(lua_State *L, int index, char out[MP_SHOWN]) {
    double value = lua_tonumber(L, index);
    char *end = out;
    if (mp_lua_isinteger(L, index))
        end = mp_num_int64(out, lua_tointeger(L, index));
    else if (isfinite(value))
        end = mp_num_double(out, value);
    else
        return isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
    *end = '\0';
    return out;
}

const char *mp_fault_show(lua_State *L, int index, char out[MP_SHOWN]) {
    switch (lua_type(L, index)) {
    case LUA_TSTRING: {
        size_t len;
        const char *text = lua_tolstring(L, index, &len);
        return mp_fault_quote(text, len, out);
    }
    case LUA_TNUMBER:
        return show_number(L, index, out);
    case LUA_TBOOLEAN:
        return lua_toboolean(L, index) ? "true" : "false";
    case LUA_TNIL:
    case LUA_TNONE:
        return "nil";
    case LUA_TLIGHTUSERDATA:
        return lua_touserdata(L, index) ? "a userdata" : "null";
    default:
        snprintf(out, MP_SHOWN, "a %s", luaL_typename(L, index));
        return out;
    }
}

/* ---- paths ---- */

static void prepend(mp_fault *fault, const char *text, size_t len) {
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
    prepend(fault, part, (size_t)n);
}

void mp_fault_index(mp_fault *fault, size_t i) {
    char part[MP_SHOWN];
    int n = snprintf(part, sizeof part, "[%zu]", i);
    prepend(fault, part, (size_t)n);
}

void mp_fault_key(mp_fault *fault, lua_State *L, int index) {
    if (lua_type(L, index) == LUA_TSTRING) {
        size_t len;
        const char *name = lua_tolstring(L, index, &len);
        mp_fault_name(fault, name, len);
        return;
    }
    char shown[MP_SHOWN], part[MP_SHOWN + 2];
    int n = snprintf(part, sizeof part, "[%s]", mp_fault_show(L, index, shown));
    prepend(fault, part, (size_t)n);
}

void mp_fault_push(lua_State *L, const mp_fault *fault, const char *item) {
    char path[MP_PATH + 1];
    size_t len = MP_PATH - fault->first;
    memcpy(path, fault->path + fault->first, len);
    path[len] = '\0';
    bool nested = *item && *fault->root;
    bool anywhere = *item || *fault->root;
    lua_pushfstring(L, "%s%s%s%s%s%s%s", item, nested ? "." : "", fault->root,
                    fault->cut ? "..." : "", path, anywhere ? ": " : "",
                    fault->reason);
}
