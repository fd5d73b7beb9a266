#include "binding/client/manual.h"

#include "binding/lua/handle.h"

#include "core/base/text.h"
#include "core/os/clock.h"
#include "core/wire/retry_after.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    IDLE_MS = 1000 /* the least that a host without anything to send waits */
};

/* The client at argument 1, which may be closed: what it accepted is still to
 * be carried. */
static mp_project *check_manual(lua_State *L, const char *method) {
    const mp_client *client = mp_handle_client(L);
    if (client->project && !mp_project_config(client->project)->manual)
        luaL_error(L,
                   "%s: this client sends by itself; it is for clients made "
                   "with transport = \"manual\"",
                   method);
    return client->project;
}

/* ---- next_request ---- */

/* `line` is "Name: value". */
static void set_header(lua_State *L, const char *line) {
    const char *colon = strchr(line, ':');
    if (!colon)
        return;
    lua_pushlstring(L, line, (size_t)(colon - line));
    lua_pushstring(L, colon + 1 + strspn(colon + 1, " "));
    lua_rawset(L, -3);
}

static int push_request(lua_State *L) {
    const mp_handout *handout = *(const mp_handout **)lua_touserdata(L, 1);
    const mp_http_head *head = &handout->head;
    const mp_buf *body = &handout->request->body;
    lua_createtable(L, 0, 5);
    lua_pushinteger(L, (lua_Integer)handout->number);
    lua_setfield(L, -2, "id");
    lua_pushstring(L, head->url.data);
    lua_setfield(L, -2, "url");
    lua_pushstring(L, head->method);
    lua_setfield(L, -2, "method");
    lua_createtable(L, 0, MP_HEADERS);
    for (int i = 0; i < MP_HEADERS && head->headers[i].len > 0; i++)
        set_header(L, head->headers[i].data);
    lua_setfield(L, -2, "headers");
    lua_pushlstring(L, body->data, body->len);
    lua_setfield(L, -2, "body");
    return 1;
}

/* Pushes nil and the seconds after which to ask again: never later than a
 * record that came in meanwhile would want it. */
static int push_wait(lua_State *L, mp_project *project, int64_t wait_ms) {
    mp_settings *settings = mp_project_settings(project);
    int64_t most_ms = settings->flush_interval_ms;
    mp_settings_release(settings);
    if (most_ms < IDLE_MS)
        most_ms = IDLE_MS;
    if (wait_ms > most_ms)
        wait_ms = most_ms;
    lua_pushnil(L);
    lua_pushnumber(L, wait_ms > 0 ? (lua_Number)wait_ms / 1000 : 0);
    return 2;
}

/* A request that Lua has no memory for must not stay under way for ever. */
static void take_back(mp_project *project, uint64_t number) {
    mp_reply none = {.status = 0};
    snprintf(none.failure, MP_MESSAGE, "out of memory for a request");
    mp_project_complete(project, number, &none, mp_clock_mono_ms());
}

static int next_request(lua_State *L) {
    mp_project *project = check_manual(L, "next_request");
    if (!project)
        return mp_fail_closed(L);
    lua_settop(L, 1);
    lua_pushcfunction(L, push_request);
    int64_t now_ms = mp_clock_mono_ms(), next_ms;
    const mp_handout *handout = mp_project_checkout(project, now_ms, &next_ms);
    if (!handout)
        return push_wait(L, project, next_ms - now_ms);
    uint64_t number = handout->number;
    lua_pushlightuserdata(L, &handout);
    int failed = lua_pcall(L, 1, 1, 0);
    mp_project_release_request(project, number);
    if (!failed)
        return 1;
    take_back(project, number);
    return lua_error(L);
}

/* ---- answer ---- */

static uint64_t check_number(lua_State *L) {
    static const double exact = 9007199254740992.0; /* 2^53 */
    lua_Number number = lua_tonumber(L, 2);
    if (lua_type(L, 2) != LUA_TNUMBER)
        mp_raise_type(L, 2, "id of a request: number");
    return number >= 1 && number < exact && number == floor(number)
               ? (uint64_t)number
               : 0;
}

static int check_status(lua_State *L) {
    lua_Number status = lua_tonumber(L, 3);
    char shown[MP_SHOWN];
    if (lua_type(L, 3) != LUA_TNUMBER || !(status >= 100 && status <= 599) ||
        status != floor(status))
        mp_raise(L, 3,
                 "status: got %s, expected one of HTTP, from 100 to 599; where "
                 "no reply came, nil and a message",
                 mp_fault_show(L, 3, shown));
    return (int)status;
}

/* The name and the value at the top. Names of headers have no case (RFC 9110,
 * 5.1), and the host that made the table chose one. */
static void read_header(lua_State *L, mp_reply *reply) {
    if (lua_type(L, -2) != LUA_TSTRING)
        return;
    const char *name = lua_tostring(L, -2);
    if (mp_text_same(name, "retry-after") && lua_isstring(L, -1))
        reply->retry_after_ms =
            mp_retry_after_ms(lua_tostring(L, -1), mp_clock_wall_ms());
    else if (mp_text_same(name, "etag") && lua_type(L, -1) == LUA_TSTRING)
        reply->etag = lua_tostring(L, -1); /* which the table keeps */
}

static void read_headers(lua_State *L, mp_reply *reply) {
    if (lua_isnoneornil(L, 4))
        return;
    if (!lua_istable(L, 4))
        mp_raise_type(L, 4, "headers: table");
    lua_pushnil(L);
    while (lua_next(L, 4)) {
        read_header(L, reply);
        lua_pop(L, 1);
    }
}

static void read_reply(lua_State *L, mp_reply *reply) {
    reply->status = check_status(L);
    read_headers(L, reply);
    if (lua_isnoneornil(L, 5))
        return;
    if (lua_type(L, 5) != LUA_TSTRING)
        mp_raise_type(L, 5, "body: string");
    reply->body = lua_tolstring(L, 5, &reply->len);
}

/* Only the host knows how far such a request got, so it may have arrived. */
static void read_failure(lua_State *L, mp_reply *reply) {
    if (lua_type(L, 4) != LUA_TSTRING)
        mp_raise_type(L, 4, "message, where there is no status: string");
    snprintf(reply->failure, MP_MESSAGE, "%s", lua_tostring(L, 4));
    reply->sent = reply->begun = true;
}

static int response(lua_State *L) {
    mp_project *project = check_manual(L, "answer");
    uint64_t number = check_number(L);
    mp_reply reply = {.status = 0};
    if (lua_isnoneornil(L, 3))
        read_failure(L, &reply);
    else
        read_reply(L, &reply);
    if (!project)
        return mp_fail_closed(L);
    if (!mp_project_complete(project, number, &reply, mp_clock_mono_ms()))
        mp_raise(L, 2,
                 "no request of this id waits for an answer: it has had one, "
                 "or next_request of this client never gave it");
    lua_pushboolean(L, 1);
    return 1;
}

const luaL_Reg mp_manual_methods[] = {
    {"next_request", next_request},
    {"answer", response},
    {NULL, NULL},
};
