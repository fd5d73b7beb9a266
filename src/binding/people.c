#include "people.h"

#include "update.h"

static const mp_target people = {
    .type = MP_PEOPLE,
    .lane = MP_LANE_PEOPLE,
    .ids = 1,
    .names = {"id"},
};

static int set(lua_State *L) {
    return mp_update_operate(L, &people, MP_SET);
}

static int set_once(lua_State *L) {
    return mp_update_operate(L, &people, MP_SET_ONCE);
}

static int append(lua_State *L) {
    return mp_update_operate(L, &people, MP_APPEND);
}

static int unite(lua_State *L) {
    return mp_update_operate(L, &people, MP_UNION);
}

static int remove_value(lua_State *L) {
    return mp_update_operate(L, &people, MP_REMOVE);
}

static int increment(lua_State *L) {
    return mp_update_operate(L, &people, MP_ADD);
}

static int unset(lua_State *L) {
    return mp_update_operate(L, &people, MP_UNSET);
}

static int delete_user(lua_State *L) {
    return mp_update_operate(L, &people, MP_DELETE);
}

static int track_charge(lua_State *L) {
    return mp_update_charge(L, &people);
}

static int clear_charges(lua_State *L) {
    return mp_update_clear_charges(L, &people);
}

static int update_any(lua_State *L) {
    return mp_update_any(L, &people);
}

const luaL_Reg mp_people_methods[] = {
    {"set", set},
    {"set_once", set_once},
    {"append", append},
    {"union", unite},
    {"remove", remove_value},
    {"increment", increment},
    {"unset", unset},
    {"delete_user", delete_user},
    {"track_charge", track_charge},
    {"clear_charges", clear_charges},
    {"update", update_any},
    {NULL, NULL},
};
