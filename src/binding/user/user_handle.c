#include "binding/user/user_handle.h"

#include "core/engine/engine.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- options ---- */

/* What mp:user takes; texts are the caller's. */
typedef struct options {
    mp_id distinct_id, device_id; /* len 0: not given */
    int state;                    /* stack index; 0: none */
    bool opt_out_by_default, flags;
} options;

/* Pushes an option; false if it is nil. */
static bool push_option(lua_State *L, int arg, const char *name) {
    lua_pushstring(L, name);
    lua_rawget(L, arg);
    return !lua_isnil(L, -1);
}

static mp_err read_id(lua_State *L, int arg, const char *name, mp_id *id,
                      mp_fault *fault) {
    char shown[MP_SHOWN];
    id->len = 0;
    if (!push_option(L, arg, name))
        return MP_OK;
    int type = lua_type(L, -1);
    if (type != LUA_TSTRING && type != LUA_TNUMBER && type != MP_LUA_TCDATA)
        mp_raise(L, arg, "option '%s': got %s, expected a string or integer",
                 name, mp_fault_show(L, -1, shown));
    mp_err err = mp_id_argument(L, lua_gettop(L), id, fault);
    if (err == MP_OK)
        err = mp_user_check_id(id, fault);
    if (err != MP_OK)
        mp_fault_name(fault, name, strlen(name));
    return err;
}

/* Its distinct_id has a prefix, and Mixpanel would cut that as any id: two
 * devices could become one. */
static mp_err read_device_id(lua_State *L, int arg, options *o,
                             mp_fault *fault) {
    static const size_t most = MP_ID_MAX - (sizeof MP_DEVICE_PREFIX - 1);
    mp_err err = read_id(L, arg, "device_id", &o->device_id, fault);
    if (err != MP_OK || o->device_id.len <= most)
        return err;
    mp_fault_name(fault, "device_id", strlen("device_id"));
    return mp_fault_set(fault,
                        "%zu bytes: with " MP_DEVICE_PREFIX
                        " in front of it Mixpanel cuts it at %zu",
                        o->device_id.len, most);
}

static void check_names(lua_State *L, int arg) {
    static const char *const names[] = {"distinct_id", "device_id", "state",
                                        "opt_out_by_default", "flags"};
    char shown[MP_SHOWN];
    lua_pushnil(L);
    while (lua_next(L, arg)) {
        bool known = false;
        lua_pop(L, 1);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            known |= lua_type(L, -1) == LUA_TSTRING &&
                     strcmp(lua_tostring(L, -1), names[i]) == 0;
        if (!known)
            mp_raise(L, arg,
                     "unknown option %s: expected distinct_id, device_id, "
                     "state, opt_out_by_default or flags",
                     mp_fault_show(L, -1, shown));
    }
}

/* A path, or a table as export_state gives it. */
static bool is_state(lua_State *L, int index) {
    size_t len;
    if (lua_type(L, index) != LUA_TSTRING)
        return lua_istable(L, index);
    const char *path = lua_tolstring(L, index, &len);
    return len > 0 && strlen(path) == len;
}

/* False for nil. */
static bool read_flag(lua_State *L, int arg, const char *name) {
    char shown[MP_SHOWN];
    if (push_option(L, arg, name) && !lua_isboolean(L, -1))
        mp_raise(L, arg, "option '%s': got %s, expected true or false", name,
                 mp_fault_show(L, -1, shown));
    return lua_toboolean(L, -1) != 0;
}

/* Reads the options in the table at argument `arg`, if it is one, and leaves
 * their values on the stack. */
static mp_err read_options(lua_State *L, int arg, options *o, mp_fault *fault) {
    char shown[MP_SHOWN];
    if (!lua_istable(L, arg))
        return MP_OK;
    check_names(L, arg);
    if (push_option(L, arg, "state")) {
        o->state = lua_gettop(L);
        if (!is_state(L, o->state))
            mp_raise(L, arg,
                     "option 'state': got %s, expected the path of a file or "
                     "what export_state() returned",
                     mp_fault_show(L, -1, shown));
    }
    o->opt_out_by_default = read_flag(L, arg, "opt_out_by_default");
    o->flags = read_flag(L, arg, "flags");
    mp_err err = read_id(L, arg, "distinct_id", &o->distinct_id, fault);
    if (err != MP_OK)
        return err;
    return read_device_id(L, arg, o, fault);
}

/* Files are written by a thread, which a client that is driven by hand lacks.
 */
static void check_state(lua_State *L, int arg, const options *o,
                        const mp_client *client) {
    bool is_file = o->state > 0 && !lua_istable(L, o->state);
    if (is_file && mp_project_config(client->project)->manual)
        mp_raise(L, arg,
                 "option 'state': nobody writes files with transport = "
                 "\"manual\": keep what export_state() returns");
}

static void check_flags(lua_State *L, int arg, const options *o,
                        const mp_client *client) {
    if (o->flags && !client->asks_flags)
        mp_raise(L, arg,
                 "option 'flags' of a user needs a client that was made with "
                 "option flags = \"remote\" or \"both\"");
}

/* ---- life ---- */

/* True if the state that was read is of whom the options name. */
static bool is_same(const mp_ids *ids, const options *o) {
    const mp_id *distinct = &o->distinct_id, *device = &o->device_id;
    return ids->distinct_id.len > 0 &&
           (distinct->len == 0 ||
            mp_ids_equal(&ids->distinct_id, distinct->text, distinct->len) ||
            mp_ids_equal(&ids->user_id, distinct->text, distinct->len)) &&
           (device->len == 0 ||
            mp_ids_equal(&ids->device_id, device->text, device->len));
}

