/* Super properties: what every event of a user carries. */
#include "binding/user/user_handle.h"

#include "binding/encode/decode.h"

#include "core/base/json.h"
#include "core/base/text.h"

/* ---- arguments ---- */

/* The dictionary that the options { persistent = } at an argument choose. */
static mp_dict *check_options(lua_State *L, int arg, mp_user_handle *self) {
    char shown[MP_SHOWN];
    bool persistent = true;
    if (lua_isnoneornil(L, arg))
        return &self->user.kept;
    if (!lua_istable(L, arg))
        mp_raise_type(L, arg, "options: table");
    lua_pushnil(L);
    while (lua_next(L, arg)) {
        if (lua_type(L, -2) != LUA_TSTRING ||
            strcmp(lua_tostring(L, -2), "persistent") != 0)
            mp_raise(L, arg, "unknown option %s: expected persistent",
                     mp_fault_show(L, -2, shown));
        if (!lua_isboolean(L, -1))
            mp_raise(L, arg,
                     "option 'persistent': got %s, expected true or false",
                     mp_fault_show(L, -1, shown));
        persistent = lua_toboolean(L, -1) != 0;
        lua_pop(L, 1);
    }
    return persistent ? &self->user.kept : &self->user.session;
}

/* ---- encoding ---- */

/* Properties in the making: ,"name":value one behind the other in the body of
 * a scratch, and where each begins and ends in its `extra`. */
typedef struct piece {
    size_t start, name_len, end;
} piece;

static void check_property(mp_encode *e, const char *name, size_t len) {
    const char *reason = mp_user_refused_property(name, len);
    if (reason)
        mp_encode_refuse(e, "%s", reason);
}

/* What get_property could not give back is not taken. */
static void check_value(mp_encode *e, const char *json, size_t len) {
    static const char zero[] = "\\u0000";
    if (!mp_text_find(json, len, zero, sizeof zero - 1))
        return;
    mp_err err = mp_decode_check(json, len);
    if (err == MP_INVALID)
        mp_encode_refuse(e, "there is a zero byte in the key of a table");
    else
        mp_encode_note(e, err);
}

static void encode_pair(mp_encode *e, mp_buf *pieces, int table, int key) {
    size_t start = e->out->len;
    if (!mp_encode_key(e, table, key))
        return;
    size_t value = e->out->len, name_len = value - start - 4; /* ,"": */
    check_property(e, e->out->data + start + 2, name_len);
    mp_encode_value(e, 0);
    check_value(e, e->out->data + value, e->out->len - value);
    if (mp_encode_err(e))
        mp_fault_key(&e->fault, e->L, key);
    const piece p = {start, name_len, e->out->len};
    mp_encode_note(e, mp_buf_add(pieces, &p, sizeof p));
}

static void encode_all(mp_call *call, int table) {
    mp_encode *e = &call->e;
    lua_State *L = e->L;
    int n = 0;
    mp_fault_enter(&e->fault, "properties");
    lua_pushnil(L);
    int key = lua_gettop(L);
    while (!mp_encode_err(e) && lua_next(L, table)) {
        if (++n > MP_USER_PROPERTIES_MAX)
            mp_encode_refuse(e, MP_USER_TOO_MANY, MP_USER_PROPERTIES_MAX);
        encode_pair(e, &call->scratch->extra, table, key);
        lua_settop(L, key);
    }
    lua_settop(L, key - 1);
    mp_encode_check_keys(e, 0);
    mp_encode_judge(e, e->out->len);
}

/* ---- register ---- */

/* What register_once takes for a property that was not set yet: JSON. */
typedef struct unset_value {
    const char *json;
    size_t len;
} unset_value;

static bool may_set(const mp_dict *dict, const char *name, size_t len,
                    const unset_value *once) {
    const mp_pair *pair = once ? mp_dict_find(dict, name, len) : NULL;
    return !pair || (pair->len == once->len &&
                     memcmp(pair->value, once->json, once->len) == 0);
}

