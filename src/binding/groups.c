#include "groups.h"

#include "update.h"

static const mp_target groups = {
    .type = MP_GROUPS,
    .lane = MP_LANE_GROUPS,
    .ids = 2,
    .names = {"group_key", "group_id"},
};

static int set(lua_State *L) {
    return mp_update_operate(L, &groups, MP_SET);
}

static int set_once(lua_State *L) {
    return mp_update_operate(L, &groups, MP_SET_ONCE);
}

static int unite(lua_State *L) {
    return mp_update_operate(L, &groups, MP_UNION);
}

static int remove_value(lua_State *L) {
    return mp_update_operate(L, &groups, MP_REMOVE);
}

static int unset(lua_State *L) {
    return mp_update_operate(L, &groups, MP_UNSET);
}

static int delete_group(lua_State *L) {
    return mp_update_operate(L, &groups, MP_DELETE);
}

static int update_any(lua_State *L) {
    return mp_update_any(L, &groups);
}

const luaL_Reg mp_groups_methods[] = {
    {"set", set},           {"set_once", set_once},
    {"union", unite},       {"remove", remove_value},
    {"unset", unset},       {"delete", delete_group},
    {"update", update_any}, {NULL, NULL},
};
