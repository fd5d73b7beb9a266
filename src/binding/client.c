#include "client.h"

#include "defaults.h"
#include "event.h"
#include "handle.h"
#include "options.h"

#include "../core/engine.h"

#include <math.h>
#include <stdio.h>

#define DRAFT "mixpanel.draft"

/* ---- drafts ---- */

/* What new or set_config has read so far, in a userdata, so that nothing is
 * lost when an option raises. */
typedef struct draft {
    mp_config config;
    mp_settings *settings;
} draft;

static int collect_draft(lua_State *L) {
    draft *d = luaL_checkudata(L, 1, DRAFT);
    mp_config_free(&d->config);
    mp_settings_release(d->settings);
    d->settings = NULL;
    return 0;
}

/* Pushes an empty draft. */
static draft *push_draft(lua_State *L) {
    draft *d = lua_newuserdata(L, sizeof *d);
    memset(d, 0, sizeof *d);
    if (luaL_newmetatable(L, DRAFT)) {
        lua_pushcfunction(L, collect_draft);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return d;
}

static mp_settings *take_settings(draft *d) {
    mp_settings *settings = d->settings;
    d->settings = NULL;
    return settings;
}

/* ---- new ---- */

/* Pushes a userdata of the type that refers to the client at `client`. */
static void push_part(lua_State *L, int client, const char *type) {
    mp_part *part = mp_lua_newuserdata(L, sizeof *part);
    part->client = lua_touserdata(L, client);
    luaL_getmetatable(L, type);
    lua_setmetatable(L, -2);
    lua_createtable(L, 1, 0);
    lua_pushvalue(L, client);
    lua_rawseti(L, -2, 1);
    mp_lua_setuser(L, -2);
}

/* Pushes a client that holds nothing but its parts. */
static mp_client *push_client(lua_State *L) {
    mp_client *client = mp_lua_newuserdata(L, sizeof *client);
    int index = lua_gettop(L);
    memset(client, 0, sizeof *client);
    client->closed = true;
    luaL_getmetatable(L, MP_CLIENT);
    lua_setmetatable(L, index);
    lua_createtable(L, 1, 2);
    push_part(L, index, MP_PEOPLE);
    lua_setfield(L, -2, "people");
    push_part(L, index, MP_GROUPS);
    lua_setfield(L, -2, "groups");
    mp_lua_setuser(L, index);
    return client;
}

/* Encodes the option `properties` of the table at argument `arg` and pushes
 * it; NULL if it is not given. */
static const mp_defaults *push_defaults(lua_State *L, int arg,
                                        const mp_settings *settings) {
    lua_pushliteral(L, "properties");
    lua_rawget(L, arg);
    if (lua_isnil(L, -1))
        return NULL;
    mp_err err;
    mp_encode e = {
        .L = L,
        .list_max = MP_LIST_MAX,
        .reject = settings->reject_invalid,
    };
    mp_fault_start(&e.fault, "option 'properties'");
    const mp_defaults *defaults = mp_defaults_new(&e, &err);
    if (err == MP_INVALID) {
        mp_fault_push(L, &e.fault, "");
        mp_raise(L, arg, "%s", lua_tostring(L, -1));
    } else if (err != MP_OK) {
        mp_raise_memory(L);
    }
    return defaults;
}

/* Makes the defaults at the top, if any, those of the client at `self`. */
static void use_defaults(lua_State *L, int self, mp_client *client,
                         const mp_defaults *defaults) {
    if (!defaults)
        return;
    mp_lua_getuser(L, self);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, 1);
    client->defaults = defaults;
}

/* Raises unless a check of config.h went well. */
static void check(lua_State *L, mp_err err, int arg, const char *message) {
    if (err == MP_INVALID)
        mp_raise(L, arg, "%s", message);
    else if (err != MP_OK)
        mp_raise_memory(L);
}

