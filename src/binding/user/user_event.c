/* The events of a user, and what each of them carries. */
#include "binding/user/user_handle.h"

#include "binding/event/client_defaults.h"
#include "binding/lua/argument.h"

#include "core/base/json.h"
#include "core/base/num.h"
#include "core/engine/engine.h"
#include "core/os/clock.h"

#include <stdio.h>

#define PAGE_VIEW "$mp_web_page_view"

/* ---- what every event carries ---- */

static void put_id(mp_defaults *defaults, const char *name, const mp_buf *id) {
    mp_buf json = {0};
    bool repaired;
    if (id->len == 0)
        return;
    mp_json_string(&json, id->data, id->len, &repaired);
    if (json.err)
        mp_buf_fail(&defaults->bytes, json.err);
    else
        mp_defaults_put(defaults, name, strlen(name), json.data, json.len);
    mp_buf_free(&json);
}

static void put_ids(mp_defaults *defaults, const mp_ids *ids) {
    static const char had[] = "$had_persisted_distinct_id";
    put_id(defaults, "distinct_id", &ids->distinct_id);
    put_id(defaults, "$device_id", &ids->device_id);
    put_id(defaults, "$user_id", &ids->user_id);
    if (ids->had_distinct_id)
        mp_defaults_put(defaults, had, sizeof had - 1, "true", 4);
}

static void put_dict(mp_defaults *defaults, const mp_dict *dict) {
    for (uint32_t i = 0; i < dict->count; i++) {
        const mp_pair *pair = &dict->pairs[i];
        mp_defaults_put(defaults, pair->name, pair->name_len, pair->value,
                        pair->len);
    }
}

/* The strongest first: the user's ids, super properties of the session, kept
 * ones, the client's properties but for ids, which are the user's alone. */
static mp_err fill(mp_defaults *defaults, const mp_user_handle *self) {
    const mp_defaults *client = self->client->defaults;
    if (client)
        mp_defaults_exclude_all(defaults, client);
    put_ids(defaults, &self->user.ids);
    put_dict(defaults, &self->user.session);
    put_dict(defaults, &self->user.kept);
    if (client)
        mp_defaults_put_all(defaults, client, false);
    return defaults->bytes.err;
}

/* Pushes the defaults of the user at argument 1, made anew if something of
 * them changed. A finaliser may change more while they are allocated, but
 * not while they are filled. */
static mp_err push_defaults(lua_State *L, mp_user_handle *self,
                            const mp_defaults **out) {
    if (self->defaults &&
        self->defaults_version == self->client->defaults_version) {
        mp_event_anchor(L, 1);
        *out = self->defaults;
        return MP_OK;
    }
    mp_defaults *defaults = mp_defaults_push(L);
    if (mp_user_is_gone(self))
        return MP_CLOSED;
    mp_err err = fill(defaults, self);
    if (err != MP_OK)
        return err;
    mp_lua_getuser(L, 1);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, 1); /* there is a place: this allocates nothing */
    lua_pop(L, 1);
    *out = self->defaults = defaults;
    self->defaults_version = self->client->defaults_version;
    return MP_OK;
}

/* The same together with what the client's function gives for this event, which
 * may have changed the user, or its mind. Nothing is allocated in Lua once the
 * defaults are made, so that these are of the user as it is. */
static mp_err push_computed(lua_State *L, mp_user_handle *self,
                            const char *name, size_t len,
                            const mp_defaults **out) {
    bool opted_out = mp_user_opted_out(self);
    luaL_checkstack(L, 8, NULL);
    mp_lua_getuser(L, 1);
    lua_rawgeti(L, -1, 2);
    const mp_defaults *computed =
        mp_client_defaults_compute(L, lua_gettop(L), name, len);
    mp_defaults *all = computed ? mp_defaults_push(L) : NULL;
    if (mp_user_is_gone(self) || self->client->closed)
        return MP_CLOSED;
    if (!opted_out && mp_user_opted_out(self))
        return MP_OPTED_OUT;
    mp_err err = push_defaults(L, self, out);
    if (err != MP_OK || !all)
        return err;
    mp_defaults_exclude_all(all, *out);
    mp_defaults_put_all(all, *out, true);
    mp_defaults_put_all(all, computed, false);
    *out = all;
    return all->bytes.err;
}

