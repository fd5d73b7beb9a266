/* The groups of a user: lists of group ids in super properties and in the
 * profile; and the profiles of groups. */
#include "binding/user/user_handle.h"

#include "binding/profile/update.h"

#include "core/base/json.h"
#include "core/engine/engine.h"

#include <stdlib.h>

/* ---- arguments ---- */

/* A group's key becomes the name of a property, so it must not be one that
 * has a meaning of its own. */
static mp_err check_key(const char *key, size_t len, mp_fault *fault) {
    char shown[MP_SHOWN];
    if (len == 0)
        return mp_fault_set(fault, "an empty group key names nothing");
    if (memchr(key, '\0', len))
        return mp_fault_set(fault, "there is a zero byte in the group key");
    if (mp_reserved_find(key, len) || mp_user_refused_property(key, len))
        return mp_fault_set(fault,
                            "%s is a name of Mixpanel's own and no "
                            "group key",
                            mp_fault_quote(key, len, shown));
    return MP_OK;
}

/* The value at the top, which must be an id. */
static mp_err check_id(lua_State *L, mp_fault *fault) {
    mp_id id = {.text = NULL};
    char shown[MP_SHOWN];
    if (mp_type_hint_is_null(L, -1))
        return mp_fault_set(fault, "expected a group id, got %s",
                            mp_fault_show(L, -1, shown));
    mp_err err = mp_id_read(L, -1, &id, fault);
    if (err == MP_OK && id.len == 0)
        err = mp_fault_set(fault, "an empty group id names nothing");
    return err;
}

/* Calls check_id for the value at the top, or for each element if it is a
 * list; there must be one. */
static mp_err check_ids(lua_State *L, mp_fault *fault) {
    if (!lua_istable(L, -1))
        return check_id(L, fault);
    int list = lua_gettop(L);
    size_t n = mp_lua_rawlen(L, list), pairs = 0;
    lua_pushnil(L);
    while (lua_next(L, list)) {
        pairs++;
        lua_pop(L, 1);
    }
    if (n == 0 || pairs != n)
        return mp_fault_set(fault,
                            "expected an id or a list of ids, got %s "
                            "table",
                            pairs == 0 ? "an empty" : "another");
    for (size_t i = 1; i <= n; i++) {
        lua_rawgeti(L, list, (int)i);
        mp_err err = check_id(L, fault);
        lua_settop(L, list);
        if (err != MP_OK) {
            mp_fault_index(fault, i);
            return err;
        }
    }
    return MP_OK;
}

mp_err mp_user_groups_check(lua_State *L, int table, mp_fault *fault) {
    char shown[MP_SHOWN];
    mp_err err = MP_OK;
    lua_pushnil(L);
    int key = lua_gettop(L);
    while (err == MP_OK && lua_next(L, table)) {
        size_t len;
        if (lua_type(L, key) != LUA_TSTRING) {
            err = mp_fault_set(fault, "%s is no group key: expected a string",
                               mp_fault_show(L, key, shown));
        } else if (!mp_type_hint_is_null(L, -1)) {
            const char *text = lua_tolstring(L, key, &len);
            err = check_key(text, len, fault);
            if (err == MP_OK)
                err = check_ids(L, fault);
            if (err != MP_OK)
                mp_fault_key(fault, L, key);
        }
        lua_settop(L, err == MP_OK ? key : key - 1);
    }
    return err;
}

/* ---- lists of ids as JSON ---- */

/* Points *at and *end into a list at its first element, or at what is no
 * list as if it were one of one element. */
static void open_list(const char **at, const char **end) {
    if (*end > *at && **at == '[') {
        ++*at;
        --*end;
    }
}

static bool list_has(const char *at, const char *end, const char *id,
                     size_t len) {
    open_list(&at, &end);
    while (at < end) {
        const char *next = mp_json_skip(at, end);
        if ((size_t)(next - at) == len && memcmp(at, id, len) == 0)
            return true;
        at = next + 1;
    }
    return false;
}

static size_t list_length(const char *at, const char *end) {
    size_t n = 0;
    open_list(&at, &end);
    for (; at < end; at = mp_json_skip(at, end) + 1)
        n++;
    return n;
}

/* Appends the list that `old` (NULL: none) is with the id at its end, or
 * without it. */
