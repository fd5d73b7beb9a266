/* What reading records from JSON needs, once for each Lua state. */
#ifndef MP_INTAKE_H
#define MP_INTAKE_H

#include "binding/ingest/describe.h"
#include "binding/lua/compat.h"

#include "core/ingest/body.h"
#include "core/ingest/ingest.h"

typedef struct mp_intake {
    mp_ingest *ingest;
    mp_body body;
    mp_described described; /* with option describe */
    bool busy;
} mp_intake;

/* Takes that of the Lua state and pushes it, or a new one if a call under way
 * has it: a finaliser may collect too. A Lua error needs no clean-up: what it
 * leaves busy is replaced. Raises when out of memory. */
mp_intake *mp_intake_take(lua_State *L);

/* Gives it back; what was read is lost. */
void mp_intake_give(mp_intake *intake);

#endif
