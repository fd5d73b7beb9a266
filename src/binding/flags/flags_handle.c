#include "binding/flags/flags_handle.h"

#include "core/engine/engine.h"

#define WORK "mixpanel.flag_work"

/* ---- work ---- */

static int collect_work(lua_State *L) {
    mp_flag_work *w = luaL_checkudata(L, 1, WORK);
    mp_flag_set_drop(w->set);
    w->set = NULL;
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
    w->set = NULL;
    w->busy = false;
}

/* ---- the client ---- */

void mp_flags_handle_push(lua_State *L, int client) {
    mp_flags_handle *flags = mp_handle_new(L, MP_LOCAL_FLAGS, sizeof *flags);
    int self = lua_gettop(L);
    flags->client = lua_touserdata(L, client);
    lua_createtable(L, 2, 0);
    lua_pushvalue(L, client);
    lua_rawseti(L, -2, 1);
    flags->work = new_work(L);
    lua_rawseti(L, -2, 2);
    mp_lua_setuser(L, self);
    luaL_getmetatable(L, mp_type_names[MP_LOCAL_FLAGS]);
    lua_setmetatable(L, self);
}

mp_flags_handle *mp_flags_handle_check(lua_State *L) {
    mp_flags_handle *flags = mp_handle_self(L);
    if (!flags->client->wants_flags)
        luaL_error(L, "local_flags: this client was made without option "
                      "'flags': say flags = \"local\" to mixpanel.new");
    return flags;
}

mp_flags *mp_flags_handle_start(const mp_flags_handle *flags) {
    const mp_client *client = flags->client;
    if (client->flags && !mp_flags_attended(client->flags))
        mp_engine_start_flags(client->project, false);
    return client->flags;
}

void mp_flags_handle_push_client(lua_State *L) {
    mp_lua_getuser(L, 1);
    lua_rawgeti(L, -1, 1);
}