static mp_err write_list(mp_buf *out, const mp_pair *old, const char *id,
                         size_t len, bool add) {
    const char *at = old ? old->value : "", *end = at + (old ? old->len : 0);
    bool has = list_has(at, end, id, len), first = true;
    open_list(&at, &end);
    mp_err err = mp_buf_puts(out, "[");
    while (err == MP_OK && at < end) {
        const char *next = mp_json_skip(at, end);
        size_t n = (size_t)(next - at);
        if (add || n != len || memcmp(at, id, len) != 0) {
            err = mp_buf_add(out, ",", first ? 0 : 1);
            if (err == MP_OK)
                err = mp_buf_add(out, at, n);
            first = false;
        }
        at = next + 1;
    }
    if (err == MP_OK && add && !has) {
        err = mp_buf_add(out, ",", first ? 0 : 1);
        if (err == MP_OK)
            err = mp_buf_add(out, id, len);
    }
    return err == MP_OK ? mp_buf_puts(out, "]") : err;
}

/* ---- membership ---- */

typedef enum change {
    SET_GROUP,
    ADD_GROUP,
    REMOVE_GROUP
} change;

/* A change in the making. The body of the scratch holds the update of the
 * profile, its head the key and then the ids as JSON, its records the new
 * value of the super property. */
typedef struct call {
    mp_user_handle *self;
    mp_scratch *scratch;
    mp_encode e;
    change change;
    size_t key_len; /* of the key with its quotes */
} call;

/* The value at argument 3 as JSON: what was given, but a list for
 * set_group. */
static mp_err encode_ids(call *c) {
    lua_State *L = c->e.L;
    bool wrap = c->change == SET_GROUP && !lua_istable(L, 3);
    mp_err err = wrap ? mp_buf_puts(c->e.out, "[") : MP_OK;
    lua_pushvalue(L, 3);
    if (err == MP_OK)
        err = lua_istable(L, 3) ? mp_encode_list(&c->e)
                                : mp_encode_value(&c->e, 0);
    lua_pop(L, 1);
    return err == MP_OK && wrap ? mp_buf_puts(c->e.out, "]") : err;
}

static mp_err encode(call *c) {
    size_t len;
    lua_State *L = c->e.L;
    const char *key = lua_tolstring(L, 2, &len);
    c->e.out = &c->scratch->head;
    mp_fault_start(&c->e.fault, "group_key");
    mp_err err = check_key(key, len, &c->e.fault);
    if (err == MP_OK)
        err = mp_encode_text(&c->e, key, len);
    if (err != MP_OK)
        return err;
    c->key_len = c->scratch->head.len;
    c->e.fault.root = "group_id";
    lua_settop(L, 4); /* self, key, ids, scratch */
    lua_pushvalue(L, 3);
    if (c->change != SET_GROUP && lua_istable(L, 3))
        err = mp_fault_set(&c->e.fault, "expected one id, got a table");
    if (err == MP_OK)
        err = check_ids(L, &c->e.fault);
    lua_settop(L, 4);
    return err == MP_OK ? encode_ids(c) : err;
}

/* ,"$set":{"company":["acme"]}} */
static mp_err write_update(call *c) {
    static const char *const operations[] = {
        [SET_GROUP] = ",\"$set\":{",
        [ADD_GROUP] = ",\"$union\":{",
        [REMOVE_GROUP] = ",\"$remove\":{",
    };
    const mp_buf *head = &c->scratch->head;
    mp_buf *body = &c->scratch->body;
    mp_err err = mp_buf_puts(body, operations[c->change]);
    if (err == MP_OK)
        err = mp_buf_add(body, head->data, c->key_len);
    if (err == MP_OK)
        err = mp_buf_puts(body, c->change == ADD_GROUP ? ":[" : ":");
    if (err == MP_OK)
        err = mp_buf_add(body, head->data + c->key_len, head->len - c->key_len);
    if (err == MP_OK)
        err = mp_buf_puts(body, c->change == ADD_GROUP ? "]}}" : "}}");
    return err;
}

/* The super property's new value; empty: it is to be unregistered. */
static mp_err write_property(call *c) {
    const mp_buf *head = &c->scratch->head;
    mp_buf *out = &c->scratch->records;
    const char *ids = head->data + c->key_len;
    size_t len = head->len - c->key_len;
    if (c->change == SET_GROUP)
        return mp_buf_add(out, ids, len);
    const mp_pair *old =
        mp_dict_find(&c->self->user.kept, head->data + 1, c->key_len - 2);
    mp_err err = write_list(out, old, ids, len, c->change == ADD_GROUP);
    if (err != MP_OK)
        return err;
    size_t n = list_length(out->data, out->data + out->len);
    if (n == 0)
        mp_buf_clear(out);
    return n > MP_LIST_MAX && c->change == ADD_GROUP
               ? mp_fault_set(&c->e.fault,
                              "the list has %zu elements; Mixpanel takes at "
                              "most %d",
                              n, MP_LIST_MAX)
               : MP_OK;
}

