/* require "mixpanel": the one symbol that the library exports. */
#include "binding/client/client.h"
#include "binding/client/delivery.h"
#include "binding/client/manual.h"
#include "binding/client/outcomes.h"
#include "binding/client/spooled.h"
#include "binding/encode/timestamp.h"
#include "binding/encode/type_hint.h"
#include "binding/event/events.h"
#include "binding/flags/local_flags.h"
#include "binding/flags/remote_flags.h"
#include "binding/ingest/collect.h"
#include "binding/lua/handle.h"
#include "binding/profile/groups.h"
#include "binding/profile/people.h"
#include "binding/user/user_handle.h"

#include "core/base/version.h"
#include "core/config/config.h"
#include "core/os/clock.h"
#include "core/transport/bus_head.h"

__attribute__((visibility("default"))) int luaopen_mixpanel(lua_State *L);

static int new_client(lua_State *L);

/* Raises for a function of the module that was called as a method. */
static void check_dot(lua_State *L, const char *name) {
    if (!lua_istable(L, 1) || lua_gettop(L) < 2)
        return;
    lua_pushliteral(L, "new");
    lua_rawget(L, 1);
    bool colon = lua_tocfunction(L, -1) == new_client;
    lua_pop(L, 1);
    if (colon)
        luaL_error(L, "call mixpanel.%s with a dot, not with a colon", name);
}

static int new_client(lua_State *L) {
    check_dot(L, "new");
    return mp_client_new(L);
}

static int array(lua_State *L) {
    check_dot(L, "array");
    return mp_type_hint_array(L);
}

static int object(lua_State *L) {
    check_dot(L, "object");
    return mp_type_hint_object(L);
}

/* mixpanel.date([seconds]) */
static int date(lua_State *L) {
    check_dot(L, "date");
    char text[MP_DATE_TEXT], shown[MP_SHOWN];
    lua_Number seconds = (lua_Number)mp_clock_wall_ms() / 1000;
    if (!lua_isnoneornil(L, 1)) {
        if (lua_type(L, 1) != LUA_TNUMBER)
            mp_raise_type(L, 1, "seconds: number");
        seconds = lua_tonumber(L, 1);
    }
    if (!mp_timestamp_date(seconds, text))
        mp_raise(L, 1,
                 "seconds: got %s, expected seconds since the epoch, of a time "
                 "in the years 1 to 9999",
                 mp_fault_show(L, 1, shown));
    lua_pushstring(L, text);
    return 1;
}

/* mixpanel.bus_subject(token) */
static int bus_subject(lua_State *L) {
    check_dot(L, "bus_subject");
    char subject[MP_BUS_PROJECT], message[MP_MESSAGE];
    size_t len;
    if (lua_type(L, 1) != LUA_TSTRING)
        mp_raise_type(L, 1, "project token: string");
    const char *token = lua_tolstring(L, 1, &len);
    if (mp_config_check_token(token, len, message) != MP_OK)
        mp_raise(L, 1, "%s", message);
    mp_bus_project_subject(subject, token);
    lua_pushstring(L, subject);
    return 1;
}

/* Adds a type that updates profiles; `own`: methods beside those of the
 * operations, or instead of them. */
static void add_profile_handle(lua_State *L, int scratch, mp_type type,
                               mp_lane_id lane, const luaL_Reg *own) {
    mp_handle_type(L, type);
    int methods = lua_gettop(L);
    mp_update_add_methods(L, methods, scratch, type, lane);
    if (own)
        mp_handle_add(L, methods, own, scratch, type);
    lua_pop(L, 2);
}

/* What client.c copies for each client that is used. */
static void add_client(lua_State *L, int scratch) {
    static const luaL_Reg *const lists[] = {
        mp_events_methods,   mp_collect_methods,
        mp_ingest_methods,   mp_client_methods,
        mp_delivery_methods, mp_outcomes_methods,
        mp_manual_methods,   mp_spooled_methods,
        mp_user_constructor, NULL,
    };
    mp_handle_type(L, MP_CLIENT);
    int methods = lua_gettop(L);
    for (size_t i = 0; lists[i]; i++)
        mp_handle_add(L, methods, lists[i], scratch, MP_CLIENT);
    mp_handle_add(L, methods - 1, mp_client_metamethods, scratch, MP_CLIENT);
    lua_pushvalue(L, methods);
    lua_pushcclosure(L, mp_client_first_index, 1);
    lua_setfield(L, methods - 1, "__index");
    lua_pop(L, 2);
}

static void add_user(lua_State *L, int scratch) {
    mp_handle_type(L, MP_USER);
    int methods = lua_gettop(L), metatable = methods - 1;
    for (size_t i = 0; mp_user_methods[i]; i++)
        mp_handle_add(L, methods, mp_user_methods[i], scratch, MP_USER);
    mp_handle_add(L, metatable, mp_user_metamethods, scratch, MP_USER);
    mp_handle_set_index(L, metatable, methods, scratch, MP_USER);
    lua_pop(L, 2);
    add_profile_handle(L, scratch, MP_USER_PEOPLE, MP_LANE_PEOPLE,
                       mp_user_people_methods);
    add_profile_handle(L, scratch, MP_USER_GROUP, MP_LANE_GROUPS, NULL);
}

static void add_flags(lua_State *L, int scratch, mp_type type,
                      const luaL_Reg *methods) {
    mp_handle_type(L, type);
    mp_handle_add(L, lua_gettop(L), methods, scratch, type);
    lua_pop(L, 2);
}

/* May run any number of times, in any number of states and threads. */
int luaopen_mixpanel(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"new", new_client},          {"array", array},
        {"object", object},           {"date", date},
        {"bus_subject", bus_subject}, {NULL, NULL},
    };
#if LUA_VERSION_NUM >= 502
    luaL_checkversion(L);
#endif
    mp_handle_set_up();
    mp_type_hint_set_up(L);
    mp_scratch_new(L);
    int scratch = lua_gettop(L);
    add_profile_handle(L, scratch, MP_PEOPLE, MP_LANE_PEOPLE,
                       mp_people_methods);
    add_profile_handle(L, scratch, MP_GROUPS, MP_LANE_GROUPS,
                       mp_groups_methods);
    add_client(L, scratch);
    add_user(L, scratch);
    add_flags(L, scratch, MP_USER_FLAGS, mp_user_flags_methods);
    add_flags(L, scratch, MP_LOCAL_FLAGS, mp_local_flags_methods);
    add_flags(L, scratch, MP_REMOTE_FLAGS, mp_remote_flags_methods);
    lua_newtable(L);
    for (const luaL_Reg *f = functions; f->name; f++) {
        lua_pushcfunction(L, f->func);
        lua_setfield(L, -2, f->name);
    }
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    lua_pushliteral(L, MP_VERSION);
    lua_setfield(L, -2, "_VERSION");
    return 1;
}
