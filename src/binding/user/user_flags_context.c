/* What a user's flags are decided by, beside who it is. */
#include "binding/flags/read_context.h"
#include "binding/user/user_flags.h"

#include "core/base/json.h"
#include "core/flags/value_json.h"

#include <stdio.h>

#define DRAFT "mixpanel.draft_of_context"

/* A context in the making, which survives a Lua error. */
typedef struct draft {
    mp_context context;
    mp_dict members;
} draft;

static void clear(draft *d) {
    mp_context_free(&d->context);
    mp_dict_clear(&d->members);
}

static int collect_draft(lua_State *L) {
    clear(luaL_checkudata(L, 1, DRAFT));
    return 0;
}

static draft *push_draft(lua_State *L) {
    draft *d = lua_newuserdata(L, sizeof *d);
    memset(d, 0, sizeof *d);
    mp_lua_setcollect(L, DRAFT, collect_draft);
    return d;
}

/* Whether the option `replace` of the table at argument 3 is true. */
static bool check_replace(lua_State *L) {
    char shown[MP_SHOWN];
    if (lua_isnil(L, 3))
        return false;
    if (!lua_istable(L, 3))
        mp_raise_type(L, 3, "options: table");
    lua_pushnil(L);
    while (lua_next(L, 3)) {
        if (lua_type(L, -2) != LUA_TSTRING ||
            strcmp(lua_tostring(L, -2), "replace") != 0)
            mp_raise(L, 3, "unknown option %s: expected replace",
                     mp_fault_show(L, -2, shown));
        if (!lua_isboolean(L, -1))
            mp_raise(L, 3, "option 'replace': got %s, expected true or false",
                     mp_fault_show(L, -1, shown));
        lua_pop(L, 1);
    }
    lua_pushliteral(L, "replace");
    lua_rawget(L, 3);
    bool replace = lua_toboolean(L, -1) != 0;
    lua_pop(L, 1);
    return replace;
}

static void check_ids(lua_State *L) {
    static const char *const ids[] = {"distinct_id", "device_id"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        lua_pushstring(L, ids[i]);
        lua_rawget(L, 2);
        if (!lua_isnil(L, -1))
            mp_raise(L, 2,
                     "context.%s: the ids are the user's: see identify, alias "
                     "and reset",
                     ids[i]);
        lua_pop(L, 1);
    }
}

static mp_err set_member(mp_dict *members, const mp_member *member) {
    mp_buf name = {0}, value = {0};
    bool repaired = false;
    mp_json_string(&name, member->key, member->key_len, &repaired);
    mp_value_write(&member->value, &value);
    mp_err err = name.err ? name.err : value.err;
    if (err == MP_OK)
        err = mp_dict_set(members, name.data + 1, name.len - 2, value.data,
                          value.len);
    mp_buf_free(&name);
    mp_buf_free(&value);
    return err;
}

static size_t bytes_of(const mp_dict *members) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < members->count; i++)
        bytes += members->pairs[i].name_len + members->pairs[i].len + 4;
    return bytes;
}

/* Makes the members of the context at argument 2, behind those there are
 * unless they are replaced. */
static mp_err make_members(lua_State *L, const mp_user_handle *self, draft *d,
                           bool replace) {
    mp_err err = mp_read_context_given(L, 2, &d->context);
    if (err != MP_OK)
        return err;
    if (!replace && mp_dict_copy(&d->members, &self->flags->context) != MP_OK)
        return MP_MEMORY;
    const mp_value *value = mp_context_value(&d->context);
    for (uint32_t i = 0; i < value->len; i++) {
        err = set_member(&d->members, &value->as.members[i]);
        if (err != MP_OK)
            return err;
    }
    if (bytes_of(&d->members) <= MP_REMOTE_CONTEXT)
        return MP_OK;
    d->context.problem = "it has more than 8 KiB of JSON";
    return MP_INVALID;
}

/* update_context(context[, { replace = true }]) */
int mp_user_flags_update_context(lua_State *L) {
    char message[MP_MESSAGE];
    mp_user_handle *self = mp_user_flags_enter(L);
    lua_settop(L, 3);
    mp_read_context_check(L, 2);
    check_ids(L);
    bool replace = check_replace(L);
    draft *d = push_draft(L);
    int refused = mp_user_refuse(L, self);
    if (refused > 0)
        return refused;
    mp_err err = make_members(L, self, d, replace);
    if (err != MP_OK) {
        snprintf(message, sizeof message, "context: %s",
                 err == MP_INVALID ? d->context.problem : "out of memory");
        return mp_fail(L, err, message);
    }
    mp_dict before = self->flags->context;
    self->flags->context = d->members;
    d->members = before;
    clear(d);
    err = mp_user_flags_ask(self);
    if (err != MP_OK && err != MP_OPTED_OUT)
        return mp_user_flags_fail(L, self, err);
    lua_pushboolean(L, 1);
    return 1;
}
