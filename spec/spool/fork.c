/* A Lua module that returns a function: it forks a child that does nothing
 * for so many seconds, and returns its process id. */
#include <lauxlib.h>
#include <unistd.h>

static int idle(lua_State *L) {
    unsigned seconds = (unsigned)luaL_checkinteger(L, 1);
    pid_t pid = fork();
    if (pid == 0) {
        sleep(seconds);
        _exit(0);
    }
    lua_pushinteger(L, (lua_Integer)pid);
    return 1;
}

int luaopen_fork(lua_State *L);
int luaopen_fork(lua_State *L) {
    lua_pushcfunction(L, idle);
    return 1;
}
