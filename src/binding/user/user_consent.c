/* Whether anything of the user may be sent. */
#include "binding/user/user_handle.h"

#include "binding/profile/profile.h"

#include "core/engine/engine.h"

#include <stdlib.h>

/* ---- options ---- */

static void check_options(lua_State *L, int arg, const char *const names[2]) {
    char shown[MP_SHOWN];
    if (lua_isnoneornil(L, arg))
        return;
    if (!lua_istable(L, arg))
        mp_raise_type(L, arg, "options: table");
    lua_pushnil(L);
    while (lua_next(L, arg)) {
        lua_pop(L, 1);
        const char *name =
            lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
        if (strcmp(name, names[0]) != 0 && strcmp(name, names[1]) != 0)
            mp_raise(L, arg, "unknown option %s: expected %s or %s",
                     mp_fault_show(L, -1, shown), names[0], names[1]);
    }
}

/* Pushes an option that is nil or of this type. */
static void push_option(lua_State *L, int arg, const char *name, int type) {
    char shown[MP_SHOWN];
    lua_pushnil(L);
    if (lua_isnoneornil(L, arg))
        return;
    lua_pop(L, 1);
    lua_pushstring(L, name);
    lua_rawget(L, arg);
    if (!lua_isnil(L, -1) && lua_type(L, -1) != type)
        mp_raise(L, arg, "option '%s': got %s, expected a %s", name,
                 mp_fault_show(L, -1, shown), lua_typename(L, type));
}

/* True unless the option is false. */
static bool read_flag(lua_State *L, int arg, const char *name) {
    push_option(L, arg, name, LUA_TBOOLEAN);
    bool flag = lua_isnil(L, -1) || lua_toboolean(L, -1);
    lua_pop(L, 1);
    return flag;
}

/* ---- in ---- */

/* Sends an event of this name with the properties at `table` (0: none). The
 * consent is given once the event is found to be well formed: no full queue
 * may undo it. */
static int opt_in(lua_State *L, mp_user_handle *self, const char *name,
                  size_t len, int table) {
    mp_call call;
    mp_event event;
    mp_record record;
    mp_call_begin(&call, L, self->client, MP_LIST_MAX, "event");
    mp_user_begin(self, &event, &call, name, len);
    if (table > 0)
        mp_event_properties(&event, table);
    mp_user_put_duration(self, &event, table);
    mp_err err = mp_event_finish(&event, &record);
    if (err != MP_OK)
        return mp_call_end(&call, err);
    mp_user_decide(self, MP_CONSENT_GIVEN);
    mp_user_changed(self);
    err = mp_user_people_release(self); /* what waited for it to end */
    bool sends = !mp_user_is_disabled(self, name, len);
    if (err == MP_OK && sends)
        err = mp_engine_push(self->client->project,
                             mp_event_lane(&event, MP_LANE_EVENTS), &record, 1);
    if (err != MP_OK)
        return mp_call_end(&call, err);
    if (sends)
        mp_user_sent(self, name, len);
    mp_engine_mark(self->client->project); /* at once */
    return mp_call_end(&call, MP_OK);
}

/* ({ track_event_name =, track_properties = }) */
static int opt_in_tracking(lua_State *L) {
    static const char *const names[] = {"track_event_name", "track_properties"};
    size_t len = 7;
    const char *name = "$opt_in";
    mp_user_handle *self = mp_user_self(L);
    check_options(L, 2, names);
    push_option(L, 2, names[0], LUA_TSTRING);
    push_option(L, 2, names[1], LUA_TTABLE);
    int table = lua_gettop(L);
    if (!lua_isnil(L, table - 1))
        name = lua_tolstring(L, table - 1, &len);
    int refused = mp_user_refuse(L, self);
    if (refused > 0)
        return refused;
    return opt_in(L, self, name, len, lua_isnil(L, table) ? 0 : table);
}

/* ---- out ---- */

/* Sends the deletion of the profile, behind which nothing follows. */
static mp_err send_deletion(mp_user_handle *self) {
    static const char body[] = ",\"$delete\":\"\"}";
    mp_buf head = {0};
    mp_user_people_head(self, &head);
    mp_user_people_no_ip(self, &head);
    mp_profile_put_time(&head, self->client->project);
    const mp_record record = {
        .head = head.data,
        .head_len = head.len,
        .body = body,
        .body_len = sizeof body - 1,
        .ordering_key = mp_user_ordering_key(self),
    };
    mp_err err = head.err ? head.err
                          : mp_engine_push(self->client->project,
                                           MP_LANE_PEOPLE, &record, 1);
    mp_buf_free(&head);
    return err;
}

/* Whatever fails, the user has opted out. */
static mp_err opt_out(mp_user_handle *self, bool delete_user, bool clear) {
    mp_err err = MP_OK;
    if (delete_user && self->user.identified && !mp_user_opted_out(self))
        err = send_deletion(self);
    self->user.forgetful |= clear;
    mp_user_decide(self, MP_CONSENT_REFUSED);
    if (clear) {
        mp_err fresh = mp_user_reset(self);
        err = err ? err : fresh;
    }
    mp_user_changed(self);
    return err;
}

/* ({ delete_user = true, clear_persistence = true }) */
static int opt_out_tracking(lua_State *L) {
    static const char *const names[] = {"delete_user", "clear_persistence"};
    mp_fault fault;
    mp_user_handle *self = mp_user_self(L);
    check_options(L, 2, names);
    bool delete_user = read_flag(L, 2, names[0]);
    bool clear = read_flag(L, 2, names[1]);
    int refused = mp_user_refuse(L, self);
    if (refused > 0)
        return refused;
    mp_err err = opt_out(self, delete_user, clear);
    mp_fault_start(&fault, "opt_out_tracking");
    if (err == MP_QUEUE_FULL)
        mp_fault_set(&fault, "the user has opted out, but the queue is full: "
                             "the profile is not deleted");
    return mp_user_result(L, err, &fault);
}

/* ---- asking and forgetting ---- */

static int has_opted_in_tracking(lua_State *L) {
    const mp_user_handle *self = mp_user_self(L);
    lua_pushboolean(L, mp_user_consent(self) == MP_CONSENT_GIVEN);
    return 1;
}

static int has_opted_out_tracking(lua_State *L) {
    lua_pushboolean(L, mp_user_opted_out(mp_user_self(L)));
    return 1;
}

static int clear_opt_in_out_tracking(lua_State *L) {
    mp_user_handle *self = mp_user_self(L);
    int refused = mp_user_refuse(L, self);
    if (refused > 0)
        return refused;
    mp_user_decide(self, MP_CONSENT_UNKNOWN);
    mp_user_changed(self);
    lua_pushboolean(L, 1);
    return 1;
}

const luaL_Reg mp_user_consents[] = {
    {"opt_in_tracking", opt_in_tracking},
    {"opt_out_tracking", opt_out_tracking},
    {"has_opted_in_tracking", has_opted_in_tracking},
    {"has_opted_out_tracking", has_opted_out_tracking},
    {"clear_opt_in_out_tracking", clear_opt_in_out_tracking},
    {NULL, NULL},
};