void mp_user_begin(mp_user_handle *self, mp_event *event, mp_call *call,
                   const char *name, size_t len) {
    lua_State *L = call->e.L;
    const mp_defaults *defaults = NULL;
    mp_err err = self->client->computes
                     ? push_computed(L, self, name, len, &defaults)
                     : push_defaults(L, self, &defaults);
    mp_event_begin(event, call, err ? NULL : defaults, name, len);
    if (err == MP_INVALID)
        mp_encode_refuse(&call->e,
                         "more than %d properties, super properties and those "
                         "of the client included",
                         MP_KEYS_MAX);
    else
        mp_encode_note(&call->e, err);
}

/* ---- sending ---- */

static bool is_key(lua_State *L, int table, const char *key) {
    if (table == 0)
        return false;
    lua_pushstring(L, key);
    lua_rawget(L, table);
    bool given = !lua_isnil(L, -1);
    lua_pop(L, 1);
    return given;
}

void mp_user_put_duration(const mp_user_handle *self, mp_event *event,
                          int table) {
    char number[MP_NUM_MAX];
    if (self->user.timers.dict.count == 0 ||
        is_key(event->call->e.L, table, "$duration"))
        return;
    int64_t ms =
        mp_timers_elapsed(&self->user.timers, event->name, event->name_len,
                          mp_clock_wall_ms(), mp_clock_mono_ms());
    if (ms < 0)
        return;
    char *end = mp_num_double(number, (double)ms / 1000);
    mp_event_raw(event, "$duration", number, (size_t)(end - number));
}

void mp_user_sent(mp_user_handle *self, const char *name, size_t len) {
    if (self->user.timers.dict.count > 0 &&
        mp_timers_stop(&self->user.timers, name, len))
        self->unsaved = true;
    if (self->unsaved)
        mp_user_save(self);
}

static const char *check_name(lua_State *L, int arg, size_t *len) {
    if (lua_type(L, arg) != LUA_TSTRING)
        mp_raise_type(L, arg, "event: string");
    return lua_tolstring(L, arg, len);
}

/* 0 if the table is not given. */
static int check_table(lua_State *L, int arg, const char *expected) {
    if (lua_isnoneornil(L, arg))
        return 0;
    if (!lua_istable(L, arg))
        mp_raise_type(L, arg, expected);
    return arg;
}

/* Sends an event with the properties at `table` (0: none). */
static int send(lua_State *L, mp_user_handle *self, const char *name,
                size_t len, int table) {
    if (mp_user_is_disabled(self, name, len)) {
        lua_pushboolean(L, 1);
        return 1;
    }
    mp_call call;
    mp_event event;
    mp_call_begin(&call, L, self->client, MP_LIST_MAX, "event");
    mp_user_begin(self, &event, &call, name, len);
    if (table > 0)
        mp_event_properties(&event, table);
    mp_user_put_duration(self, &event, table);
    mp_err err = mp_event_send(&event, MP_LANE_EVENTS);
    if (err == MP_OK)
        mp_user_sent(self, name, len);
    return mp_call_end(&call, err);
}

static int track(lua_State *L) {
    size_t len;
    mp_user_handle *self = mp_user_self(L);
    const char *name = check_name(L, 2, &len);
    int table = mp_argument_properties(L, 3);
    int refused = mp_user_refuse_sending(L, self);
    return refused > 0 ? refused : send(L, self, name, len, table);
}

/* The option of that table, which is left on the stack, or else `name`. */
static const char *read_page_name(lua_State *L, int table, const char *name,
                                  size_t *len) {
    char shown[MP_SHOWN];
    lua_pushnil(L);
    while (lua_next(L, table)) {
        if (lua_type(L, -2) != LUA_TSTRING ||
            strcmp(lua_tostring(L, -2), "event_name") != 0)
            mp_raise(L, table, "unknown option %s: expected event_name",
                     mp_fault_show(L, -2, shown));
        if (lua_type(L, -1) != LUA_TSTRING)
            mp_raise(L, table, "option 'event_name': got %s, expected a string",
                     mp_fault_show(L, -1, shown));
        name = lua_tolstring(L, -1, len);
        lua_insert(L, -2);
    }
    return name;
}

/* (properties[, { event_name = }]) */
static int track_pageview(lua_State *L) {
    size_t len = sizeof PAGE_VIEW - 1;
    const char *name = PAGE_VIEW;
    mp_user_handle *self = mp_user_self(L);
    int table = mp_argument_properties(L, 2);
    int options = check_table(L, 3, "options: table");
    if (options > 0)
        name = read_page_name(L, options, name, &len);
    int refused = mp_user_refuse_sending(L, self);
    return refused > 0 ? refused : send(L, self, name, len, table);
}

