#include "binding/client/option_flags.h"

#include "core/os/path.h"
#include "core/os/syserr.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    POLL_MS = 60 * 1000,
    TTL_MS = 60 * 1000,
    TIMEOUT_MS = 10 * 1000, /* as of Mixpanel's SDKs */
    CONTEXTS = 10000
};

/* ---- members of the table, each at the top ---- */

static void read_mode(mp_option_reader *r, const mp_option *o) {
    static const char *const words[] = {"local", "remote", "both", NULL};
    int word = mp_option_get_word(r, o, words);
    r->flags->options.local = word != 1;
    r->flags->options.remote = word != 0;
}

/* A number in a range. */
static lua_Number read_number(mp_option_reader *r, const mp_option *o,
                              lua_Number least, lua_Number most) {
    lua_Number number = lua_tonumber(r->L, -1);
    if (lua_type(r->L, -1) != LUA_TNUMBER ||
        !(number >= least && number <= most))
        mp_option_fail(r, o);
    return number;
}

static void read_interval(mp_option_reader *r, const mp_option *o) {
    r->flags->options.poll_ms = llround(read_number(r, o, 0.1, 86400) * 1000);
}

static void read_ttl(mp_option_reader *r, const mp_option *o) {
    r->flags->options.ask.ttl_ms = llround(read_number(r, o, 1, 86400) * 1000);
}

static void read_timeout(mp_option_reader *r, const mp_option *o) {
    r->flags->options.ask.timeout_ms =
        llround(read_number(r, o, 0, 3600) * 1000);
}

static void read_contexts(mp_option_reader *r, const mp_option *o) {
    lua_Number number = read_number(r, o, 1, 1000000);
    if (number != floor(number))
        mp_option_fail(r, o);
    r->flags->options.ask.contexts = (uint32_t)number;
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
    {"flags.mode", read_mode, "\"local\", \"remote\" or \"both\""},
    {"flags.exposure", read_exposure, "\"once\", \"always\" or \"never\""},
    {"flags.poll_interval", read_interval, "seconds from 0.1 to 86400"},
    {"flags.file", read_file, "the path of a file"},
    {"flags.ttl", read_ttl, "seconds from 1 to 86400"},
    {"flags.timeout", read_timeout, "seconds from 0 to 3600"},
    {"flags.contexts", read_contexts, "an integer from 1 to 1000000"},
};

enum { /* of `members`: */
    FIRST_LOCAL = 2,
    FIRST_REMOTE = 4,
    MEMBERS = sizeof members / sizeof *members
};

/* ---- the option ---- */

static const char *name_of(const mp_option *member) {
    return member->name + sizeof "flags." - 1;
}

static const mp_option *find_member(const char *name) {
    for (size_t i = 0; i < MEMBERS; i++)
        if (strcmp(name_of(&members[i]), name) == 0)
            return &members[i];
    return NULL;
}

/* Raises for a member that another mode would need, in the table at the top. */
static void check_mode(mp_option_reader *r) {
    const mp_flag_options *options = &r->flags->options;
    for (size_t i = FIRST_LOCAL; i < MEMBERS; i++) {
        bool remote = i >= FIRST_REMOTE;
        lua_pushstring(r->L, name_of(&members[i]));
        lua_rawget(r->L, -2);
        if (!lua_isnil(r->L, -1) &&
            !(remote ? options->remote : options->local))
            mp_raise(r->L, r->arg,
                     "option '%s' needs flags.mode \"%s\" or \"both\"",
                     members[i].name, remote ? "remote" : "local");
        lua_pop(r->L, 1);
    }
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
                     "option 'flags': %s is none of mode, exposure, "
                     "poll_interval, file, ttl, timeout and contexts",
                     mp_fault_show(L, -2, shown));
        member->read(r, member);
        lua_pop(L, 1);
    }
    check_mode(r);
}

void mp_option_flags(mp_option_reader *r, const mp_option *o) {
    if (!r->flags)
        mp_raise(r->L, r->arg,
                 "option 'flags' is for mixpanel.new and cannot be changed: "
                 "make a new client");
    r->flags->wanted = true;
    r->flags->options = (mp_flag_options){
        .poll_ms = POLL_MS,
        .local = true,
        .ask = {.ttl_ms = TTL_MS,
                .timeout_ms = TIMEOUT_MS,
                .contexts = CONTEXTS},
    };
    if (lua_istable(r->L, -1))
        read_members(r);
    else
        read_mode(r, o);
}
