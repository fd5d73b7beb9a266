#include "binding/profile/people.h"

const mp_target mp_people_target = {
    .type = MP_PEOPLE,
    .lane = MP_LANE_PEOPLE,
    .ids = 1,
    .names = {"id"},
};

static const luaL_Reg own[] = {
    {"delete_user", mp_update_delete},
    {"update", mp_update_any},
    {NULL, NULL},
};

const luaL_Reg *const mp_people_methods[] = {
    mp_update_methods,
    mp_update_people_methods,
    own,
    NULL,
};
