#include "binding/client/client.h"

#include "binding/client/delivery.h"
#include "binding/client/options.h"
#include "binding/event/client_defaults.h"
#include "binding/event/event.h"
#include "binding/flags/flags_handle.h"
#include "binding/lua/handle.h"
#include "binding/profile/groups.h"
#include "binding/profile/people.h"

#include "core/engine/engine.h"

#include <stdio.h>
#include <stdlib.h>

#define DRAFT "mixpanel.draft"

enum { /* what the tables of a client are made for, about */
    METAMETHODS = 8,
    METHODS = 32
};

/* ---- drafts ---- */

/* What new or set_config has read so far, in a userdata, so that nothing is
 * lost when an option raises. */
typedef struct draft {
    mp_config config;
    mp_overrides *overrides;
    mp_flag_choice flags;
} draft;

static int collect_draft(lua_State *L) {
    draft *d = luaL_checkudata(L, 1, DRAFT);
    mp_config_free(&d->config);
    mp_overrides_free(d->overrides);
    d->overrides = NULL;
    free(d->flags.file);
    d->flags.file = NULL;
    return 0;
}

/* Pushes an empty draft. */
static draft *push_draft(lua_State *L) {
    draft *d = lua_newuserdata(L, sizeof *d);
    memset(d, 0, sizeof *d);
    mp_lua_setcollect(L, DRAFT, collect_draft);
    d->overrides = mp_overrides_new();
    if (!d->overrides)
        mp_raise_memory(L);
    return d;
}

/* Whether what the draft says, else `otherwise`, refuses invalid values. */
static bool rejects_invalid(const draft *d, bool otherwise) {
    return mp_overrides_says(d->overrides, mp_setting_find("on_invalid"))
               ? d->overrides->values->reject_invalid
               : otherwise;
}

/* ---- new ---- */

/* Puts a copy, with room for so many fields, in the place of the table at the
 * top. */
static void copy_table(lua_State *L, int fields) {
    int from = lua_gettop(L);
    lua_createtable(L, 0, fields);
    lua_pushnil(L);
    while (lua_next(L, from)) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, from + 1);
    }
    lua_replace(L, from);
}

/* Pushes a metatable for the client at `index` alone. Its __index is a table
 * with the methods, a copy of upvalue 1, and the parts of this client: there
 * Lua finds a method without a call, which is what most of a look-up through a
 * function costs. */
static void push_metatable(lua_State *L, int index) {
    luaL_getmetatable(L, mp_type_names[MP_CLIENT]);
    copy_table(L, METAMETHODS);
    lua_pushvalue(L, lua_upvalueindex(1));
    copy_table(L, METHODS);
    mp_update_push(L, &mp_people_target, sizeof(mp_profile_handle), index);
    lua_setfield(L, -2, "people");
    mp_update_push(L, &mp_groups_target, sizeof(mp_profile_handle), index);
    lua_setfield(L, -2, "groups");
    mp_flags_handle_push(L, index, MP_LOCAL_FLAGS);
    lua_setfield(L, -2, "local_flags");
    mp_flags_handle_push(L, index, MP_REMOTE_FLAGS);
    lua_setfield(L, -2, "remote_flags");
    lua_setfield(L, -2, "__index");
}

int mp_client_first_index(lua_State *L) {
    mp_handle_client(L);
    lua_settop(L, 2);
    push_metatable(L, 1);
    lua_getfield(L, 3, "__index");
    lua_pushvalue(L, 3);
    lua_setmetatable(L, 1);
    lua_pushvalue(L, 2);
    lua_rawget(L, 4);
    return 1;
}

/* Pushes a client that holds nothing. */
static mp_client *push_client(lua_State *L) {
    mp_client *client = mp_handle_new(L, MP_CLIENT, sizeof *client);
    int index = lua_gettop(L);
    client->closed = true;
    luaL_getmetatable(L, mp_type_names[MP_CLIENT]);
    lua_setmetatable(L, index);
    lua_createtable(L, 3, 0);
    mp_lua_setuser(L, index);
    return client;
}

/* Raises unless a check of config.h went well. */
static void check(lua_State *L, mp_err err, int arg, const char *message) {
    if (err == MP_INVALID)
        mp_raise(L, arg, "%s", message);
    else if (err != MP_OK)
        mp_raise_memory(L);
}

