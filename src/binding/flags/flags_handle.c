#include "binding/flags/flags_handle.h"

#include "core/engine/engine.h"

#define WORK "mixpanel.flag_work"

/* ---- work ---- */

static int collect_work(lua_State *L) {
    mp_flag_work *w = luaL_checkudata(L, 1, WORK);
    mp_flag_set_drop(w->set);
    w->set = NULL;
    mp_variants_drop(w->variants);
    w->variants = NULL;
    mp_buf_free(&w->json);
    mp_context_free(&w->context);
    mp_arena_free(&w->rules);
    return 0;
}

/* Pushes new work. */
static mp_flag_work *new_work(lua_State *L) {
    mp_flag_work *w = lua_newuserdata(L, sizeof *w);
    memset(w, 0, sizeof *w);
    w->rules.limit = MP_CONTEXT_BYTES;
    mp_lua_setcollect(L, WORK, collect_work);
    return w;
}

mp_flag_work *mp_flag_work_take(lua_State *L, mp_flags_handle *flags) {
    mp_lua_getuser(L, 1);
    if (flags->work->busy) {
        flags->work = new_work(L);
        lua_rawseti(L, -2, 2);
    }
    lua_rawgeti(L, -1, 2);
    lua_replace(L, -2);
    flags->work->busy = true;
    return flags->work;
}

void mp_flag_work_give(mp_flag_work *w) {
    mp_flag_set_drop(w->set);
    mp_variants_drop(w->variants);
    w->set = NULL;
    w->variants = NULL;
    w->busy = false;
}

/* ---- the client ---- */

void mp_flags_handle_push(lua_State *L, int client, mp_type type) {
    mp_flags_handle *flags = mp_handle_new(L, type, sizeof *flags);
    int self = lua_gettop(L);
    flags->remote = type == MP_REMOTE_FLAGS;
    flags->client = lua_touserdata(L, client);
    lua_createtable(L, 2, 0);
    lua_pushvalue(L, client);
    lua_rawseti(L, -2, 1);
    flags->work = new_work(L);
    lua_rawseti(L, -2, 2);
    mp_lua_setuser(L, self);
    luaL_getmetatable(L, mp_type_names[type]);
    lua_setmetatable(L, self);
}

static _Noreturn void refuse(lua_State *L, const mp_flags_handle *flags) {
    const char *mode = flags->remote ? "remote" : "local";
    const mp_client *client = flags->client;
    if (client->asks_flags || client->decides_flags)
        luaL_error(L,
                   "%s_flags: option 'flags' of this client is \"%s\": say "
                   "flags = \"%s\" or \"both\" to mixpanel.new",
                   mode, flags->remote ? "local" : "remote", mode);
    luaL_error(L,
               "%s_flags: this client was made without option 'flags': say "
               "flags = \"%s\" to mixpanel.new",
               mode, mode);
    abort(); /* luaL_error does not return */
}

mp_flags_handle *mp_flags_handle_check(lua_State *L) {
    mp_flags_handle *flags = mp_handle_self(L);
    const mp_client *client = flags->client;
    if (!(flags->remote ? client->asks_flags : client->decides_flags))
        refuse(L, flags);
    return flags;
}

mp_flags *mp_flags_handle_start(const mp_flags_handle *flags) {
    const mp_client *client = flags->client;
    if (!flags->remote && client->flags && !mp_flags_attended(client->flags))
        mp_engine_start_flags(client->project);
    return client->flags;
}

void mp_flags_handle_push_client(lua_State *L) {
    mp_lua_getuser(L, 1);
    lua_rawgeti(L, -1, 1);
}
