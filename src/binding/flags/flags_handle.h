/* The userdata behind mp.local_flags and mp.remote_flags, and what their
 * evaluations use. */
#ifndef MP_FLAGS_HANDLE_H
#define MP_FLAGS_HANDLE_H

#include "binding/lua/handle.h"

#include "core/flags/context.h"
#include "core/flags/flag_set.h"
#include "core/flags/variants.h"

/* What an evaluation uses, which survives a Lua error. */
typedef struct mp_flag_work {
    mp_flag_set *set;      /* a reference; NULL: none */
    mp_variants *variants; /* the same, of Mixpanel's answer */
    mp_buf json;           /* of the context, for Mixpanel */
    mp_context context;
    mp_arena rules; /* of one of many flags */
    bool busy;
} mp_flag_work;

/* Refers to a table with the client at 1, and its work at 2. */
typedef struct mp_flags_handle {
    mp_handle handle;
    mp_client *client;
    mp_flag_work *work;
    bool remote;
} mp_flags_handle;

/* Pushes the flags, local or remote by their type, of the client at stack index
 * `client`, which may not be open yet. */
void mp_flags_handle_push(lua_State *L, int client, mp_type type);

/* The flags at argument 1 of a method; raises if the client has none. */
mp_flags_handle *mp_flags_handle_check(lua_State *L);

/* The client's flags, started if they are local; NULL: the client was
 * collected. */
mp_flags *mp_flags_handle_start(const mp_flags_handle *handle);

/* Pushes the client, below it a table. */
void mp_flags_handle_push_client(lua_State *L);

/* Takes the work of the flags at argument 1 and pushes it, so that it outlives
 * a nested call, of a finaliser, that gets another. Work that a Lua error left
 * busy is collected. */
mp_flag_work *mp_flag_work_take(lua_State *L, mp_flags_handle *handle);

/* Gives it back, and its references. */
void mp_flag_work_give(mp_flag_work *work);

#endif
