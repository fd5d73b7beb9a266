/* The calls that update people and groups: their forms of arguments are the
 * same but for the ids. */
#ifndef MP_UPDATE_H
#define MP_UPDATE_H

#include "binding/encode/call.h"
#include "binding/profile/modifier.h"
#include "binding/profile/profile.h"

typedef struct mp_update mp_update;

/* For a profile that the userdata names, and not the arguments of a call.
 * `self` is at stack index 1. */
typedef struct mp_owner {
    /* Returns 0, or pushes why the call is refused and how many values that
     * is. */
    int (*refuse)(lua_State *L);
    /* Writes the record's first part where the encoder is, and hashes the
     * ordering key. */
    void (*head)(mp_update *u);
    /* Queues the record, or does what else is to be done with it. */
    mp_err (*accept)(mp_update *u, const mp_record *record);
} mp_owner;

/* What is updated, and how many arguments name it. */
typedef struct mp_target {
    mp_type
        type; /* of the userdata, whose memory begins as an mp_profile_handle */
    mp_lane_id lane;
    int ids;              /* 0 with an owner */
    const char *names[2]; /* of these arguments */
    const mp_owner *owner;
} mp_target;

/* A call under way. Ensures: its arguments have the right types. */
struct mp_update {
    const mp_target *target;
    mp_call call;
    mp_kind kind;
    mp_modifiers given;
    bool nothing;          /* all that there was to update is excluded */
    uint64_t ordering_key; /* hash of the ids */
    mp_id ids[2];
};

/* Pushes a userdata of the target's type and this size, all zero but for its
 * mp_profile_handle, which refers to the client at stack index `client`; its
 * table has room for two more values. */
void *mp_update_push(lua_State *L, const mp_target *target, size_t size,
                     int client);

/* Sets in the table at index `table` the methods of all operations that the
 * lane has, (ids, name, value[, modifiers]) or (ids, table[, modifiers]) or,
 * for unset, (ids, name or list[, modifiers]) and, for delete, (ids
 * [, modifiers]); for people also track_charge (ids, amount[, properties
 * [, modifiers]]) and clear_charges (ids[, modifiers]). A number that is not
 * given is 1. Each method returns 1 and pushes true, or returns 3 and pushes
 * nil, message, code; it raises for arguments of a wrong type. */
void mp_update_add_methods(lua_State *L, int table, int scratch, mp_type type,
                           mp_lane_id lane);

/* Methods for lists. */
int mp_update_delete(lua_State *L); /* (ids[, modifiers]) */
int mp_update_any(lua_State *L);    /* (ids, { ["$set"] = ... }[, modifiers]) */

#endif
