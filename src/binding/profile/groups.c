#include "binding/profile/groups.h"

const mp_target mp_groups_target = {
    .type = MP_GROUPS,
    .lane = MP_LANE_GROUPS,
    .ids = 2,
    .names = {"group_key", "group_id"},
};

static const luaL_Reg own[] = {
    {"delete", mp_update_delete},
    {"update", mp_update_any},
    {NULL, NULL},
};

const luaL_Reg *const mp_groups_methods[] = {mp_update_methods, own, NULL};