static mp_err set_property(call *c, mp_dict *kept) {
    const char *key = c->scratch->head.data + 1;
    const mp_buf *value = &c->scratch->records;
    size_t len = c->key_len - 2;
    if (value->len == 0) {
        mp_dict_remove(kept, key, len);
        return MP_OK;
    }
    mp_err err = mp_dict_set(kept, key, len, value->data, value->len);
    return err == MP_OK && c->change != REMOVE_GROUP
               ? mp_user_check_properties(kept, &c->e.fault)
               : err;
}

/* True if the client never sends a property of the group's key. */
static bool is_excluded(const call *c) {
    const mp_dict *names = mp_defaults_excluded(c->self->client->defaults);
    return names &&
           mp_dict_find(names, c->scratch->head.data + 1, c->key_len - 2);
}

/* Updates the profile, then the super property: the copy that has it takes
 * the place of the old ones when nothing can fail any more. */
static mp_err perform(call *c) {
    mp_user_handle *self = c->self;
    mp_buf head = {0};
    mp_dict kept = {0};
    mp_err err = write_update(c);
    if (err == MP_OK)
        err = write_property(c);
    if (err == MP_OK)
        err = mp_dict_copy(&kept, &self->user.kept);
    if (err == MP_OK)
        err = set_property(c, &kept);
    if (err == MP_OK)
        err = mp_user_people_head(self, &head);
    if (err == MP_OK && !mp_project_geolocate(self->client->project))
        err = mp_buf_puts(&head, MP_PROFILE_NO_IP);
    err = mp_encode_judge(&c->e, err, head.len + c->scratch->body.len);
    if (err == MP_OK && !is_excluded(c)) {
        const mp_record record = {
            .head = head.data,
            .head_len = head.len,
            .body = c->scratch->body.data,
            .body_len = c->scratch->body.len,
            .ordering_key = mp_user_ordering_key(self),
            .repaired = c->e.repaired,
        };
        err = mp_user_people_accept(self, &record, false, &c->e.fault);
    }
    mp_buf_free(&head);
    if (err != MP_OK) {
        mp_dict_clear(&kept);
        return err;
    }
    mp_dict_clear(&self->user.kept);
    self->user.kept = kept;
    mp_user_changed(self);
    return MP_OK;
}

/* (group_key, group_id or, for set_group, a list of them) */
static int change_groups(lua_State *L, change what) {
    mp_user_handle *self = mp_user_self(L);
    call c = {.self = self, .change = what};
    if (lua_type(L, 2) != LUA_TSTRING)
        mp_raise_type(L, 2, "group_key: string");
    if (!lua_istable(L, 3))
        mp_id_check(L, 3, "group_id");
    int refused = mp_user_refuse(L, self, true);
    if (refused > 0)
        return refused;
    lua_settop(L, 3);
    c.scratch = mp_scratch_take(L);
    c.e.L = L;
    c.e.list_max = MP_LIST_MAX;
    mp_err err = MP_CLOSED;
    if (!mp_user_is_gone(self)) {
        c.e.reject = mp_project_reject_invalid(self->client->project);
        err = encode(&c);
    }
    if (err == MP_OK && mp_user_is_gone(self))
        err = MP_CLOSED;
    if (err == MP_OK)
        err = perform(&c);
    mp_scratch_give(c.scratch);
    if (err != MP_OK)
        return mp_fail_record(L, self->client, err, &c.e.fault, "");
    lua_pushboolean(L, 1);
    return 1;
}

static int set_group(lua_State *L) {
    return change_groups(L, SET_GROUP);
}

static int add_group(lua_State *L) {
    return change_groups(L, ADD_GROUP);
}

static int remove_group(lua_State *L) {
    return change_groups(L, REMOVE_GROUP);
}

const luaL_Reg mp_user_groups[] = {
    {"set_group", set_group},
    {"add_group", add_group},
    {"remove_group", remove_group},
    {"get_group", mp_user_get_group},
    {NULL, NULL},
};
