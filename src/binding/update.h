/* The calls that update people and groups: their forms of arguments are the
 * same but for the ids. */
#ifndef MP_UPDATE_H
#define MP_UPDATE_H

#include "handle.h"
#include "profile.h"

typedef struct mp_update mp_update;

/* Where it is not the arguments of a call that name what is updated. `self`
 * is at stack index 1. */
typedef struct mp_owner {
    /* Returns 0, or pushes why the call is refused and how many values that
     * is. */
    int (*refuse)(lua_State *L);
    /* Writes the record's first part where the encoder is, and hashes the
     * subject. */
    mp_err (*head)(mp_update *u);
    /* Queues the record, or does what else is to be done with it. */
    mp_err (*accept)(mp_update *u, const mp_record *record);
} mp_owner;

/* What is updated, and how many arguments name it. */
typedef struct mp_target {
    const char *type; /* of the userdata, whose memory begins as an mp_part */
    mp_lane_id lane;
    int ids;              /* 0 with an owner */
    const char *names[2]; /* of these arguments */
    const mp_owner *owner;
} mp_target;

/* A call in the making: its arguments were checked, so nothing of it depends
 * on their types any more. */
struct mp_update {
    const mp_target *target;
    mp_client *client;
    mp_scratch *scratch;
    mp_encode e;
    mp_kind kind;
    bool has_ip;
    bool nothing;     /* all that there was to update is excluded */
    uint32_t subject; /* hash of the ids */
    mp_id ids[2];
};

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
