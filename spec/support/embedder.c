/* A program that embeds Lua, and goes on when the states are closed: runs a
 * script in `n` states, one after the other, then waits until its standard
 * input ends, or so many seconds, and leaves by _exit, so that only what was
 * sent until then has left.
 *
 *     embedder N SECONDS SCRIPT ARGUMENTS...
 *
 * The script gets the number of the state, from 1, and the arguments. Its
 * function starve(n) makes the n-th allocation of its state from now on fail,
 * and every later one; starve() ends that and tells whether any failed. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct memory {
    lua_Integer left; /* allocations before they fail; below 0: for ever */
    int failed;
} memory;

static void *allocate(void *user, void *block, size_t old, size_t size) {
    memory *own = user;
    if (size == 0) {
        free(block);
        return NULL;
    }
    int grows = !block || size > old;
    if (grows && own->left == 0) {
        own->failed = 1;
        return NULL;
    }
    if (grows && own->left > 0)
        own->left--;
    return realloc(block, size);
}

static int starve(lua_State *L) {
    memory *own = lua_touserdata(L, lua_upvalueindex(1));
    int failed = own->failed;
    own->failed = 0;
    own->left = luaL_optinteger(L, 1, 0) - 1;
    lua_pushboolean(L, failed);
    return 1;
}

static int run(int number, char **arguments) {
    memory own = {.left = -1};
    lua_State *L = lua_newstate(allocate, &own);
    if (!L)
        return 1;
    luaL_openlibs(L);
    lua_pushlightuserdata(L, &own);
    lua_pushcclosure(L, starve, 1);
    lua_setglobal(L, "starve");
    int failed = 1, n = 1;
    if (luaL_loadfile(L, arguments[0]) == LUA_OK) {
        lua_pushinteger(L, number);
        for (char **a = arguments + 1; *a; a++, n++)
            lua_pushstring(L, *a);
        failed = lua_pcall(L, n, 0, 0) != LUA_OK;
    }
    if (failed)
        fprintf(stderr, "state %d: %s\n", number, lua_tostring(L, -1));
    lua_close(L);
    return failed;
}

int main(int argc, char **argv) {
    int n = argc > 3 ? atoi(argv[1]) : 0, failed = 0;
    if (n < 1) {
        fprintf(stderr, "usage: embedder N SECONDS SCRIPT ARGUMENTS...\n");
        return 2;
    }
    for (int i = 1; i <= n; i++)
        failed |= run(i, argv + 3);
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    poll(&input, 1, atoi(argv[2]) * 1000);
    fflush(NULL);
    _exit(failed);
}
