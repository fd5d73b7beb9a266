/* The feature flags of a user, which Mixpanel decides: the names are those of
 * its browser SDK. Nothing here waits. */
#include "binding/user/user_flags.h"

#include "binding/flags/flag_arguments.h"
#include "binding/flags/flag_exposure.h"
#include "binding/flags/flag_value.h"

#define HOLDER "mixpanel.flags_of_call"
#define NONE   "mixpanel.no_user_flags"

/* Refers to a table with the user at 1. */
typedef struct mp_user_flags_handle {
    mp_handle handle;
    mp_user_handle *self; /* NULL: the user has none */
} mp_user_flags_handle;

/* ---- handles ---- */

static mp_user_flags_handle *push_handle(lua_State *L) {
    mp_user_flags_handle *handle =
        mp_handle_new(L, MP_USER_FLAGS, sizeof *handle);
    luaL_getmetatable(L, mp_type_names[MP_USER_FLAGS]);
    lua_setmetatable(L, -2);
    return handle;
}

/* Pushes the flags of all users of the state that have none. */
static void push_none(lua_State *L) {
    lua_getfield(L, LUA_REGISTRYINDEX, NONE);
    if (!lua_isnil(L, -1))
        return;
    lua_pop(L, 1);
    push_handle(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, NONE);
}

void mp_user_flags_push(lua_State *L, int slot) {
    mp_user_handle *self = lua_touserdata(L, slot);
    mp_lua_getuser(L, slot);
    if (self->flags) {
        mp_user_flags_handle *handle = push_handle(L);
        lua_createtable(L, 1, 0);
        lua_pushvalue(L, slot);
        lua_rawseti(L, -2, 1);
        mp_lua_setuser(L, lua_gettop(L) - 1);
        handle->self = self;
    } else {
        push_none(L);
    }
    lua_setfield(L, -2, "flags");
    lua_pop(L, 1);
}

/* ---- calls ---- */

/* The variants of a call, which a Lua error or a finaliser may end. */
typedef struct holder {
    mp_variants *variants;
} holder;

static int collect_holder(lua_State *L) {
    holder *h = luaL_checkudata(L, 1, HOLDER);
    mp_variants_drop(h->variants);
    h->variants = NULL;
    return 0;
}

/* Pushes a holder of what the user has now. */
static holder *hold(lua_State *L, const mp_user_handle *self) {
    holder *h = lua_newuserdata(L, sizeof *h);
    h->variants = NULL;
    mp_lua_setcollect(L, HOLDER, collect_holder);
    if (self->flags && self->flags->variants)
        h->variants = mp_variants_keep(self->flags->variants);
    return h;
}

static void let_go(holder *h) {
    mp_variants_drop(h->variants);
    h->variants = NULL;
}

mp_user_handle *mp_user_flags_enter(lua_State *L) {
    const mp_user_flags_handle *handle = mp_handle_self(L);
    if (!handle->self)
        luaL_error(L, "flags: this user was made without option 'flags': say "
                      "flags = true to mp:user");
    mp_lua_getuser(L, 1);
    lua_rawgeti(L, -1, 1);
    lua_replace(L, 1);
    lua_pop(L, 1);
    return handle->self;
}

/* ---- exposures ---- */

static mp_err track(lua_State *L, void *whose, int properties,
                    mp_fault *fault) {
    mp_user_handle *self = whose;
    mp_call call;
    mp_event event;
    mp_call_begin(&call, L, self->client, MP_LIST_MAX, "event");
    mp_user_begin(self, &event, &call, MP_FLAG_EVENT, sizeof MP_FLAG_EVENT - 1);
    mp_event_properties(&event, properties);
    mp_err err = mp_event_send(&event, MP_LANE_EVENTS);
    *fault = call.e.fault;
    mp_scratch_give(call.scratch);
    return err;
}

static bool is_silent(const mp_user_handle *self) {
    return mp_user_is_gone(self) || self->client->closed ||
           self->client->exposure == MP_EXPOSE_NEVER ||
           mp_user_opted_out(self) ||
           mp_user_is_disabled(self, MP_FLAG_EVENT, sizeof MP_FLAG_EVENT - 1);
}

/* An exposure that cannot be queued is counted, and tried again. */
static void expose(lua_State *L, mp_user_handle *self, const holder *h,
                   const mp_value *variant) {
    mp_flag_seen seen;
    mp_fault fault;
    if (!variant)
        return;
    size_t len = 0;
    mp_user_push_id(L, &self->user.ids.distinct_id); /* which may change */
    const char *id = lua_tolstring(L, -1, &len);
    if (is_silent(self))
        return;
    const mp_client *client = self->client;
    mp_value text = mp_value_text(id, len);
    mp_flags_fill_seen(L, &seen, variant, &text, mp_variants_when(h->variants));
    mp_fault_start(&fault, "");
    mp_err err = mp_flag_expose_by(L, client, &seen, track, self, &fault);
    if (err != MP_OK && client->flags)
        mp_flags_fail_exposure(client->flags, mp_err_code(err), fault.reason);
}

/* ---- variants ---- */

