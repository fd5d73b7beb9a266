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

static void encode_degrees(mp_encode *e, double limit) {
    lua_Number value = lua_tonumber(e->L, -1);
    char shown[MP_SHOWN];
    if (!(value >= -limit && value <= limit))
        mp_encode_refuse(e, "%s is not between -%d and %d degrees",
                         mp_fault_show(e->L, -1, shown), (int)limit,
                         (int)limit);
    mp_encode_number(e);
}

static void encode_timestamp(mp_encode *e) {
    int64_t time_ms = 0;
    char text[MP_NUM_MAX];
    mp_encode_note(e, mp_timestamp_read(e->L, -1, &time_ms, &e->fault));
    mp_buf_add(e->out, text, (size_t)(mp_num_int64(text, time_ms) - text));
}

/* Appends the modifier whose value is at the top. */
static void encode_modifier(mp_encode *e, int arg, const modifier *m) {
    lua_State *L = e->L;
    int type = lua_type(L, -1);
    switch (m->kind) {
    case ADDRESS:
        if (type == LUA_TNUMBER && lua_tonumber(L, -1) == 0)
            mp_buf_puts(e->out, "\"0\"");
        else if (type != LUA_TSTRING)
            fail(L, arg, "an address as string");
        else
            mp_encode_value(e, 0);
        break;
    case TIMESTAMP:
        if (type != LUA_TNUMBER && type != MP_LUA_TCDATA)
            fail(L, arg, "a number");
        encode_timestamp(e);
        break;
    case BOOLEAN:
        if (type != LUA_TBOOLEAN)
            fail(L, arg, "a boolean");
        mp_encode_value(e, 0);
        break;
    default:
        if (type != LUA_TNUMBER)
            fail(L, arg, "a number");
        encode_degrees(e, m->limit);
    }
}

/* Notes the modifier whose value is at the top. */
static void note(const modifier *m, lua_State *L, mp_modifiers *given) {
    static const char ignore[] = "$ignore_time";
    given->ip |= m->kind == ADDRESS;
    given->time |= m->kind == TIMESTAMP ||
                   (strcmp(m->name, ignore) == 0 && lua_toboolean(L, -1));
}

void mp_modifiers_encode(mp_encode *e, int arg, mp_modifiers *given) {
    lua_State *L = e->L;
    unsigned seen = 0;
    mp_fault_enter(&e->fault, "modifiers");
    lua_pushnil(L);
    int key = lua_gettop(L);
    while (!mp_encode_err(e) && lua_next(L, arg)) {
        const modifier *m = find(L, arg, key, &seen);
        if (!mp_type_hint_is_null(L, -1)) {
            mp_encode_name(e, m->name);
            encode_modifier(e, arg, m);
            note(m, L, given);
        }
        if (mp_encode_err(e))
            mp_fault_key(&e->fault, L, key);
        lua_pop(L, 1);
    }
}