static mp_err open_project(mp_client *client, draft *d) {
    mp_err err = mp_event_prefix(&client->event_prefix, d->config.token);
    if (err != MP_OK)
        return err;
    err = mp_engine_open(&d->config, d->overrides, &client->project);
    memset(&d->config, 0, sizeof d->config); /* it was taken over */
    if (err == MP_OK) {
        client->overrides = d->overrides;
        d->overrides = NULL;
    }
    return err;
}

/* Raises for flags that cannot be kept where the draft says. */
static void open_flags(lua_State *L, mp_client *client, draft *d) {
    char message[MP_MESSAGE] = "";
    if (!d->flags.wanted)
        return;
    mp_flag_options options = d->flags.options;
    options.path = d->flags.file;
    check(L, mp_project_join_flags(client->project, &options, message), 2,
          message);
    client->flags = mp_project_flags(client->project);
    client->uses_flags = true;
    client->decides_flags = options.local;
    client->asks_flags = options.remote;
    client->exposure = d->flags.exposure;
}

int mp_client_new(lua_State *L) {
    size_t len;
    char message[MP_MESSAGE] = "";
    if (lua_type(L, 1) != LUA_TSTRING)
        mp_raise_type(L, 1, "project token: string");
    if (!lua_istable(L, 2) && !lua_isnoneornil(L, 2))
        mp_raise_type(L, 2, "options: table");
    const char *token = lua_tolstring(L, 1, &len);
    draft *d = push_draft(L);
    mp_client *client = push_client(L);
    int self = lua_gettop(L);
    check(L, mp_config_token(&d->config, token, len, message), 1, message);
    if (lua_istable(L, 2)) {
        mp_options_read(L, 2, &d->config, d->overrides, &d->flags, NULL);
        mp_client_defaults_read(L, 2, self, rejects_invalid(d, false));
        mp_client_defaults_use(L, self, client);
    }
    check(L, mp_config_finish(&d->config, message), 2, message);
    mp_err err = open_project(client, d);
    if (err == MP_NETWORK)
        return luaL_error(L, "libcurl cannot be set up");
    if (err != MP_OK)
        mp_raise_memory(L);
    open_flags(L, client, d);
    client->closed = false;
    lua_settop(L, self);
    return 1;
}

static int set_config(lua_State *L) {
    mp_client *client = mp_handle_client(L);
    if (!lua_istable(L, 2))
        mp_raise_type(L, 2, "options: table");
    draft *d = push_draft(L);
    if (client->closed)
        return mp_fail_closed(L);
    mp_options_read(L, 2, NULL, d->overrides, NULL,
                    mp_project_config(client->project));
    mp_client_defaults_read(
        L, 2, 1,
        rejects_invalid(d, mp_project_reject_invalid(client->project)));
    if (client->closed) /* by a finaliser */
        return mp_fail_closed(L);
    mp_client_defaults_use(L, 1, client);
    if (mp_engine_configure(client->project, client->overrides, d->overrides) !=
        MP_OK)
        return mp_fail(L, MP_MEMORY, "out of memory");
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- metamethods ---- */

/* The project lives on until its records ended. */
static int collect(lua_State *L) {
    mp_client *client = mp_handle_client(L);
    mp_project *project = client->project;
    client->closed = true;
    mp_handle_close_client(client);
    client->project = NULL;
    client->flags = NULL;
    client->defaults = NULL;
    mp_buf_free(&client->event_prefix);
    if (project)
        mp_engine_close(project);
    return 0;
}

/* Written before Lua allocates anything, and so may collect the client. */
static int to_string(lua_State *L) {
    const mp_client *client = mp_handle_client(L);
    const char *name = mp_type_names[MP_CLIENT];
    char text[MP_MESSAGE], state[MP_SHOWN] = "closed";
    snprintf(text, sizeof text, "%s (closed)", name);
    if (client->project) {
        const mp_config *config = mp_project_config(client->project);
        mp_stats s;
        mp_project_stats(client->project, &s);
        if (!client->closed)
            snprintf(state, sizeof state, "%llu queued",
                     (unsigned long long)s.queued);
        snprintf(text, sizeof text, "%s (%.64s, %.100s, %s)", name,
                 config->token, config->base_url, state);
    }
    lua_pushstring(L, text);
    return 1;
}

const luaL_Reg mp_client_methods[] = {
    {"set_config", set_config},
    {NULL, NULL},
};

const luaL_Reg mp_client_metamethods[] = {
    {"__gc", collect},
    {"__close", mp_delivery_close_scope},
    {"__tostring", to_string},
    {NULL, NULL},
};
