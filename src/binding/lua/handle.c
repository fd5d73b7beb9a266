#include "binding/lua/handle.h"

#include "core/os/lock.h"
#include "core/os/random.h"

#include <stdarg.h>
#include <stdio.h>

#define SCRATCH "mixpanel.scratch"

enum {
    KEPT = 65536 /* bytes of a scratch buffer that outlive a call */
};

/* ---- types ---- */

const char *const mp_type_names[MP_TYPES] = {
    [MP_CLIENT] = "mixpanel.client",
    [MP_PEOPLE] = "mixpanel.people",
    [MP_GROUPS] = "mixpanel.groups",
    [MP_USER] = "mixpanel.user",
    [MP_USER_PEOPLE] = "mixpanel.user.people",
    [MP_USER_GROUP] = "mixpanel.user.group",
    [MP_USER_FLAGS] = "mixpanel.user_flags",
    [MP_LOCAL_FLAGS] = "mixpanel.local_flags",
    [MP_REMOTE_FLAGS] = "mixpanel.remote_flags",
};

static struct {
    mp_once once;
    uint64_t factor, types[MP_TYPES];
} keys = {.once = MP_ONCE_INIT};

static void make_keys(void) {
    keys.factor = mp_random_bits() | 1;
    for (int i = 0; i < MP_TYPES; i++)
        keys.types[i] = mp_random_bits();
}

void mp_handle_set_up(void) {
    mp_once_do(&keys.once, make_keys);
}

static inline uint64_t word_of(const mp_handle *handle, mp_type type) {
    return ((uint64_t)(uintptr_t)handle * keys.factor) ^ keys.types[type];
}

void mp_handle_type(lua_State *L, mp_type type) {
    luaL_newmetatable(L, mp_type_names[type]);
    mp_lua_closemetatable(L);
    lua_pushstring(L, mp_type_names[type]);
    lua_setfield(L, -2, "__name"); /* Lua sets it itself only from 5.3 on */
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "__index");
}

void mp_handle_add(lua_State *L, int table, const luaL_Reg *functions,
                   int scratch, mp_type type) {
    for (; functions->name; functions++) {
        lua_pushvalue(L, scratch);
        lua_pushinteger(L, (lua_Integer)type);
        lua_pushcclosure(L, functions->func, 2);
        lua_setfield(L, table, functions->name);
    }
}

void mp_handle_add_with(lua_State *L, int table, const char *name,
                        lua_CFunction function, int scratch, mp_type type,
                        lua_Integer third) {
    lua_pushvalue(L, scratch);
    lua_pushinteger(L, (lua_Integer)type);
    lua_pushinteger(L, third);
    lua_pushcclosure(L, function, 3);
    lua_setfield(L, table, name);
}

void *mp_handle_new(lua_State *L, mp_type type, size_t size) {
    mp_handle *handle = mp_lua_newuserdata(L, size);
    memset(handle, 0, size);
    handle->word = word_of(handle, type);
    return handle;
}

static _Noreturn void raise_self(lua_State *L, mp_type type) {
    mp_raise(L, 1, "%s expected, got %s%s", mp_type_names[type],
             luaL_typename(L, 1),
             lua_isuserdata(L, 1) ? "" : ": call it with a colon");
}

static inline void *check_self(lua_State *L, mp_type type) {
    mp_handle *handle = lua_touserdata(L, 1);
    /* A light userdata has the length 0. */
    if (handle && mp_lua_rawlen(L, 1) >= sizeof *handle &&
        handle->word == word_of(handle, type))
        return handle;
    raise_self(L, type);
}

void *mp_handle_self(lua_State *L) {
    return check_self(L, (mp_type)lua_tointeger(L, lua_upvalueindex(2)));
}

mp_client *mp_handle_client(lua_State *L) {
    return check_self(L, MP_CLIENT);
}

void mp_handle_close_client(mp_client *client) {
    if (client->overrides)
        mp_project_close_client(client->project, client->overrides);
    client->overrides = NULL;
    if (client->uses_flags)
        mp_project_leave_flags(client->project);
    client->uses_flags = false;
}

