#include "binding/client/delivery.h"

#include "binding/lua/argument.h"
#include "binding/lua/handle.h"

#include "core/engine/engine.h"
#include "core/os/clock.h"

#include <stdio.h>
#include <string.h>

enum {
    DEFAULT_WAIT_MS = 10000
};

/* ---- waiting ---- */

/* What a wait for the outcomes of `client` came to; `message` says why there
 * was none. */
static int push_outcome(lua_State *L, const mp_client *client, mp_err err,
                        uint64_t left, char message[MP_MESSAGE]) {
    if (err == MP_OK) {
        lua_pushboolean(L, 1);
        return 1;
    }
    if (err == MP_TIMEOUT)
        snprintf(message, MP_MESSAGE, "timeout: %llu record%s undelivered%s",
                 (unsigned long long)left, left == 1 ? "" : "s",
                 mp_project_is_kept(client->project) ? ", kept in the spool"
                                                     : "");
    return mp_fail(L, err, message);
}

static int flush(lua_State *L) {
    const mp_client *client = mp_handle_client(L);
    int64_t timeout_ms = DEFAULT_WAIT_MS;
    uint64_t left = 0;
    char message[MP_MESSAGE] = "";
    if (!lua_isnoneornil(L, 2))
        timeout_ms = mp_argument_timeout(L, 2);
    if (client->closed)
        return mp_fail_closed(L);
    mp_err err = mp_engine_flush(client->project, timeout_ms, &left, message);
    return push_outcome(L, client, err, left, message);
}

/* `timeout_ms` below 0: what is left of exit_timeout. */
static int close_client(lua_State *L, mp_client *client, int64_t timeout_ms) {
    uint64_t left = 0;
    char message[MP_MESSAGE] = "";
    mp_err err = MP_OK;
    if (!client->closed) {
        client->closed = true;
        err = mp_engine_flush_at_close(client->project, timeout_ms, &left,
                                       message);
        mp_handle_close_client(client);
    }
    return push_outcome(L, client, err, left, message);
}

static int close_method(lua_State *L) {
    mp_client *client = mp_handle_client(L);
    return close_client(L, client,
                        lua_isnoneornil(L, 2) ? -1 : mp_argument_timeout(L, 2));
}

int mp_delivery_close_scope(lua_State *L) {
    close_client(L, mp_handle_client(L), -1);
    return 0;
}

static int mark(lua_State *L) {
    const mp_client *client = mp_handle_client(L);
    if (!client->project)
        return mp_fail_closed(L);
    lua_pushinteger(L, (lua_Integer)mp_engine_mark(client->project));
    return 1;
}

/* The lanes of the argument `kind`, a sum of bits. */
static unsigned check_kind(lua_State *L) {
    static const struct {
        const char *name;
        unsigned lanes;
    } kinds[] = {
        {"events",
         1u << MP_LANE_EVENTS | 1u << MP_LANE_IMPORT | 1u << MP_LANE_COLLECTED},
        {"people", 1u << MP_LANE_PEOPLE},
        {"groups", 1u << MP_LANE_GROUPS},
    };
    char shown[MP_SHOWN];
    const char *given = lua_tostring(L, 3);
    if (lua_type(L, 3) != LUA_TSTRING)
        mp_raise_type(L, 3, "kind: string");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(given, kinds[i].name) == 0)
            return kinds[i].lanes;
    mp_raise(L, 3,
             "kind: got %s, expected \"events\", \"people\" or \"groups\"",
             mp_fault_show(L, 3, shown));
    return 0;
}

static int done(lua_State *L) {
    const mp_client *client = mp_handle_client(L);
    char shown[MP_SHOWN];
    lua_Number seq = lua_tonumber(L, 2);
    bool all = lua_isnoneornil(L, 3);
    if (lua_type(L, 2) != LUA_TNUMBER)
        mp_raise_type(L, 2, "ticket: number");
    if (!(seq >= 0 && seq < 9007199254740992.0)) /* 2^53 */
        mp_raise(L, 2, "ticket: got %s, expected what mark() returned",
                 mp_fault_show(L, 2, shown));
    unsigned lanes = all ? 0 : check_kind(L);
    if (!client->project)
        return mp_fail_closed(L);
    uint64_t left =
        all ? mp_project_left(client->project, (uint64_t)seq)
            : mp_project_left_on(client->project, (uint64_t)seq, lanes);
    lua_pushboolean(L, left == 0);
    return 1;
}

/* ---- asking ---- */

static int check(lua_State *L) {
    const mp_client *client = mp_handle_client(L);
    int64_t timeout_ms = DEFAULT_WAIT_MS;
    char message[MP_MESSAGE] = "";
    if (!lua_isnoneornil(L, 2))
        timeout_ms = mp_argument_timeout(L, 2);
    if (client->closed)
        return mp_fail_closed(L);
    if (mp_project_config(client->project)->manual)
        luaL_error(L, "check: a client with transport = \"manual\" cannot ask");
    mp_err err = mp_engine_check(client->project, timeout_ms, message);
    if (err != MP_OK)
        return mp_fail(L, err, message);
    lua_pushboolean(L, 1);
    return 1;
}

/* Raises where no requests of the client's own are to be broken off. */
static void check_breaks_off(lua_State *L, const mp_client *client) {
    const mp_config *config = mp_project_config(client->project);
    if (config->manual)
        luaL_error(L,
                   "permit: with transport = \"manual\" the host carries the "
                   "requests, and breaks them off itself");
    if (config->bus)
        luaL_error(L,
                   "permit: with transport = \"%s\" records go to a bus, which "
                   "any number of clients may do at once",
                   config->bus->name);
}

/* INT64_MAX: for ever. Rounded down, so that it never ends late. */
static int64_t read_permit(lua_State *L) {
    static const double longest = 1e9;
    char shown[MP_SHOWN];
    lua_Number seconds = lua_tonumber(L, 2);
    if (lua_isboolean(L, 2) && !lua_toboolean(L, 2))
        return INT64_MAX;
    if (lua_type(L, 2) != LUA_TNUMBER)
        mp_raise_type(L, 2, "seconds: number or false");
    if (!(seconds >= 0 && seconds <= longest))
        mp_raise(L, 2,
                 "seconds: got %s, expected a number from 0 to 1e9, or false",
                 mp_fault_show(L, 2, shown));
    return mp_clock_mono_ms() + (int64_t)(seconds * 1000);
}

static int permit(lua_State *L) {
    const mp_client *client = mp_handle_client(L);
    int64_t until_ms = read_permit(L);
    if (client->closed)
        return mp_fail_closed(L);
    check_breaks_off(L, client);
    mp_engine_permit(client->project, until_ms);
    lua_pushboolean(L, 1);
    return 1;
}

const luaL_Reg mp_delivery_methods[] = {
    {"flush", flush}, {"close", close_method}, {"mark", mark}, {"done", done},
    {"check", check}, {"permit", permit},      {NULL, NULL},
};
