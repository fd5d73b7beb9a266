/* The calls that update people and groups: their forms of arguments are the
 * same but for the ids. */
#ifndef MP_UPDATE_H
#define MP_UPDATE_H

#include "handle.h"
#include "profile.h"

/* What is updated, and how many arguments name it. */
typedef struct mp_target {
    const char *type; /* of the userdata */
    mp_lane_id lane;
    int ids;
    const char *names[2]; /* of these arguments */
} mp_target;

/* Each is the body of a method. It returns 1 and pushes true, or returns 3
 * and pushes nil, message, code; it raises for arguments of a wrong type. */

/* (ids, name, value[, modifiers]) or (ids, table[, modifiers]) or, as the
 * operation has it, (ids, name or list[, modifiers]) or (ids[, modifiers]).
 * A number that is not given is 1. */
int mp_update_operate(lua_State *L, const mp_target *target,
                      mp_operation_id operation);

/* (ids, { ["$set"] = ... }[, modifiers]), exactly one operation. */
int mp_update_any(lua_State *L, const mp_target *target);

/* (ids, amount[, properties[, modifiers]]) */
int mp_update_charge(lua_State *L, const mp_target *target);

/* (ids[, modifiers]) */
int mp_update_clear_charges(lua_State *L, const mp_target *target);

#endif