typedef struct found {
    holder *holder;
    const mp_value *variant; /* NULL: the reason says why */
    mp_flag_reason reason;
    bool current;
} found;

/* Finds the variant of the flag at its argument, and reports the exposure.
 * Pushes what keeps it. */
static mp_user_handle *find(lua_State *L, found *out) {
    size_t len;
    mp_user_handle *self = mp_user_flags_enter(L);
    mp_flags_check_key(L);
    if (self->flags)
        mp_user_flags_update(self);
    *out = (found){.holder = hold(L, self), .reason = MP_FLAG_NOT_READY};
    out->current = self->flags && self->flags->current;
    const char *key = lua_tolstring(L, MP_FLAGS_KEY, &len);
    if (out->holder->variants) {
        out->variant = mp_variants_find(out->holder->variants, key, len);
        out->reason = out->variant ? MP_FLAG_DECIDED : MP_FLAG_NOT_FOUND;
    }
    if (self->client->flags)
        mp_flags_count(self->client->flags, out->reason, MP_RULE_FALSE);
    expose(L, self, out->holder, out->variant);
    return self;
}

/* get_variant(key, fallback) */
static int get_variant(lua_State *L) {
    found f;
    lua_settop(L, 3);
    mp_flags_check_fallback(L);
    find(L, &f);
    if (f.variant)
        mp_flag_answer_push(L, f.variant, f.current ? "remote" : "persistence");
    else
        mp_flag_fallback_push(L, 3, f.reason);
    let_go(f.holder);
    return 1;
}

/* get_variant_value(key, fallback) */
static int get_variant_value(lua_State *L) {
    found f;
    lua_settop(L, 3);
    find(L, &f);
    if (f.variant) {
        mp_value value = mp_variants_field(f.variant, "variant_value");
        mp_flag_value_push(L, &value);
    } else {
        lua_pushvalue(L, 3);
    }
    let_go(f.holder);
    return 1;
}

/* is_enabled(key[, fallback]) */
static int is_enabled(lua_State *L) {
    found f;
    lua_settop(L, 3);
    if (!lua_isnil(L, 3) && !lua_isboolean(L, 3))
        mp_raise_type(L, 3, "fallback: boolean");
    find(L, &f);
    bool enabled = lua_toboolean(L, 3) != 0;
    if (f.variant) {
        mp_value value = mp_variants_field(f.variant, "variant_value");
        enabled = value.kind == MP_VALUE_BOOLEAN && value.boolean;
    }
    let_go(f.holder);
    lua_pushboolean(L, enabled);
    return 1;
}

/* ---- loading ---- */

int mp_user_flags_fail(lua_State *L, const mp_user_handle *self, mp_err err) {
    int refused = mp_user_refuse_sending(L, self);
    if (refused > 0)
        return refused;
    return mp_fail(L, err,
                   err == MP_INVALID ? "context: it has more than 8 KiB of JSON"
                   : err == MP_QUEUE_FULL
                       ? "as many contexts as are remembered wait for answers"
                       : "Mixpanel cannot be asked: the thread that sends does "
                         "not run");
}

static int load_flags(lua_State *L) {
    mp_user_handle *self = mp_user_flags_enter(L);
    int refused = mp_user_refuse_sending(L, self);
    if (refused > 0)
        return refused;
    mp_err err = mp_user_flags_ask(self);
    if (err != MP_OK)
        return mp_user_flags_fail(L, self, err);
    lua_pushboolean(L, 1);
    return 1;
}

static int are_flags_ready(lua_State *L) {
    mp_user_handle *self = mp_user_flags_enter(L);
    if (self->flags)
        mp_user_flags_update(self);
    lua_pushboolean(L, self->flags && self->flags->current);
    return 1;
}

static int when_ready(lua_State *L) {
    mp_user_handle *self = mp_user_flags_enter(L);
    int refused = mp_user_refuse_sending(L, self);
    if (refused > 0)
        return refused;
    mp_user_flags_update(self);
    if (self->flags->request == 0) {
        mp_err err = mp_user_flags_ask(self);
        if (err != MP_OK)
            return mp_user_flags_fail(L, self, err);
    }
    lua_pushinteger(L, (lua_Integer)self->flags->request);
    return 1;
}

/* done(mark) */
static int done(lua_State *L) {
    mp_user_handle *self = mp_user_flags_enter(L);
    mp_remote_view view = {0};
    uint64_t id = mp_flags_check_id(L);
    if (mp_user_is_gone(self))
        return mp_fail_closed(L);
    mp_flags_look(self->client->flags, id, &view);
    mp_variants_drop(view.variants);
    lua_pushboolean(L, !view.pending);
    return 1;
}

const luaL_Reg mp_user_flags_methods[] = {
    {"load_flags", load_flags},
    {"are_flags_ready", are_flags_ready},
    {"when_ready", when_ready},
    {"done", done},
    {"get_variant", get_variant},
    {"get_variant_value", get_variant_value},
    {"is_enabled", is_enabled},
    {"update_context", mp_user_flags_update_context},
    {NULL, NULL},
};
