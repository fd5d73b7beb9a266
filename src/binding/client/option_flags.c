#include "binding/client/option_flags.h"

#include "core/os/path.h"
#include "core/os/syserr.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    POLL_MS = 60 * 1000
};

static const char *const modes[] = {"local", NULL};

/* ---- members of the table, each at the top ---- */

static void read_mode(mp_option_reader *r, const mp_option *o) {
    mp_option_get_word(r, o, modes);
}

static void read_interval(mp_option_reader *r, const mp_option *o) {
    lua_Number seconds = lua_tonumber(r->L, -1);
    if (lua_type(r->L, -1) != LUA_TNUMBER ||
        !(seconds >= 0.1 && seconds <= 86400))
        mp_option_fail(r, o);
    r->flags->poll_ms = llround(seconds * 1000);
}

static void read_exposure(mp_option_reader *r, const mp_option *o) {
    static const char *const words[] = {
        [MP_EXPOSE_ONCE] = "once",
        [MP_EXPOSE_ALWAYS] = "always",
        [MP_EXPOSE_NEVER] = "never",
        NULL,
    };
    r->flags->exposure = (mp_expose)mp_option_get_word(r, o, words);
}

static void read_file(mp_option_reader *r, const mp_option *o) {
    char text[MP_SYSERR];
    const char *path = mp_option_get_text(r, o);
    if (*path == '\0')
        mp_option_fail(r, o);
    free(r->flags->file);
    r->flags->file = NULL;
    int err = mp_path_absolute(path, &r->flags->file);
    if (err == ENOMEM)
        mp_raise_memory(r->L);
    if (err != 0)
        mp_raise(r->L, r->arg,
                 "option '%s': there is no working directory: %.64s", o->name,
                 mp_syserr_text(err, text));
}

static const mp_option members[] = {
    {"flags.mode", read_mode, "\"local\""},
    {"flags.poll_interval", read_interval, "seconds from 0.1 to 86400"},
    {"flags.file", read_file, "the path of a file"},
    {"flags.exposure", read_exposure, "\"once\", \"always\" or \"never\""},
};

/* ---- the option ---- */

static const mp_option *find_member(const char *name) {
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (strcmp(members[i].name + sizeof "flags." - 1, name) == 0)
            return &members[i];
    return NULL;
}

static void read_members(mp_option_reader *r) {
    lua_State *L = r->L;
    int table = lua_gettop(L);
    char shown[MP_SHOWN];
    lua_pushnil(L);
    while (lua_next(L, table)) {
        const mp_option *member = lua_type(L, -2) == LUA_TSTRING
                                      ? find_member(lua_tostring(L, -2))
                                      : NULL;
        if (!member)
            mp_raise(L, r->arg,
                     "option 'flags': %s is none of mode, poll_interval, file "
                     "and exposure",
                     mp_fault_show(L, -2, shown));
        member->read(r, member);
        lua_pop(L, 1);
    }
}

void mp_option_flags(mp_option_reader *r, const mp_option *o) {
    if (!r->flags)
        mp_raise(r->L, r->arg,
                 "option 'flags' is for mixpanel.new and cannot be changed: "
                 "make a new client");
    r->flags->wanted = true;
    r->flags->poll_ms = POLL_MS;
    if (lua_istable(r->L, -1))
        read_members(r);
    else
        mp_option_get_word(r, o, modes);
}
