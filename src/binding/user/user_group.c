/* The profile of one group, as get_group gives it. */
#include "binding/user/user_handle.h"

#include "binding/profile/update.h"

#include "core/engine/engine.h"
#include "core/record/line.h"

/* ---- the calls of update.h ---- */

static mp_user_profile_handle *handle_of(lua_State *L) {
    return lua_touserdata(L, 1);
}

static int refuse(lua_State *L) {
    return mp_user_refuse_sending(L, handle_of(L)->self);
}

static void put_head(mp_update *u) {
    const mp_id *ids = handle_of(u->call.e.L)->ids;
    u->ordering_key =
        mp_line_ordering_key(mp_line_ordering_seed(), ids[0].text, ids[0].len);
    u->ordering_key =
        mp_line_ordering_key(u->ordering_key, ids[1].text, ids[1].len);
    mp_profile_head(&u->call.e,
                    mp_project_config(u->call.client->project)->token, ids, 2);
}

static mp_err accept(mp_update *u, const mp_record *record) {
    return mp_engine_push(u->call.client->project, MP_LANE_GROUPS, record, 1);
}

static const mp_owner owner = {refuse, put_head, accept};

static const mp_target group = {
    .type = MP_USER_GROUP,
    .lane = MP_LANE_GROUPS,
    .owner = &owner,
};

/* ---- life ---- */

/* Keeps a text as a string in the table at the top, and points at it. */
static void keep(lua_State *L, int place, const mp_id *id, mp_id *kept) {
    lua_pushlstring(L, id->text, id->len);
    kept->text = lua_tolstring(L, -1, &kept->len);
    lua_rawseti(L, -2, place);
}

/* Reads the group's key and id at arguments 2 and 3. */
static mp_err read_group(lua_State *L, mp_id ids[2], mp_fault *fault) {
    mp_fault_start(fault, "group_key");
    mp_err err = mp_id_argument(L, 2, &ids[0], fault);
    if (err != MP_OK)
        return err;
    fault->root = "group_id";
    return mp_id_argument(L, 3, &ids[1], fault);
}

/* (group_key, group_id) */
int mp_user_get_group(lua_State *L) {
    mp_id ids[2];
    mp_fault fault;
    mp_user_handle *self = mp_user_self(L);
    if (lua_type(L, 2) != LUA_TSTRING)
        mp_raise_type(L, 2, "group_key: string");
    mp_id_check(L, 3, "group_id");
    mp_err err = read_group(L, ids, &fault);
    int refused = mp_user_refuse(L, self);
    if (refused > 0)
        return refused;
    if (err != MP_OK)
        return mp_user_result(L, err, &fault);
    mp_lua_getuser(L, 1);
    lua_rawgeti(L, -1, 2); /* the client */
    mp_user_profile_handle *handle =
        mp_update_push(L, &group, sizeof *handle, lua_gettop(L));
    handle->self = self;
    mp_lua_getuser(L, -1);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 2);
    keep(L, 3, &ids[0], &handle->ids[0]);
    keep(L, 4, &ids[1], &handle->ids[1]);
    lua_pop(L, 1);
    return 1;
}