static mp_err make_ids(mp_ids *ids, const options *o) {
    const mp_id *distinct = &o->distinct_id, *device = &o->device_id;
    if (distinct->len > 0)
        return mp_ids_of_user(ids, distinct->text, distinct->len, device->text,
                              device->len);
    if (device->len > 0)
        return mp_ids_of_device(ids, device->text, device->len);
    return mp_ids_of_new_device(ids);
}

/* Gives the user its ids, unless the state has them. Whoever is not the one
 * of the state starts without anything of it but the consent. */
static mp_err choose_ids(mp_user_handle *self, const options *o) {
    mp_ids ids = {0};
    if (is_same(&self->user.ids, o))
        return MP_OK;
    mp_err err = make_ids(&ids, o);
    if (err != MP_OK) {
        mp_ids_free(&ids);
        return err;
    }
    mp_user_replace(self, &ids);
    self->unsaved = true; /* and starts no thread before it is of use */
    return MP_OK;
}

/* Makes of a new user the one whom the options name. MP_STATE with the
 * reason in `why`. */
static mp_err fill(lua_State *L, mp_user_handle *self, const options *o,
                   char why[MP_MESSAGE]) {
    mp_err err = MP_OK;
    self->opt_out_by_default = o->opt_out_by_default;
    if (o->state > 0)
        err = lua_istable(L, o->state)
                  ? mp_user_state_import(L, self, o->state)
                  : mp_user_state_load(self, lua_tostring(L, o->state), why);
    if (err != MP_OK)
        return err;
    if (!self->client->project)
        return MP_CLOSED;
    err = choose_ids(self, o);
    return err == MP_OK && o->flags ? mp_user_flags_start(self) : err;
}

/* Pushes a user of the client at argument 1 about whom nothing is known. */
static mp_user_handle *push_user(lua_State *L, mp_client *client) {
    mp_user_handle *self = mp_handle_new(L, MP_USER, sizeof *self);
    int slot = lua_gettop(L);
    luaL_getmetatable(L, mp_type_names[MP_USER]);
    lua_setmetatable(L, slot);
    self->client = client;
    lua_createtable(L, 2, 2);
    lua_pushboolean(L, 0);
    lua_rawseti(L, -2, 1);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 2);
    mp_user_people_push(L, slot, 1);
    lua_setfield(L, -2, "people");
    mp_lua_setuser(L, slot);
    return self;
}

/* Why there is no user. */
static int fail_new(lua_State *L, int arg, const options *o, mp_err err,
                    const char *why) {
    char shown[MP_SHOWN];
    switch (err) {
    case MP_INVALID:
        mp_raise(L, arg,
                 "option 'state': got %s, which is no file: expected the path "
                 "of one, or of none yet",
                 mp_fault_show(L, o->state, shown));
    case MP_STATE:
        return mp_fail(L, err, why);
    case MP_CLOSED:
        return mp_fail_closed(L);
    default:
        return mp_fail(L, err, "out of memory");
    }
}

/* ([options]) */
static int new_user(lua_State *L) {
    mp_client *client = mp_handle_client(L);
    options o = {.state = 0};
    mp_fault fault;
    char why[MP_MESSAGE] = "out of memory";
    if (!lua_istable(L, 2) && !lua_isnoneornil(L, 2))
        mp_raise_type(L, 2, "options: table");
    lua_settop(L, 2);
    mp_fault_start(&fault, "user");
    mp_err err = read_options(L, 2, &o, &fault);
    if (client->closed)
        return mp_fail_closed(L);
    if (err != MP_OK)
        return mp_user_result(L, err, &fault);
    check_state(L, 2, &o, client);
    check_flags(L, 2, &o, client);
    mp_user_handle *self = push_user(L, client);
    int user = lua_gettop(L);
    err = fill(L, self, &o, why);
    if (err != MP_OK)
        return fail_new(L, 2, &o, err, why);
    mp_user_flags_push(L, user);
    mp_user_flags_ask(self);
    lua_settop(L, user);
    return 1;
}

static int collect(lua_State *L) {
    mp_user_handle *self = mp_user_self(L);
    self->collected = true;
    self->defaults = NULL;
    mp_user_free(&self->user);
    mp_user_flags_free(self);
    mp_dict_clear(&self->disabled);
    mp_state_file_close(self->file);
    self->file = NULL;
    free(self->path);
    self->path = NULL;
    return 0;
}

/* Ids are of people, so none is shown. */
static int to_string(lua_State *L) {
    const mp_user_handle *self = mp_user_self(L);
    const char *state = self->collected || self->client->closed ? "closed"
                        : mp_user_opted_out(self)               ? "opted out"
                        : self->user.ids.user_id.len > 0        ? "identified"
                                                                : "anonymous";
    lua_pushfstring(L, "%s (%s)", mp_type_names[MP_USER], state);
    return 1;
}

const luaL_Reg mp_user_constructor[] = {{"user", new_user}, {NULL, NULL}};

const luaL_Reg *const mp_user_methods[] = {
    mp_user_events, mp_user_timers,   mp_user_identity, mp_user_super,
    mp_user_groups, mp_user_consents, mp_user_states,   NULL,
};

const luaL_Reg mp_user_metamethods[] = {
    {"__gc", collect},
    {"__tostring", to_string},
    {NULL, NULL},
};
