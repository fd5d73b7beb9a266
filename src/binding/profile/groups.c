#include "binding/profile/groups.h"

const mp_target mp_groups_target = {
    .type = MP_GROUPS,
    .lane = MP_LANE_GROUPS,
    .ids = 2,
    .names = {"group_key", "group_id"},
};

const luaL_Reg mp_groups_methods[] = {{"update", mp_update_any}, {NULL, NULL}};
