#include "binding/event/client_defaults.h"

#include "binding/event/defaults.h"

/* Places in the table that the client refers to. */
enum {
    IN_FORCE = 1,
    GIVEN = 2,   /* the option `properties`, nothing excluded */
    EXCLUDED = 3 /* the option `exclude_properties` */
};

/* ---- reading ---- */

static _Noreturn void fail(lua_State *L, int arg, mp_err err,
                           const mp_fault *fault) {
    if (err != MP_INVALID)
        mp_raise_memory(L);
    mp_fault_push(L, fault, "");
    mp_raise(L, arg, "%s", lua_tostring(L, -1));
}

/* Pushes what the client at `self` keeps at this place. */
static void push_kept(lua_State *L, int self, int place) {
    mp_lua_getuser(L, self);
    lua_rawgeti(L, -1, place);
    lua_replace(L, -2);
}

static void push_properties(lua_State *L, int arg, int self, bool reject) {
    lua_pushliteral(L, "properties");
    lua_rawget(L, arg);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        push_kept(L, self, GIVEN);
        return;
    }
    mp_encode e = {.L = L, .list_max = MP_LIST_MAX, .reject = reject};
    mp_fault_start(&e.fault, "option 'properties'");
    mp_err err = mp_defaults_encode(&e);
    if (err != MP_OK)
        fail(L, arg, err, &e.fault);
    lua_replace(L, -2);
}

/* Excludes the property whose name, a string, is at the top. */
static void exclude(mp_defaults *defaults, mp_encode *e) {
    size_t len;
    const char *text = lua_tolstring(e->L, -1, &len);
    e->out->len = 0;
    mp_encode_text(e, text, len);
    if (mp_encode_err(e))
        return;
    const char *name = e->out->data + 1;
    mp_reserved reserved = mp_reserved_find(name, e->out->len - 2);
    if (reserved && reserved != MP_LIB && reserved != MP_LIB_VERSION)
        mp_encode_refuse(e,
                         "%s is what Mixpanel, or the option 'geolocate', "
                         "goes by",
                         text);
    else
        mp_defaults_exclude(defaults, name, e->out->len - 2);
}

static void push_excluded(lua_State *L, int arg, int self) {
    char shown[MP_SHOWN];
    lua_pushliteral(L, "exclude_properties");
    lua_rawget(L, arg);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        push_kept(L, self, EXCLUDED);
        return;
    }
    mp_defaults *defaults = mp_defaults_push(L);
    int list = lua_gettop(L) - 1;
    mp_encode e = {.L = L, .out = &defaults->bytes};
    mp_fault_start(&e.fault, "option 'exclude_properties'");
    lua_pushnil(L);
    while (lua_next(L, list)) {
        if (lua_type(L, -1) == LUA_TSTRING && lua_type(L, -2) == LUA_TNUMBER)
            exclude(defaults, &e);
        else
            mp_encode_refuse(&e, "got %s, expected a list of names",
                             mp_fault_show(L, -1, shown));
        lua_pop(L, 1);
    }
    if (mp_encode_err(&e))
        fail(L, arg, mp_encode_err(&e), &e.fault);
    mp_buf_free(&defaults->bytes);
    lua_replace(L, list);
}

void mp_client_defaults_read(lua_State *L, int arg, int self, bool reject) {
    luaL_checkstack(L, 12, NULL);
    push_properties(L, arg, self, reject);
    int top = lua_gettop(L);
    push_excluded(L, arg, self);
    if (lua_isnil(L, top + 1)) {
        lua_pushvalue(L, top);
        return;
    }
    mp_defaults *both = mp_defaults_push(L);
    const mp_defaults *properties = lua_touserdata(L, top);
    const mp_defaults *excluded = lua_touserdata(L, top + 1);
    mp_defaults_exclude_all(both, excluded);
    if (properties)
        mp_defaults_put_all(both, properties, true);
    if (both->bytes.err)
        mp_raise_memory(L);
}

/* ---- use ---- */

void mp_client_defaults_use(lua_State *L, int self, mp_client *client) {
    int top = lua_gettop(L);
    mp_lua_getuser(L, self);
    lua_pushvalue(L, top - 2);
    lua_rawseti(L, -2, GIVEN);
    lua_pushvalue(L, top - 1);
    lua_rawseti(L, -2, EXCLUDED);
    lua_pushvalue(L, top);
    lua_rawseti(L, -2, IN_FORCE);
    client->defaults = lua_touserdata(L, top);
    client->defaults_version++;
    lua_settop(L, top);
}