static mp_err open_project(mp_client *client, draft *d) {
    mp_err err = mp_event_lead(&client->lead, d->config.token);
    if (err == MP_OK)
        err = mp_engine_open(&d->config, take_settings(d), &client->project);
    memset(&d->config, 0, sizeof d->config); /* it was taken over */
    return err;
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
    d->settings = mp_settings_new(NULL);
    if (!d->settings)
        mp_raise_memory(L);
    check(L, mp_config_token(&d->config, token, len, message), 1, message);
    if (lua_istable(L, 2)) {
        mp_options_read(L, 2, &d->config, d->settings);
        use_defaults(L, self, client, push_defaults(L, 2, d->settings));
    }
    check(L, mp_config_finish(&d->config, message), 2, message);
    mp_err err = open_project(client, d);
    if (err == MP_NETWORK)
        return luaL_error(L, "libcurl cannot be set up");
    if (err != MP_OK)
        mp_raise_memory(L);
    client->closed = false;
    lua_settop(L, self);
    return 1;
}

static int set_config(lua_State *L) {
    mp_client *client = mp_handle_client(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    if (client->closed)
        return mp_fail_closed(L);
    draft *d = push_draft(L);
    mp_settings *base = mp_project_settings(client->project);
    d->settings = mp_settings_new(base);
    mp_settings_release(base);
    if (!d->settings)
        return mp_fail(L, MP_MEMORY, "out of memory");
    mp_options_read(L, 2, NULL, d->settings);
    const mp_defaults *defaults = push_defaults(L, 2, d->settings);
    if (client->closed) /* by a finaliser */
        return mp_fail_closed(L);
    use_defaults(L, 1, client, defaults);
    mp_project_configure(client->project, take_settings(d));
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- delivery ---- */

/* Milliseconds of the argument in seconds. */
static int64_t check_timeout(lua_State *L, int arg) {
    static const double longest = 1e9;
    lua_Number seconds = lua_tonumber(L, arg);
    if (lua_type(L, arg) != LUA_TNUMBER)
        mp_raise_type(L, arg, "timeout: number");
    if (!(seconds >= 0 && seconds <= longest))
        mp_raise(L, arg, "timeout: expected seconds from 0 to 1e9");
    return llround(seconds * 1000);
}

/* What a wait came to. */
static int push_outcome(lua_State *L, mp_err err, uint64_t left) {
    char message[MP_MESSAGE];
    if (err == MP_OK) {
        lua_pushboolean(L, 1);
        return 1;
    }
    if (err != MP_TIMEOUT)
        return mp_fail(L, err, "out of memory");
    snprintf(message, sizeof message, "timeout: %llu record%s undelivered",
             (unsigned long long)left, left == 1 ? "" : "s");
    return mp_fail(L, err, message);
}

static int flush(lua_State *L) {
    const mp_client *client = mp_handle_client(L);
    int64_t timeout_ms = 10000;
    uint64_t left = 0;
    if (!lua_isnoneornil(L, 2))
        timeout_ms = check_timeout(L, 2);
    if (client->closed)
        return mp_fail_closed(L);
    mp_err err = mp_engine_flush(client->project, timeout_ms, &left);
    return push_outcome(L, err, left);
}

/* `timeout_ms` below 0: what is left of exit_timeout. */
static int close_client(lua_State *L, mp_client *client, int64_t timeout_ms) {
    uint64_t left = 0;
    mp_err err = MP_OK;
    if (!client->closed) {
        client->closed = true;
        err = timeout_ms < 0
                  ? mp_engine_flush_at_close(client->project, &left)
                  : mp_engine_flush(client->project, timeout_ms, &left);
    }
    return push_outcome(L, err, left);
}

static int close_method(lua_State *L) {
    mp_client *client = mp_handle_client(L);
    return close_client(L, client,
                        lua_isnoneornil(L, 2) ? -1 : check_timeout(L, 2));
}

static int mark(lua_State *L) {
    const mp_client *client = mp_handle_client(L);
    if (!client->project)
        return mp_fail_closed(L);
    lua_pushinteger(L, (lua_Integer)mp_engine_mark(client->project));
    return 1;
}

static int done(lua_State *L) {
    const mp_client *client = mp_handle_client(L);
    lua_Number ticket = lua_tonumber(L, 2);
    if (lua_type(L, 2) != LUA_TNUMBER)
        mp_raise_type(L, 2, "ticket: number");
    if (!(ticket >= 0 && ticket < 9007199254740992.0)) /* 2^53 */
        mp_raise(L, 2, "ticket: expected what mark() returned");
    if (!client->project)
        return mp_fail_closed(L);
    lua_pushboolean(L, mp_project_left(client->project, (uint64_t)ticket) == 0);
    return 1;
}

/* ---- stats ---- */

/* Sets a field of the table at the top. */
static void set_count(lua_State *L, const char *field, uint64_t value) {
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, field);
}

static int stats(lua_State *L) {
    const mp_client *client = mp_handle_client(L);
    if (!client->project)
        return mp_fail_closed(L);
    mp_stats s;
    mp_project_stats(client->project, &s);
    lua_createtable(L, 0, 16);
    set_count(L, "accepted", s.accepted);
    set_count(L, "delivered", s.delivered);
    set_count(L, "rejected", s.rejected);
    set_count(L, "queued", s.queued);
    set_count(L, "in_flight", s.in_flight);
    set_count(L, "queue_full", s.refused_full);
    set_count(L, "retried", s.retried);
    set_count(L, "ambiguous", s.ambiguous);
    set_count(L, "repaired", s.repaired);
    set_count(L, "requests", s.requests);
    set_count(L, "bytes_raw", s.bytes_raw);
    set_count(L, "bytes_sent", s.bytes_sent);
    set_count(L, "queue_bytes", s.queue_bytes);
    lua_createtable(L, 0, 1);
    set_count(L, "expired", s.dropped_expired);
    lua_setfield(L, -2, "dropped");
    if (s.queued + s.in_flight > 0) {
        lua_pushnumber(L, (lua_Number)s.oldest_ms / 1000);
        lua_setfield(L, -2, "oldest_age");
    }
    if (s.last_error[0]) {
        lua_pushstring(L, s.last_error);
        lua_setfield(L, -2, "last_error");
    }
    return 1;
}

/* ---- metamethods ---- */

int mp_client_index(lua_State *L) {
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(3));
    if (!lua_isnil(L, -1))
        return 1;
    mp_handle_client(L);
    if (lua_type(L, 2) != LUA_TSTRING)
        return 1;
    mp_lua_getuser(L, 1);
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
    return 1;
}

