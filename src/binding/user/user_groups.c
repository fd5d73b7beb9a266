/* The groups of a user: lists of group ids in super properties and in the
 * profile; and the profiles of groups. */
#include "binding/user/user_handle.h"

#include "binding/profile/property.h"
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
    if (mp_reserved_find(key, len) || mp_user_refused_property(key, len) ||
        mp_property_is_refused(key, len))
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
    return err != MP_OK || id.len > 0
               ? err
               : mp_fault_set(fault, "an empty group id names nothing");
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

/* The pair whose key is at index `key` and whose value is at the top. */
static mp_err check_pair(lua_State *L, int key, mp_fault *fault) {
    char shown[MP_SHOWN];
    size_t len;
    if (lua_type(L, key) != LUA_TSTRING)
        return mp_fault_set(fault, "%s is no group key: expected a string",
                            mp_fault_show(L, key, shown));
    if (mp_type_hint_is_null(L, -1))
        return MP_OK;
    const char *text = lua_tolstring(L, key, &len);
    mp_err err = check_key(text, len, fault);
    if (err == MP_OK)
        err = check_ids(L, fault);
    if (err != MP_OK)
        mp_fault_key(fault, L, key);
    return err;
}

mp_err mp_user_groups_check(lua_State *L, int table, mp_fault *fault) {
    lua_pushnil(L);
    int key = lua_gettop(L);
    while (lua_next(L, table)) {
        mp_err err = check_pair(L, key, fault);
        lua_settop(L, err != MP_OK ? key - 1 : key);
        if (err != MP_OK)
            return err;
    }
    return MP_OK;
}

/* ---- lists of ids as JSON ---- */

typedef struct piece {
    const char *text;
    size_t len;
} piece;

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

/* Appends the list that `old` (NULL: none) is, with the id at its end if it is
 * not in it (`add`), or without it. */
static void write_list(mp_buf *out, const mp_pair *old, const piece *id,
                       bool add) {
    const char *at = old ? old->value : "", *end = at + (old ? old->len : 0);
    const char *comma = "";
    bool has = list_has(at, end, id->text, id->len);
    open_list(&at, &end);
    mp_buf_puts(out, "[");
    while (at < end) {
        const char *next = mp_json_skip(at, end);
        size_t n = (size_t)(next - at);
        if (add || n != id->len || memcmp(at, id->text, n) != 0) {
            mp_buf_puts(out, comma);
            mp_buf_add(out, at, n);
            comma = ",";
        }
        at = next + 1;
    }
    if (add && !has) {
        mp_buf_puts(out, comma);
        mp_buf_add(out, id->text, id->len);
    }
    mp_buf_puts(out, "]");
}

/* ---- membership ---- */

typedef enum change {
    SET_GROUP,
    ADD_GROUP,
    REMOVE_GROUP
} change;

/* A change in the making: an update of the profile, in the head and body of
 * the scratch, and a super property, whose name is the group's key. */
typedef struct membership {
    mp_user_handle *self;
    mp_call call;
    change change;
    piece key; /* JSON without its quotes */
    piece ids; /* JSON: one id; a list for set_group */
} membership;

/* The value at argument 3. */
static void encode_ids(membership *m) {
    lua_State *L = m->call.e.L;
    bool wrap = m->change == SET_GROUP && !lua_istable(L, 3);
    mp_buf_puts(m->call.e.out, wrap ? "[" : "");
    lua_pushvalue(L, 3);
    if (lua_istable(L, 3))
        mp_encode_list(&m->call.e);
    else
        mp_encode_value(&m->call.e, 0);
    lua_pop(L, 1);
    mp_buf_puts(m->call.e.out, wrap ? "]" : "");
}

/* Checks arguments 2 and 3 and writes them where they survive a Lua error. */
static void encode_arguments(membership *m) {
    size_t len;
    mp_encode *e = &m->call.e;
    lua_State *L = e->L;
    const char *key = lua_tolstring(L, 2, &len);
    mp_encode_into(e, &m->call.scratch->extra);
    mp_encode_note(e, check_key(key, len, &e->fault));
    mp_encode_text(e, key, len);
    size_t key_len = e->out->len;
    mp_fault_enter(&e->fault, "group_id");
    lua_settop(L, 4); /* self, key, ids, scratch */
    lua_pushvalue(L, 3);
    if (m->change != SET_GROUP && lua_istable(L, 3))
        mp_encode_refuse(e, "expected one id, got a table");
    if (!mp_encode_err(e))
        mp_encode_note(e, check_ids(L, &e->fault));
    lua_settop(L, 4);
    encode_ids(m);
    if (mp_encode_err(e))
        return;
    m->key = (piece){e->out->data + 1, key_len - 2};
    m->ids = (piece){e->out->data + key_len, e->out->len - key_len};
}

