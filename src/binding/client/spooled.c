#include "binding/client/spooled.h"

#include "binding/encode/decode.h"
#include "binding/lua/handle.h"

#include "core/spool/look.h"

#include <errno.h>
#include <string.h>

/* Of what could not be read. */
static int fail(lua_State *L, int err, const char *message) {
    mp_err code = err == ENOMEM ? MP_MEMORY : MP_STATE;
    return mp_fail(L, err == EINVAL ? MP_INVALID : code, message);
}

static int spool_list(lua_State *L) {
    const mp_client *client = mp_handle_client(L);
    char message[MP_MESSAGE] = "";
    if (!client->project)
        return mp_fail_closed(L);
    if (!mp_project_on_disk(client->project))
        luaL_error(L, "spool_list: this client has no option 'spool'");
    mp_scratch *scratch = mp_scratch_take(L);
    if (!client->project) /* a finaliser collected it */
        return mp_fail_closed(L);
    int err = mp_project_look(client->project, &scratch->head, message);
    if (err != 0) {
        mp_scratch_give(scratch);
        return fail(L, err, message);
    }
    mp_decode_push(L, scratch->head.data, scratch->head.len);
    mp_scratch_give(scratch);
    return 1;
}

static void push_lines(lua_State *L, const mp_buf *lines, uint32_t n) {
    const char *at = lines->data, *last = at + lines->len;
    lua_createtable(L, (int)n, 0);
    for (uint32_t i = 0; i < n; i++) {
        const char *end = memchr(at, '\n', (size_t)(last - at));
        lua_pushlstring(L, at, (size_t)(end - at));
        lua_rawseti(L, -2, (int)i + 1);
        at = end + 1;
    }
}

static int spool_read(lua_State *L) {
    mp_look seen;
    char message[MP_MESSAGE] = "";
    mp_handle_client(L);
    if (lua_type(L, 2) != LUA_TSTRING)
        mp_raise_type(L, 2, "path of a file: string");
    mp_scratch *scratch = mp_scratch_take(L);
    int err =
        mp_look_records(lua_tostring(L, 2), &scratch->head, &seen, message);
    if (err != 0) {
        mp_scratch_give(scratch);
        return fail(L, err, message);
    }
    lua_createtable(L, 0, 3);
    lua_pushstring(L, mp_endpoints[seen.lane].name);
    lua_setfield(L, -2, "endpoint");
    push_lines(L, &scratch->head, seen.records);
    lua_setfield(L, -2, "records");
    if (seen.problem[0]) {
        lua_pushstring(L, seen.problem);
        lua_setfield(L, -2, "problem");
    }
    mp_scratch_give(scratch);
    return 1;
}

const luaL_Reg mp_spooled_methods[] = {
    {"spool_list", spool_list},
    {"spool_read", spool_read},
    {NULL, NULL},
};