/* ---- groups of one event ---- */

/* Copies the pairs of the table at `from` into the one at the top; `groups`:
 * but for what stands for nothing. */
static void copy_pairs(lua_State *L, int from, bool groups) {
    int to = lua_gettop(L);
    lua_pushnil(L);
    while (lua_next(L, from)) {
        if (groups && mp_type_hint_is_null(L, -1)) {
            lua_pop(L, 1);
            continue;
        }
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, to);
    }
}

/* (event, properties, groups): the groups win. */
static int track_with_groups(lua_State *L) {
    size_t len;
    mp_fault fault;
    mp_user_handle *self = mp_user_self(L);
    const char *name = check_name(L, 2, &len);
    int properties = mp_argument_properties(L, 3);
    int groups = check_table(L, 4, "groups: table");
    int refused = mp_user_refuse_sending(L, self);
    if (refused > 0)
        return refused;
    lua_settop(L, 4);
    mp_fault_start(&fault, "groups");
    if (groups > 0) {
        mp_err err = mp_user_groups_check(L, groups, &fault);
        if (err != MP_OK)
            return mp_user_result(L, err, &fault);
    }
    lua_newtable(L);
    if (properties > 0)
        copy_pairs(L, properties, false);
    if (groups > 0)
        copy_pairs(L, groups, true);
    refused =
        mp_user_refuse_sending(L, self); /* a finaliser may have closed it */
    return refused > 0 ? refused : send(L, self, name, len, 5);
}

/* ---- events that are not sent ---- */

bool mp_user_is_disabled(const mp_user_handle *self, const char *name,
                         size_t len) {
    return self->silent || (self->disabled.count > 0 &&
                            mp_dict_find(&self->disabled, name, len) != NULL);
}

static void check_event_list(lua_State *L, int arg) {
    if (!lua_istable(L, arg))
        mp_raise_type(L, arg, "events: name or list of names");
    size_t n = mp_lua_rawlen(L, arg);
    for (size_t i = 1; i <= n; i++) {
        char shown[MP_SHOWN];
        lua_rawgeti(L, arg, (int)i);
        if (lua_type(L, -1) != LUA_TSTRING)
            mp_raise(L, arg,
                     "events[%d]: got %s, expected the name of an "
                     "event",
                     (int)i, mp_fault_show(L, -1, shown));
        lua_pop(L, 1);
    }
}

static mp_err toggle(mp_user_handle *self, lua_State *L, bool disable) {
    size_t len;
    const char *name = lua_tolstring(L, -1, &len);
    if (disable)
        return mp_dict_set(&self->disabled, name, len, NULL, 0);
    mp_dict_remove(&self->disabled, name, len);
    return MP_OK;
}

static mp_err toggle_list(mp_user_handle *self, lua_State *L, bool disable) {
    size_t n = mp_lua_rawlen(L, 2);
    for (size_t i = 1; i <= n; i++) {
        lua_rawgeti(L, 2, (int)i);
        mp_err err = toggle(self, L, disable);
        if (err != MP_OK)
            return err;
        lua_pop(L, 1);
    }
    return MP_OK;
}

/* ([name or list]): all events, if none is named. */
static int toggle_all(lua_State *L, bool disable) {
    mp_user_handle *self = mp_user_self(L);
    mp_err err = MP_OK;
    bool one = lua_type(L, 2) == LUA_TSTRING, all = lua_isnoneornil(L, 2);
    if (!one && !all)
        check_event_list(L, 2);
    int refused = mp_user_refuse(L, self);
    if (refused > 0)
        return refused;
    if (all) {
        self->silent = disable;
    } else if (one) {
        lua_settop(L, 2);
        err = toggle(self, L, disable);
    } else {
        err = toggle_list(self, L, disable);
    }
    return mp_user_result(L, err, NULL);
}

static int disable(lua_State *L) {
    return toggle_all(L, true);
}

static int enable(lua_State *L) {
    return toggle_all(L, false);
}

const luaL_Reg mp_user_events[] = {
    {"track", track},
    {"track_pageview", track_pageview},
    {"track_with_groups", track_with_groups},
    {"disable", disable},
    {"enable", enable},
    {NULL, NULL},
};
