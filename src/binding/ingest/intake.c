#include "binding/ingest/intake.h"

#include "core/base/hash.h"
#include "core/os/rng.h"

#include <string.h>

#define INTAKE  "mixpanel.intake"
#define CURRENT "mixpanel.intake.current" /* in the registry */

static int collect_intake(lua_State *L) {
    mp_intake *intake = luaL_checkudata(L, 1, INTAKE);
    mp_ingest_free(intake->ingest);
    intake->ingest = NULL;
    mp_body_free(&intake->body);
    mp_described_free(&intake->described);
    return 0;
}

static mp_ingest *make_ingest(lua_State *L) {
    char seed[MP_UUID];
    mp_uuid(seed);
    mp_ingest *ingest = mp_ingest_new(mp_hash(0, seed, sizeof seed));
    if (!ingest)
        luaL_error(L, "out of memory");
    return ingest;
}

static mp_intake *push_intake(lua_State *L) {
    mp_intake *intake = lua_newuserdata(L, sizeof *intake);
    memset(intake, 0, sizeof *intake);
    mp_lua_setcollect(L, INTAKE, collect_intake);
    intake->ingest = make_ingest(L);
    intake->described.ingest = make_ingest(L);
    return intake;
}

mp_intake *mp_intake_take(lua_State *L) {
    lua_getfield(L, LUA_REGISTRYINDEX, CURRENT);
    mp_intake *intake = lua_touserdata(L, -1);
    if (!intake || intake->busy) {
        lua_pop(L, 1);
        intake = push_intake(L);
        lua_pushvalue(L, -1);
        lua_setfield(L, LUA_REGISTRYINDEX, CURRENT);
    }
    intake->busy = true;
    return intake;
}

void mp_intake_give(mp_intake *intake) {
    intake->busy = false;
}
