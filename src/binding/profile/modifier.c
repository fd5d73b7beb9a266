#include "binding/profile/modifier.h"

#include "binding/encode/timestamp.h"
#include "binding/encode/type_hint.h"
#include "binding/lua/handle.h"

typedef struct modifier {
    const char *name; /* with its $ */
    enum {
        ADDRESS,
        TIMESTAMP,
        BOOLEAN,
        DEGREES
    } kind;
    double limit; /* of degrees, either way */
} modifier;

static const modifier modifiers[] = {
    {"$ip", ADDRESS, 0},          {"$time", TIMESTAMP, 0},
    {"$ignore_time", BOOLEAN, 0}, {"$ignore_alias", BOOLEAN, 0},
    {"$latitude", DEGREES, 90},   {"$longitude", DEGREES, 180},
};
enum {
    MODIFIERS = sizeof modifiers / sizeof *modifiers
};

/* The modifier of the name at index `key`, with or without its $, which must
 * not be in the set *seen. */
static const modifier *find(lua_State *L, int arg, int key, unsigned *seen) {
    char shown[MP_SHOWN];
    const char *name =
        lua_type(L, key) == LUA_TSTRING ? lua_tostring(L, key) : "";
    for (unsigned i = 0; i < sizeof modifiers / sizeof *modifiers; i++) {
        if (strcmp(modifiers[i].name + (name[0] != '$'), name) != 0)
            continue;
        if (*seen & (1U << i))
            mp_raise(L, arg, "modifier %s is given with and without its $",
                     mp_fault_show(L, key, shown));
        *seen |= 1U << i;
        return &modifiers[i];
    }
    mp_raise(L, arg,
             "unknown modifier %s: expected ip, time, ignore_time, "
             "ignore_alias, latitude or longitude",
             mp_fault_show(L, key, shown));
}

/* Raises for the modifier whose key and value are at the top. */
static _Noreturn void fail(lua_State *L, int arg, const char *expected) {
    char name[MP_SHOWN], value[MP_SHOWN];
    mp_raise(L, arg, "modifier %s: expected %s, got %s",
             mp_fault_show(L, -2, name), expected, mp_fault_show(L, -1, value));
}

static mp_err encode_degrees(mp_encode *e, double limit) {
    lua_Number value = lua_tonumber(e->L, -1);
    char shown[MP_SHOWN];
    if (!(value >= -limit && value <= limit))
        return mp_fault_set(&e->fault, "%s is not between -%d and %d degrees",
                            mp_fault_show(e->L, -1, shown), (int)limit,
                            (int)limit);
    return mp_encode_number(e);
}

/* Appends the modifier whose value is at the top. */
static mp_err encode_modifier(mp_encode *e, int arg, const modifier *m) {
    lua_State *L = e->L;
    int type = lua_type(L, -1);
    int64_t time_ms;
    char text[MP_NUM_MAX];
    mp_err err;
    switch (m->kind) {
    case ADDRESS:
        if (type == LUA_TNUMBER && lua_tonumber(L, -1) == 0)
            return mp_buf_puts(e->out, "\"0\"");
        if (type != LUA_TSTRING)
            fail(L, arg, "an address as string");
        return mp_encode_value(e, 0);
    case TIMESTAMP:
        if (type != LUA_TNUMBER && type != MP_LUA_TCDATA)
            fail(L, arg, "a number");
        err = mp_timestamp_read(L, -1, &time_ms, &e->fault);
        if (err != MP_OK)
            return err;
        return mp_buf_add(e->out, text,
                          (size_t)(mp_num_int64(text, time_ms) - text));
    case BOOLEAN:
        if (type != LUA_TBOOLEAN)
            fail(L, arg, "a boolean");
        return mp_encode_value(e, 0);
    default:
        if (type != LUA_TNUMBER)
            fail(L, arg, "a number");
        return encode_degrees(e, m->limit);
    }
}

mp_err mp_modifiers_encode(mp_encode *e, int arg, bool *has_ip) {
    lua_State *L = e->L;
    unsigned seen = 0;
    e->fault.root = "modifiers";
    lua_pushnil(L);
    int key = lua_gettop(L);
    while (lua_next(L, arg)) {
        const modifier *m = find(L, arg, key, &seen);
        mp_err err = MP_OK;
        if (!mp_type_hint_is_null(L, -1)) {
            *has_ip |= m->kind == ADDRESS;
            err = mp_encode_name(e, m->name);
            if (err == MP_OK)
                err = encode_modifier(e, arg, m);
        }
        if (err != MP_OK) {
            mp_fault_key(&e->fault, L, key);
            return err;
        }
        lua_pop(L, 1);
    }
    return MP_OK;
}
