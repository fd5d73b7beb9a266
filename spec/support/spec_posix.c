/* What specs need of POSIX and Lua has not. Not named posix: a Lua module of
 * that name, where one is installed, would be found first. */
#include <lauxlib.h>
#include <lua.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int luaopen_spec_posix(lua_State *L);

/* fork(): the child's pid; 0 in the child. */
static int do_fork(lua_State *L) {
    pid_t pid = fork();
    if (pid < 0)
        return luaL_error(L, "fork: %s", strerror(errno));
    lua_pushinteger(L, pid);
    return 1;
}

/* quit(status): _exit. */
static int quit(lua_State *L) {
    _exit((int)luaL_checkinteger(L, 1));
}

/* wait([pid]): waits for that child or any; its pid and its exit status, with
 * 128 added to the number of a signal. Nothing when there is no child. */
static int do_wait(lua_State *L) {
    int status;
    pid_t pid;
    do
        pid = waitpid((pid_t)luaL_optinteger(L, 1, -1), &status, 0);
    while (pid < 0 && errno == EINTR);
    if (pid < 0)
        return 0;
    lua_pushinteger(L, pid);
    lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status)
                                         : 128 + WTERMSIG(status));
    return 2;
}

static int pid(lua_State *L) {
    lua_pushinteger(L, getpid());
    return 1;
}

static int sleep_for(lua_State *L) {
    double seconds = luaL_checknumber(L, 1);
    struct timespec time = {.tv_sec = (time_t)seconds};
    time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
    nanosleep(&time, NULL);
    return 0;
}

/* signal(number): sends it to this process. */
static int send_signal(lua_State *L) {
    kill(getpid(), (int)luaL_checkinteger(L, 1));
    return 0;
}

/* copy(userdata): another with the same bytes, and no metatable. */
static int copy(lua_State *L) {
    const void *from = lua_touserdata(L, 1);
#if LUA_VERSION_NUM >= 502
    size_t size = lua_rawlen(L, 1);
#else
    size_t size = lua_objlen(L, 1);
#endif
    luaL_checktype(L, 1, LUA_TUSERDATA);
    memcpy(lua_newuserdata(L, size), from, size);
    return 1;
}

__attribute__((visibility("default"))) int luaopen_spec_posix(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"fork", do_fork}, {"quit", quit},       {"wait", do_wait},
        {"pid", pid},      {"sleep", sleep_for}, {"signal", send_signal},
        {"copy", copy},
    };
    lua_newtable(L);
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        lua_pushcfunction(L, functions[i].func);
        lua_setfield(L, -2, functions[i].name);
    }
    return 1;
}
