/* A host with many threads: runs a script in `n` of them at once, each in a
 * Lua state of its own.
 *
 *     threads N SCRIPT ARGUMENTS...
 *
 * The script gets the thread's number, from 1, and the arguments. The exit
 * status is 0 when all ran to their end. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    MOST = 64
};

typedef struct job {
    pthread_t thread;
    int number;
    char **arguments; /* from the script on, NULL at the end */
    int failed;
} job;

static void *run(void *user) {
    job *own = user;
    lua_State *L = luaL_newstate();
    own->failed = 1;
    if (!L)
        return NULL;
    luaL_openlibs(L);
    int n = 1;
    if (luaL_loadfile(L, own->arguments[0]) == LUA_OK) {
        lua_pushinteger(L, own->number);
        for (char **a = own->arguments + 1; *a; a++, n++)
            lua_pushstring(L, *a);
        own->failed = lua_pcall(L, n, 0, 0) != LUA_OK;
    }
    if (own->failed)
        fprintf(stderr, "thread %d: %s\n", own->number, lua_tostring(L, -1));
    lua_close(L);
    return NULL;
}

int main(int argc, char **argv) {
    static job jobs[MOST];
    int n = argc > 2 ? atoi(argv[1]) : 0, failed = 0;
    if (n < 1 || n > MOST) {
        fprintf(stderr, "usage: threads N SCRIPT ARGUMENTS...\n");
        return 2;
    }
    for (int i = 0; i < n; i++) {
        jobs[i] = (job){.number = i + 1, .arguments = argv + 2};
        if (pthread_create(&jobs[i].thread, NULL, run, &jobs[i]) != 0)
            return 2;
    }
    for (int i = 0; i < n; i++) {
        pthread_join(jobs[i].thread, NULL);
        failed += jobs[i].failed;
    }
    return failed > 0;
}
