#include "binding/profile/people.h"

const mp_target mp_people_target = {
    .type = MP_PEOPLE,
    .lane = MP_LANE_PEOPLE,
    .ids = 1,
    .names = {"id"},
};

const luaL_Reg mp_people_methods[] = {{"update", mp_update_any}, {NULL, NULL}};