/* All or nothing: a copy is filled and takes the place of the original. */
static mp_err apply(mp_encode *e, mp_dict *dict, const mp_buf *pieces,
                    const unset_value *once) {
    mp_dict copy = {0};
    const piece *p = (const piece *)(const void *)pieces->data;
    size_t n = pieces->len / sizeof *p;
    mp_err err = mp_dict_copy(&copy, dict);
    if (err != MP_OK)
        goto fail;
    for (size_t i = 0; i < n; i++) {
        const char *name = e->out->data + p[i].start + 2;
        const char *json = name + p[i].name_len + 2;
        size_t len = (size_t)(e->out->data + p[i].end - json);
        if (!may_set(&copy, name, p[i].name_len, once))
            continue;
        err = mp_dict_set(&copy, name, p[i].name_len, json, len);
        if (err != MP_OK)
            goto fail;
    }
    err = mp_user_check_properties(&copy, &e->fault);
    if (err != MP_OK)
        goto fail;
    mp_dict_clear(dict);
    *dict = copy;
    return MP_OK;
fail:
    mp_dict_clear(&copy);
    return err;
}

/* The default at argument 3, in the head of the scratch. */
static unset_value encode_default(mp_call *call) {
    mp_encode *e = &call->e;
    mp_scratch *scratch = call->scratch;
    mp_encode_into(e, &scratch->head);
    mp_fault_enter(&e->fault, "default");
    lua_pushvalue(e->L, 3);
    mp_encode_value(e, 0);
    lua_pop(e->L, 1);
    mp_encode_into(e, &scratch->body);
    return (unset_value){scratch->head.data, scratch->head.len};
}

/* (properties[, default][, options]): `once` names a default. */
static int set_all(lua_State *L, bool once) {
    mp_user_handle *self = mp_user_self(L);
    if (!lua_istable(L, 2))
        mp_raise_type(L, 2, "properties: table");
    lua_settop(L, 4);
    mp_dict *dict = check_options(L, once ? 4 : 3, self);
    int refused = mp_user_refuse(L, self);
    if (refused > 0)
        return refused;
    mp_call call;
    unset_value unset = {"\"None\"", 6};
    mp_call_begin(&call, L, self->client, MP_LIST_MAX, "properties");
    if (once && !lua_isnoneornil(L, 3))
        unset = encode_default(&call);
    encode_all(&call, 2);
    if (mp_user_is_gone(self))
        mp_encode_note(&call.e, MP_CLOSED);
    mp_err err = mp_encode_err(&call.e);
    if (err == MP_OK)
        err = apply(&call.e, dict, &call.scratch->extra, once ? &unset : NULL);
    if (err == MP_OK)
        mp_user_changed(self);
    return mp_call_end(&call, err);
}

/* Makes of the name and the value at arguments 2 and 3 a table in the place of
 * both. */
static void take_pair(lua_State *L) {
    if (lua_isnoneornil(L, 3))
        mp_raise(L, 3, "value expected, got nil: see unregister");
    lua_settop(L, 4); /* self, name, value, options */
    lua_createtable(L, 0, 1);
    lua_insert(L, 2);
    lua_insert(L, 2); /* self, options, table, name, value */
    lua_rawset(L, 3);
    lua_insert(L, 2);
}

/* (properties[, options]) or (name, value[, options]) */
static int register_all(lua_State *L) {
    if (lua_type(L, 2) == LUA_TSTRING)
        take_pair(L);
    return set_all(L, false);
}

static int register_once(lua_State *L) {
    return set_all(L, true);
}

/* ---- single properties ---- */

/* Appends the name at a stack index as JSON, and points at its inside. */
static mp_err encode_name(lua_State *L, int arg, mp_buf *out,
                          const char **inside, size_t *len) {
    bool repaired;
    size_t n;
    const char *name = lua_tolstring(L, arg, &n);
    mp_err err = mp_json_string(out, name, n, &repaired);
    if (err != MP_OK)
        return err;
    *inside = out->data + 1;
    *len = out->len - 2;
    return MP_OK;
}

static void check_property_name(lua_State *L, int arg) {
    if (lua_type(L, arg) != LUA_TSTRING)
        mp_raise_type(L, arg, "name: string");
}

static int unregister(lua_State *L) {
    const char *name;
    size_t len;
    mp_user_handle *self = mp_user_self(L);
    check_property_name(L, 2);
    mp_dict *dict = check_options(L, 3, self);
    int refused = mp_user_refuse(L, self);
    if (refused > 0)
        return refused;
    mp_scratch *scratch = mp_scratch_take(L);
    mp_err err = encode_name(L, 2, &scratch->body, &name, &len);
    if (err == MP_OK && mp_dict_remove(dict, name, len))
        mp_user_changed(self);
    mp_scratch_give(scratch);
    return mp_user_result(L, err, NULL);
}

