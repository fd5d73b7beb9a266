#include "binding/event/client_defaults.h"

#include "core/record/event_name.h"

#include <stdio.h>

/* Places in the table that the client refers to. */
enum {
    IN_FORCE = 1,
    GIVEN = 2,   /* the option `properties`, nothing excluded, or a function */
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
    if (lua_isfunction(L, -1))
        return;
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
    const mp_defaults *properties = lua_touserdata(L, top); /* no function */
    if (lua_isnil(L, top + 1)) {
        lua_pushvalue(L, properties ? top : top + 1);
        return;
    }
    mp_defaults *both = mp_defaults_push(L);
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
    lua_rawgeti(L, -1, GIVEN);
    client->reported &= lua_rawequal(L, -1, top - 2) != 0;
    lua_pop(L, 1);
    lua_pushvalue(L, top - 2);
    lua_rawseti(L, -2, GIVEN);
    lua_pushvalue(L, top - 1);
    lua_rawseti(L, -2, EXCLUDED);
    lua_pushvalue(L, top);
    lua_rawseti(L, -2, IN_FORCE);
    client->defaults = lua_touserdata(L, top);
    client->defaults_version++;
    client->computes = lua_isfunction(L, top - 2);
    lua_settop(L, top);
}

/* ---- a function ---- */

/* Counts that the event goes without what the function was to add. */
static void note_failure(mp_client *client, const mp_fault *fault) {
    char where[MP_WHERE], message[MP_WHERE + MP_MESSAGE + 2];
    if (!client->project)
        return;
    mp_fault_where(fault, where);
    snprintf(message, sizeof message, "%s: %s",
             *where ? where : "option 'properties'", fault->reason);
    mp_project_count_properties_failed(client->project,
                                       client->reported ? NULL : message);
    client->reported = true;
}

/* The value that the function raised is at the top: it may be any. */
static void note_error(lua_State *L, mp_client *client, mp_fault *fault) {
    char shown[MP_SHOWN];
    const char *text = lua_type(L, -1) == LUA_TSTRING
                           ? lua_tostring(L, -1)
                           : mp_fault_show(L, -1, shown);
    mp_fault_set(fault, "the function raised %s", text);
    note_failure(client, fault);
}

/* Encodes what the function returned, which is at the top. */
static const mp_defaults *encode_result(lua_State *L, mp_client *client,
                                        mp_encode *e) {
    char shown[MP_SHOWN];
    mp_err err = MP_INVALID;
    if (lua_isnil(L, -1))
        return NULL;
    if (lua_istable(L, -1))
        err = mp_defaults_encode(e);
    else
        mp_fault_set(&e->fault, "the function returned %s, expected a table",
                     mp_fault_show(L, -1, shown));
    if (err == MP_OK)
        return lua_touserdata(L, -1);
    if (err == MP_MEMORY)
        mp_fault_set(&e->fault, "out of memory");
    note_failure(client, &e->fault);
    return NULL;
}

static bool has_no_say(const mp_client *client, const char *name, size_t len) {
    return client->computing || client->closed ||
           mp_event_name_is_blank(name, len) ||
           (mp_event_name_is_identity(name, len) &&
            mp_event_name_is_merge(name, len));
}

const mp_defaults *mp_client_defaults_compute(lua_State *L, int self,
                                              const char *name, size_t len) {
    mp_client *client = lua_touserdata(L, self);
    if (has_no_say(client, name, len))
        return NULL;
    luaL_checkstack(L, 24, NULL);
    lua_pushlstring(L, name, len); /* a finaliser may change the option */
    push_kept(L, self, GIVEN);
    if (!lua_isfunction(L, -1))
        return NULL;
    lua_insert(L, -2);
    client->computing = true;
    int status = lua_pcall(L, 1, 1, 0); /* nothing can yield across it */
    client->computing = false;
    mp_encode e = {.L = L, .list_max = MP_LIST_MAX};
    mp_fault_start(&e.fault, "option 'properties'");
    if (client->project)
        e.reject = mp_project_reject_invalid(client->project);
    if (status == 0)
        return encode_result(L, client, &e);
    note_error(L, client, &e.fault);
    return NULL;
}

void mp_client_defaults_begin_computed(mp_event *event, mp_call *call, int self,
                                       const char *name, size_t len) {
    lua_State *L = call->e.L;
    const mp_client *client = call->client;
    const mp_defaults *computed =
        mp_client_defaults_compute(L, self, name, len);
    mp_defaults *both =
        computed && client->defaults ? mp_defaults_push(L) : NULL;
    if (both && client->defaults) /* no finaliser took it away */
        mp_defaults_exclude_all(both, client->defaults);
    if (both)
        mp_defaults_put_all(both, computed, true);
    if (!computed && client->defaults)
        mp_event_anchor(L, self);
    mp_event_begin(event, call,
                   both       ? both
                   : computed ? computed
                              : client->defaults,
                   name, len);
    if (both)
        mp_encode_note(&call->e, both->bytes.err);
}