/* {"$token":...,"$time":...,"$set":{"company":["acme"]}} in two pieces. */
static void write_update(membership *m) {
    static const char *const operations[] = {
        [SET_GROUP] = ",\"$set\":{\"",
        [ADD_GROUP] = ",\"$union\":{\"",
        [REMOVE_GROUP] = ",\"$remove\":{\"",
    };
    mp_buf *head = &m->call.scratch->head, *body = &m->call.scratch->body;
    bool wrap = m->change == ADD_GROUP;
    mp_encode_into(&m->call.e, body);
    mp_profile_put_time(body, m->self->client->project);
    mp_buf_puts(body, operations[m->change]);
    mp_buf_add(body, m->key.text, m->key.len);
    mp_buf_puts(body, wrap ? "\":[" : "\":");
    mp_buf_add(body, m->ids.text, m->ids.len);
    mp_buf_puts(body, wrap ? "]}}" : "}}");
    mp_encode_into(&m->call.e, head);
    mp_user_people_head(m->self, head);
    mp_user_people_no_ip(m->self, head);
}

/* Sets the super property to this list, or takes it away with its last id. */
static mp_err set_list(const membership *m, mp_dict *kept, const mp_buf *list,
                       mp_fault *fault) {
    size_t n = list_length(list->data, list->data + list->len);
    if (n > MP_LIST_MAX && m->change == ADD_GROUP)
        return mp_fault_set(fault,
                            "the list has %zu elements; Mixpanel takes at "
                            "most %d",
                            n, MP_LIST_MAX);
    if (n == 0) {
        mp_dict_remove(kept, m->key.text, m->key.len);
        return MP_OK;
    }
    mp_err err =
        mp_dict_set(kept, m->key.text, m->key.len, list->data, list->len);
    if (err != MP_OK || m->change == REMOVE_GROUP)
        return err;
    return mp_user_check_properties(kept, fault);
}

/* Fills `kept` with the super properties as they are to be. */
static void write_properties(membership *m, mp_dict *kept) {
    mp_buf list = {0};
    const mp_dict *now = &m->self->user.kept;
    const mp_pair *old = mp_dict_find(now, m->key.text, m->key.len);
    if (m->change == SET_GROUP)
        mp_buf_add(&list, m->ids.text, m->ids.len);
    else
        write_list(&list, old, &m->ids, m->change == ADD_GROUP);
    mp_encode_note(&m->call.e, list.err);
    mp_encode_note(&m->call.e, mp_dict_copy(kept, now));
    if (!mp_encode_err(&m->call.e))
        mp_encode_note(&m->call.e, set_list(m, kept, &list, &m->call.e.fault));
    mp_buf_free(&list);
}

/* True if the client never sends a property of the group's key. */
static bool is_excluded(const membership *m) {
    const mp_dict *names = mp_defaults_excluded(m->self->client->defaults);
    return names && mp_dict_find(names, m->key.text, m->key.len);
}

static mp_err send_update(membership *m) {
    const mp_buf *head = &m->call.scratch->head, *body = &m->call.scratch->body;
    const mp_record record = {
        .head = head->data,
        .head_len = head->len,
        .body = body->data,
        .body_len = body->len,
        .ordering_key = mp_user_ordering_key(m->self),
        .repaired = m->call.e.repaired,
    };
    mp_err err = mp_encode_judge(&m->call.e, head->len + body->len);
    if (err != MP_OK || is_excluded(m))
        return err;
    return mp_user_people_accept(m->self, &record, false, &m->call.e.fault);
}

/* Updates the profile, then the super property: the copy that has it takes
 * the place of the old ones when nothing can fail any more. Runs no Lua. */
static mp_err perform(membership *m) {
    mp_user_handle *self = m->self;
    mp_dict kept = {0};
    write_properties(m, &kept);
    write_update(m);
    mp_err err = send_update(m);
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
    membership m = {.self = self, .change = what};
    if (lua_type(L, 2) != LUA_TSTRING)
        mp_raise_type(L, 2, "group_key: string");
    if (!lua_istable(L, 3))
        mp_id_check(L, 3, "group_id");
    int refused = mp_user_refuse_sending(L, self);
    if (refused > 0)
        return refused;
    lua_settop(L, 3);
    mp_call_begin(&m.call, L, self->client, MP_LIST_MAX, "group_key");
    encode_arguments(&m);
    if (mp_user_is_gone(self)) /* a finaliser collected it */
        mp_encode_note(&m.call.e, MP_CLOSED);
    mp_err err = mp_encode_err(&m.call.e);
    if (err == MP_OK)
        err = perform(&m);
    return mp_call_end(&m.call, err);
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
