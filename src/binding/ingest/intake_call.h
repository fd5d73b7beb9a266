/* What collect and ingest share: a call under way, and its results. */
#ifndef MP_INTAKE_CALL_H
#define MP_INTAKE_CALL_H

#include "binding/ingest/intake.h"
#include "binding/lua/handle.h"

/* A call: what it reads, and what became of that. */
typedef struct mp_intake_call {
    lua_State *L;
    mp_client *client;
    mp_intake *intake;
    mp_ingest_token token; /* the client's own */
    mp_ingest_rules rules;
    mp_ingest_result result;
} mp_intake_call;

typedef struct mp_intake_endpoint {
    const char *name;
    mp_lane_id lane;
} mp_intake_endpoint;

/* The lane of the endpoint that is the second argument; raises. */
mp_lane_id mp_intake_check_endpoint(lua_State *L,
                                    const mp_intake_endpoint *endpoints,
                                    const char *expected);
void mp_intake_check_text(lua_State *L, int arg, const char *expected);

/* What both methods begin with, once all arguments are read: nothing of Lua's
 * is allocated from here until the records were read. */
void mp_intake_set_rules(mp_intake_call *call, const mp_ingest_token *tokens,
                         size_t token_count);
mp_ingest_token mp_intake_own_token(const mp_client *client);

/* For events that others sent, who have no rights but their own. */
void mp_intake_set_collected(mp_ingest_rules *rules);

/* Pushes the table that says what was taken, with refusals of at most so
 * many records. It is made before anything is queued: what raises, when out of
 * memory, took nothing. MP_CLOSED: a finaliser closed the client meanwhile. */
mp_err mp_intake_push_result(const mp_intake_call *call, size_t shown);
void mp_intake_set_count(lua_State *L, const char *field, uint64_t value);

/* After all was queued, into that table: up to which record `done` asks. Raises
 * nothing. */
void mp_intake_set_mark(const mp_intake_call *call);

/* Push nil, a message and a code; return how many. */
int mp_intake_fail_json(mp_intake_call *call, const char *argument);
int mp_intake_fail_push(const mp_intake_call *call, mp_err err);

#endif