int mp_handle_index(lua_State *L) {
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(3));
    if (!lua_isnil(L, -1))
        return 1;
    mp_handle_self(L);
    if (lua_type(L, 2) != LUA_TSTRING)
        return 1;
    mp_lua_getuser(L, 1);
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
    return 1;
}

void mp_handle_set_index(lua_State *L, int metatable, int methods, int scratch,
                         mp_type type) {
    lua_pushvalue(L, scratch);
    lua_pushinteger(L, (lua_Integer)type);
    lua_pushvalue(L, methods);
    lua_pushcclosure(L, mp_handle_index, 3);
    lua_setfield(L, metatable, "__index");
}

/* ---- scratch ---- */

static int collect_scratch(lua_State *L) {
    mp_scratch *scratch = luaL_checkudata(L, 1, SCRATCH);
    mp_buf_free(&scratch->head);
    mp_buf_free(&scratch->body);
    mp_buf_free(&scratch->extra);
    return 0;
}

mp_scratch *mp_scratch_new(lua_State *L) {
    mp_scratch *scratch = lua_newuserdata(L, sizeof *scratch);
    memset(scratch, 0, sizeof *scratch);
    mp_lua_setcollect(L, SCRATCH, collect_scratch);
    return scratch;
}

mp_scratch *mp_scratch_take(lua_State *L) {
    lua_pushvalue(L, lua_upvalueindex(1));
    mp_scratch *scratch = lua_touserdata(L, -1);
    if (scratch->busy) {
        scratch = mp_scratch_new(L);
        lua_replace(L, -2);
        lua_pushvalue(L, -1);
        lua_replace(L, lua_upvalueindex(1));
    }
    scratch->busy = true;
    return scratch;
}

static void clear(mp_buf *buf) {
    if (buf->cap > KEPT)
        mp_buf_free(buf);
    mp_buf_clear(buf);
}

void mp_scratch_give(mp_scratch *scratch) {
    clear(&scratch->head);
    clear(&scratch->body);
    clear(&scratch->extra);
    scratch->busy = false;
}

/* ---- failures ---- */

int mp_fail(lua_State *L, mp_err err, const char *message) {
    lua_pushnil(L);
    lua_pushstring(L, message);
    lua_pushstring(L, mp_err_code(err));
    return 3;
}

int mp_fail_closed(lua_State *L) {
    return mp_fail(L, MP_CLOSED, "this client is closed");
}

int mp_fail_opted_out(lua_State *L) {
    return mp_fail(L, MP_OPTED_OUT,
                   "this user has opted out: nothing was sent");
}

static int fail_full(lua_State *L, const mp_client *client) {
    mp_settings *settings = mp_project_settings(client->project);
    char message[MP_MESSAGE];
    snprintf(message, sizeof message,
             "the queue is full: max_queue_bytes = %llu are waiting to be "
             "delivered",
             (unsigned long long)settings->max_queue_bytes);
    mp_settings_release(settings);
    return mp_fail(L, MP_QUEUE_FULL, message);
}

int mp_fail_record(lua_State *L, const mp_client *client, mp_err err,
                   const mp_fault *fault, const char *item) {
    if (err == MP_QUEUE_FULL && fault->reason[0] == '\0')
        return fail_full(L, client);
    switch (err) {
    case MP_QUEUE_FULL: /* of what is held in front of the queue */
    case MP_INVALID:
        lua_pushnil(L);
        mp_fault_push(L, fault, item);
        lua_pushstring(L, mp_err_code(err));
        return 3;
    case MP_CLOSED:
        return client->closed ? mp_fail_closed(L)
                              : mp_fail(L, err, "the process is exiting");
    case MP_OPTED_OUT:
        return mp_fail_opted_out(L);
    default:
        return mp_fail(L, err, "out of memory");
    }
}

/* ---- bad arguments ---- */

void mp_raise(lua_State *L, int arg, const char *format, ...) {
    char message[MP_MESSAGE];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    luaL_argerror(L, arg, message);
    __builtin_unreachable();
}

void mp_raise_type(lua_State *L, int arg, const char *expected) {
    mp_raise(L, arg, "%s expected, got %s", expected, luaL_typename(L, arg));
}

void mp_raise_memory(lua_State *L) {
    luaL_error(L, "out of memory");
    __builtin_unreachable();
}
