/* The n-th allocation fails, for every n until none is left to fail, while
 * Lua calls the module: in Lua itself, so in the midst of a walk over a table,
 * and in C. No call leaves a lock held or a record half written, and what was
 * accepted is what said so. Run under AddressSanitizer, it also shows that
 * nothing leaks. */
#include "../c/failing.h"
#include "../c/unit.h"

#include "core/record/parse.h"

#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <lualib.h>

int luaopen_mixpanel(lua_State *L);

enum {
    MOST = 20000 /* allocations of one call; far above what any makes */
};

/* attempt(n, times, call) -> whether an allocation failed, and what pcall
 * gives for `call`, made while allocations fail: see failing.h. */
static int attempt(lua_State *L) {
    long n = (long)luaL_checkinteger(L, 1);
    long times = (long)luaL_checkinteger(L, 2);
    lua_settop(L, 3);
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    failing_arm(FAILING_OWN, n, times);
    int status = lua_pcall(L, 0, 2, 0);
    bool failed = failing_disarm();
    if (status != LUA_OK)
        lua_pushnil(L);
    lua_pushboolean(L, failed);
    lua_pushboolean(L, status == LUA_OK);
    lua_rotate(L, -4, 2);
    return 4;
}

/* read(body) -> how many records it holds; raises unless it is JSON */
static int read(lua_State *L) {
    size_t len;
    json_error_t why;
    const char *body = luaL_checklstring(L, 1, &len);
    json_t *root = mp_parse(body, len, JSON_REJECT_DUPLICATES, &why);
    if (!json_is_array(root))
        return luaL_error(L, "no JSON: %s: %s", why.text, body);
    lua_pushinteger(L, (lua_Integer)json_array_size(root));
    json_decref(root);
    return 1;
}

static lua_State *start(void) {
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    return L;
}

CASE(every_call) {
    lua_State *L = start();
    int failed = luaL_loadfile(L, "spec/binding/alloc.lua");
    lua_pushcfunction(L, attempt);
    lua_pushcfunction(L, read);
    lua_pushcfunction(L, luaopen_mixpanel);
    lua_pushinteger(L, MOST);
    if (failed || lua_pcall(L, 4, 0, 0)) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        CHECK("every call" && false);
    }
    lua_close(L);
}

int main(void) {
    RUN(every_call);
    return unit_result();
}
