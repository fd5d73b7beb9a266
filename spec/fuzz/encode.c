/* Any Lua values through a real state into a record: what is accepted is
 * JSON that a strict reader takes, what is not has a reason. The input is a
 * program that builds the values. */
#include "fuzz.h"

#include "core/record/parse.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

int luaopen_mixpanel(lua_State *L);

typedef struct input {
    const uint8_t *at, *end;
} input;

/* ---- values ---- */

static uint8_t byte(input *in) {
    return in->at < in->end ? *in->at++ : 0;
}

static void bytes(input *in, void *out, size_t n) {
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)out)[i] = byte(in);
}

static void push_string(lua_State *L, input *in) {
    char text[255];
    size_t n = byte(in);
    bytes(in, text, n);
    lua_pushlstring(L, text, n);
}

static void push_table(lua_State *L, input *in, int depth);

static void push(lua_State *L, input *in, int depth) {
    int64_t integer;
    double number;
    switch (byte(in) % 16) {
    case 0:
        lua_pushboolean(L, 0);
        return;
    case 1:
        lua_pushboolean(L, 1);
        return;
    case 2:
        lua_pushinteger(L, (int8_t)byte(in));
        return;
    case 3:
        bytes(in, &integer, sizeof integer);
        lua_pushinteger(L, integer);
        return;
    case 4:
        bytes(in, &number, sizeof number);
        lua_pushnumber(L, number);
        return;
    case 5:
        lua_pushlightuserdata(L, NULL);
        return;
    case 6:
        lua_pushcfunction(L, luaopen_mixpanel);
        return;
    case 7: /* a table that is being filled, so a cycle, or a twin */
        lua_pushvalue(L, 1 + byte(in) % lua_gettop(L));
        return;
    case 8:
    case 9: /* a marker */
        lua_getfield(L, LUA_REGISTRYINDEX, in->at[-1] % 2 ? "array" : "object");
        push_table(L, in, depth + 1);
        lua_call(L, 1, 1);
        return;
    case 10:
    case 11:
    case 12:
        push_table(L, in, depth + 1);
        return;
    default:
        push_string(L, in);
    }
}

static void push_table(lua_State *L, input *in, int depth) {
    luaL_checkstack(L, 8, NULL);
    lua_newtable(L);
    int n = depth < 40 ? byte(in) % 8 : 0;
    for (int i = 1; i <= n; i++) {
        if (byte(in) % 3 == 0)
            lua_pushinteger(L, i);
        else
            push(L, in, depth);
        if (lua_isnil(L, -1) || lua_tonumber(L, -1) != lua_tonumber(L, -1))
            lua_settop(L, -2); /* no key */
        else {
            push(L, in, depth);
            lua_rawset(L, -3);
        }
    }
}

/* ---- records ---- */

static const char driver[] =
    "local mixpanel = ...\n"
    "local mp = mixpanel.new('projecttoken', { transport = 'manual',\n"
    "  gzip = false, max_queue_bytes = 2^30 })\n"
    "return function(way, value)\n"
    "  local ok, message, code\n"
    "  if way == 0 then ok, message, code = mp:track('E', value)\n"
    "  elseif way == 1 then ok, message, code = mp:track('E', { v = value })\n"
    "  elseif way == 2 then ok, message, code = mp.people:set('u', value)\n"
    "  elseif way == 3 then ok, message, code = mp.people:union('u', value)\n"
    "  elseif way == 4 then\n"
    "    ok, message, code = mp:track_batch { { event = 'E',\n"
    "      properties = value } }\n"
    "  else ok, message, code = mp.groups:set('k', 'g', 'v', value) end\n"
    "  if not ok then\n"
    "    assert(code == 'invalid' and #message > 0, message)\n"
    "    return\n"
    "  end\n"
    "  mp:flush(0)\n"
    "  local request = assert(mp:next_request())\n"
    "  assert(mp:answer(request.id, 200, {}, '1'))\n"
    "  local s = mp:stats()\n"
    "  assert(s.delivered == s.accepted and s.queue_bytes == 0)\n"
    "  return request.body\n"
    "end\n";

static lua_State *start(void) {
    lua_State *L = luaL_newstate();
    MUST(L);
    luaL_openlibs(L);
    MUST(luaL_loadstring(L, driver) == LUA_OK);
    lua_pushcfunction(L, luaopen_mixpanel);
    lua_call(L, 0, 1);
    lua_getfield(L, -1, "array");
    lua_setfield(L, LUA_REGISTRYINDEX, "array");
    lua_getfield(L, -1, "object");
    lua_setfield(L, LUA_REGISTRYINDEX, "object");
    MUST(lua_pcall(L, 1, 1, 0) == LUA_OK);
    return L;
}

static void read_back(const char *body, size_t len) {
    static const size_t flags =
        JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL;
    json_error_t why;
    json_t *root = mp_parse(body, len, flags, &why);
    if (!root && json_error_code(&why) == json_error_null_byte_in_key)
        return; /* jansson has no such keys */
    if (!root)
        fprintf(stderr, "%s\n%.*s\n", why.text, (int)len, body);
    MUST(root && json_array_size(root) == 1);
    MUST(json_is_object(json_array_get(root, 0)));
    json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static lua_State *L;
    if (!L)
        L = start();
    input in = {data, data + size};
    lua_settop(L, 1);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, byte(&in) % 6);
    push_table(L, &in, 0);
    if (lua_pcall(L, 2, 1, 0) != LUA_OK)
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
    MUST(lua_gettop(L) == 2 && (lua_isnil(L, -1) || lua_isstring(L, -1)));
    size_t len;
    const char *body = lua_tolstring(L, -1, &len);
    if (body)
        read_back(body, len);
    return 0;
}
