/* A host with several Luas, each a shared library; the program itself is linked
 * with none. Loads all of them, hidden from what is loaded later or global,
 * then runs a script in a state of each, and ends when all have run.
 *
 *     luas hidden|global LIBRARY SCRIPT [LIBRARY SCRIPT]... */
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef struct lua_State lua_State;

enum {
    MOST = 4
};

static void *find(void *library, const char *name) {
    void *symbol = dlsym(library, name);
    if (!symbol)
        fprintf(stderr, "no %s\n", name);
    return symbol;
}

/* C has no cast from a pointer to data to one to a function. */
#define LOAD(library, function)                                                \
    do {                                                                       \
        void *symbol = find(library, #function);                               \
        memcpy(&(function), &symbol, sizeof symbol);                           \
        if (!symbol)                                                           \
            return 1;                                                          \
    } while (0)

/* Of Lua 5.3 and 5.4. */
static int run(void *library, const char *script) {
    lua_State *(*luaL_newstate)(void);
    void (*luaL_openlibs)(lua_State *);
    int (*luaL_loadfilex)(lua_State *, const char *, const char *);
    int (*lua_pcallk)(lua_State *, int, int, int, ptrdiff_t, void *);
    const char *(*lua_tolstring)(lua_State *, int, size_t *);
    LOAD(library, luaL_newstate);
    LOAD(library, luaL_openlibs);
    LOAD(library, luaL_loadfilex);
    LOAD(library, lua_pcallk);
    LOAD(library, lua_tolstring);
    lua_State *L = luaL_newstate(); /* and stays open */
    if (!L)
        return 1;
    luaL_openlibs(L);
    if (luaL_loadfilex(L, script, NULL) == 0 &&
        lua_pcallk(L, 0, 0, 0, 0, NULL) == 0)
        return 0;
    fprintf(stderr, "%s\n", lua_tolstring(L, -1, NULL));
    return 1;
}

int main(int argc, char **argv) {
    void *libraries[MOST];
    int failed = 0, n = (argc - 2) / 2;
    if (argc < 4 || argc % 2 != 0 || n > MOST)
        return 2;
    int visible = strcmp(argv[1], "global") == 0 ? RTLD_GLOBAL : RTLD_LOCAL;
    for (int i = 0; i < n; i++) {
        libraries[i] = dlopen(argv[2 + 2 * i], RTLD_NOW | visible);
        if (!libraries[i]) {
            fprintf(stderr, "%s\n", dlerror());
            return 2;
        }
    }
    for (int i = 0; i < n; i++)
        failed |= run(libraries[i], argv[3 + 2 * i]);
    return failed;
}
