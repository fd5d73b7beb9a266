#include "delivery.h"

#include "handle.h"

#include "../core/engine.h"

#include <math.h>
#include <stdio.h>

/* ---- waiting ---- */

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

const luaL_Reg mp_delivery_methods[] = {
    {"flush", flush}, {"close", close_method}, {"mark", mark},
    {"done", done},   {"stats", stats},        {NULL, NULL},
};
