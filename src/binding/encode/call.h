/* A call that makes records: the begin and the end that all methods share. */
#ifndef MP_CALL_H
#define MP_CALL_H

#include "binding/encode/encode.h"
#include "binding/lua/handle.h"

/* Lives on the C stack of its method; a Lua error needs no clean-up. */
typedef struct mp_call {
    const mp_client *client;
    mp_scratch *scratch;
    mp_encode e;
} mp_call;

/* Begins a call: takes the scratch, pushes it, and points the encoder at its
 * body, for lists of at most `list_max` elements. Faults are found in `root`,
 * a static text. Notes MP_CLOSED if a finaliser collected the client. */
void mp_call_begin(mp_call *call, lua_State *L, const mp_client *client,
                   size_t list_max, const char *root);

/* Ends a call, after which nothing points into the scratch any more: pushes
 * true and returns 1; or, for an error of which the encoder's fault tells,
 * pushes nil, message, code and returns 3. */
int mp_call_end(mp_call *call, mp_err err);

#endif