/* True if the name at argument 2 is that of an id, which then is pushed. */
static bool push_id(lua_State *L, const mp_ids *ids) {
    const char *name = lua_tostring(L, 2);
    const mp_buf *id = strcmp(name, "distinct_id") == 0  ? &ids->distinct_id
                       : strcmp(name, "$device_id") == 0 ? &ids->device_id
                       : strcmp(name, "$user_id") == 0   ? &ids->user_id
                                                         : NULL;
    if (!id)
        return false;
    mp_user_push_id(L, id);
    return true;
}

static int get_property(lua_State *L) {
    const char *name;
    size_t len;
    mp_user_handle *self = mp_user_self(L);
    check_property_name(L, 2);
    if (push_id(L, &self->user.ids))
        return 1;
    mp_scratch *scratch = mp_scratch_take(L);
    const mp_pair *pair = NULL;
    if (encode_name(L, 2, &scratch->body, &name, &len) != MP_OK)
        mp_raise_memory(L);
    pair = mp_user_property(&self->user, name, len);
    /* Copied: a finaliser may change the property while it is read. */
    if (pair && mp_buf_add(&scratch->head, pair->value, pair->len) != MP_OK)
        mp_raise_memory(L);
    if (pair)
        mp_decode_push(L, scratch->head.data, scratch->head.len);
    else
        lua_pushnil(L);
    mp_scratch_give(scratch);
    return 1;
}

/* ---- all properties ---- */

/* Appends "name":value, for each pair. */
static void put_pairs(mp_buf *out, const mp_dict *dict) {
    for (uint32_t i = 0; i < dict->count; i++) {
        const mp_pair *pair = &dict->pairs[i];
        mp_buf_puts(out, "\"");
        mp_buf_add(out, pair->name, pair->name_len);
        mp_buf_puts(out, "\":");
        mp_buf_add(out, pair->value, pair->len);
        mp_buf_puts(out, ",");
    }
}

/* Copied before Lua allocates anything, and so may run a finaliser that
 * changes them. Those of the session come last and win. */
static int get_super_properties(lua_State *L) {
    mp_user_handle *self = mp_user_self(L);
    mp_scratch *scratch = mp_scratch_take(L);
    put_pairs(&scratch->head, &self->user.kept);
    put_pairs(&scratch->head, &self->user.session);
    if (scratch->head.err)
        mp_raise_memory(L);
    const char *at = scratch->head.data, *end = at + scratch->head.len;
    lua_newtable(L);
    while (at < end) {
        const char *colon = mp_json_skip(at, end);
        const char *comma = mp_json_skip(colon + 1, end);
        mp_decode_push(L, at, (size_t)(colon - at));
        mp_decode_push(L, colon + 1, (size_t)(comma - colon) - 1);
        lua_rawset(L, -3);
        at = comma + 1;
    }
    mp_scratch_give(scratch);
    return 1;
}

static int clear_super_properties(lua_State *L) {
    mp_user_handle *self = mp_user_self(L);
    int refused = mp_user_refuse(L, self);
    if (refused > 0)
        return refused;
    if (self->user.kept.count + self->user.session.count > 0) {
        mp_dict_clear(&self->user.kept);
        mp_dict_clear(&self->user.session);
        mp_user_changed(self);
    }
    return mp_user_result(L, MP_OK, NULL);
}

/* The browser SDK's way to put a name on a user's events. */
static int name_tag(lua_State *L) {
    mp_user_handle *self = mp_user_self(L);
    if (lua_type(L, 2) != LUA_TSTRING)
        mp_raise_type(L, 2, "name_tag: string");
    int refused = mp_user_refuse(L, self);
    if (refused > 0)
        return refused;
    lua_settop(L, 2);
    lua_createtable(L, 0, 1);
    lua_insert(L, 2);
    lua_setfield(L, 2, "mp_name_tag");
    return set_all(L, false);
}

const luaL_Reg mp_user_super[] = {
    {"register", register_all},
    {"register_once", register_once},
    {"unregister", unregister},
    {"get_property", get_property},
    {"get_super_properties", get_super_properties},
    {"clear_super_properties", clear_super_properties},
    {"name_tag", name_tag},
    {NULL, NULL},
};
