/* When events of a user began. */
#include "binding/user/user_handle.h"

#include "core/os/clock.h"

static const char *check_name(lua_State *L, size_t *len) {
    if (lua_type(L, 2) != LUA_TSTRING)
        mp_raise_type(L, 2, "event: string");
    return lua_tolstring(L, 2, len);
}

static mp_err start_timer(mp_user_handle *self, const char *name, size_t len) {
    const mp_timer now = {mp_clock_wall_ms(), mp_clock_mono_ms()};
    mp_err err = mp_timers_start(&self->user.timers, name, len, &now);
    if (err != MP_OK)
        return err;
    mp_user_save(self);
    return MP_OK;
}

static int time_event(lua_State *L) {
    size_t len;
    mp_fault fault;
    mp_user_handle *self = mp_user_self(L);
    const char *name = check_name(L, &len);
    int refused = mp_user_refuse(L, self);
    if (refused > 0)
        return refused;
    mp_fault_start(&fault, "event");
    mp_err err = mp_user_check_timer(name, len, &fault);
    if (err == MP_OK && !mp_user_is_disabled(self, name, len))
        err = start_timer(self, name, len);
    if (err == MP_QUEUE_FULL)
        mp_fault_set(&fault,
                     "%u timers run already: at most %d, or names of %d bytes "
                     "together, run at once",
                     self->user.timers.dict.count, MP_TIMERS_MAX,
                     MP_TIMERS_BYTES);
    return mp_user_result(L, err, &fault);
}

/* Seconds since the timer of the event began; nil: it does not run. */
static int event_elapsed_time(lua_State *L) {
    size_t len;
    const mp_user_handle *self = mp_user_self(L);
    const char *name = check_name(L, &len);
    int64_t ms = mp_timers_elapsed(&self->user.timers, name, len,
                                   mp_clock_wall_ms(), mp_clock_mono_ms());
    if (ms < 0)
        lua_pushnil(L);
    else
        lua_pushnumber(L, (lua_Number)ms / 1000);
    return 1;
}

static int clear_timed_event(lua_State *L) {
    size_t len;
    mp_user_handle *self = mp_user_self(L);
    const char *name = check_name(L, &len);
    int refused = mp_user_refuse(L, self);
    if (refused > 0)
        return refused;
    if (mp_timers_stop(&self->user.timers, name, len))
        mp_user_save(self);
    return mp_user_result(L, MP_OK, NULL);
}

static int clear_timed_events(lua_State *L) {
    mp_user_handle *self = mp_user_self(L);
    int refused = mp_user_refuse(L, self);
    if (refused > 0)
        return refused;
    if (self->user.timers.dict.count > 0) {
        mp_dict_clear(&self->user.timers.dict);
        mp_user_save(self);
    }
    return mp_user_result(L, MP_OK, NULL);
}

const luaL_Reg mp_user_timers[] = {
    {"time_event", time_event},
    {"event_elapsed_time", event_elapsed_time},
    {"clear_timed_event", clear_timed_event},
    {"clear_timed_events", clear_timed_events},
    {NULL, NULL},
};