/* The project lives on until its records ended. */
static int collect(lua_State *L) {
    mp_client *client = mp_handle_client(L);
    mp_project *project = client->project;
    client->closed = true;
    client->project = NULL;
    client->defaults = NULL;
    mp_buf_free(&client->lead);
    if (project)
        mp_engine_close(project);
    return 0;
}

/* At the end of a scope, with the error that ended it, if any. */
static int close_scope(lua_State *L) {
    close_client(L, mp_handle_client(L), -1);
    return 0;
}

static int to_string(lua_State *L) {
    const mp_client *client = mp_handle_client(L);
    if (!client->project) {
        lua_pushliteral(L, MP_CLIENT " (closed)");
        return 1;
    }
    const mp_config *config = mp_project_config(client->project);
    char state[MP_SHOWN] = "closed";
    if (!client->closed) {
        mp_stats s;
        mp_project_stats(client->project, &s);
        snprintf(state, sizeof state, "%llu queued",
                 (unsigned long long)s.queued);
    }
    lua_pushfstring(L, MP_CLIENT " (%s, %s, %s)", config->token,
                    config->base_url, state);
    return 1;
}

const luaL_Reg mp_client_methods[] = {
    {"flush", flush}, {"close", close_method},    {"mark", mark},
    {"done", done},   {"set_config", set_config}, {"stats", stats},
    {NULL, NULL},
};

const luaL_Reg mp_client_metamethods[] = {
    {"__gc", collect},
    {"__close", close_scope},
    {"__tostring", to_string},
    {NULL, NULL},
};
