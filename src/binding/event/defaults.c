#include "binding/event/defaults.h"

#include <string.h>

#define TYPE "mixpanel.defaults"

/* ---- type ---- */

static int collect(lua_State *L) {
    mp_defaults *defaults = luaL_checkudata(L, 1, TYPE);
    mp_buf_free(&defaults->bytes);
    mp_dict_clear(&defaults->excluded);
    return 0;
}

mp_defaults *mp_defaults_push(lua_State *L) {
    mp_defaults *defaults = lua_newuserdata(L, sizeof *defaults);
    memset(defaults, 0, sizeof *defaults);
    defaults->bytes.limit = MP_BODY_MAX;
    mp_lua_setcollect(L, TYPE, collect);
    return defaults;
}

/* Takes in the property that lies behind `start`, whose name is that long. */
static void add_item(mp_defaults *defaults, size_t start, size_t name_len) {
    const char *name = defaults->bytes.data + start + 2; /* ,": */
    mp_reserved reserved = mp_reserved_find(name, name_len);
    bool empty = defaults->bytes.len - start - name_len - 4 == 2; /* "" */
    bool is_id =
        (reserved == MP_DISTINCT_ID || reserved == MP_OTHER_ID) && !empty;
    defaults->bits |= mp_name_bit(name, name_len);
    defaults->reserved |= reserved;
    defaults->plain += !reserved;
    defaults->ids += is_id;
    defaults->items[defaults->count++] = (mp_default){
        .start = (uint32_t)start,
        .end = (uint32_t)defaults->bytes.len,
        .name_len = (uint32_t)name_len,
        .reserved = reserved != MP_RESERVED_NONE,
        .is_id = is_id,
    };
}

/* ---- encoding ---- */

/* Appends nothing for what stands for nothing. */
static mp_err encode_reserved(mp_encode *e, mp_reserved name) {
    bool given;
    switch (name) {
    case MP_TOKEN:
        return mp_fault_set(&e->fault, "the token is the client's, always: it "
                                       "is the first argument of new");
    case MP_TIME:
    case MP_INSERT_ID_KEY:
        return mp_fault_set(&e->fault, "this belongs to each event, not to all "
                                       "events of a client");
    case MP_DISTINCT_ID:
    case MP_OTHER_ID:
        return mp_reserved_id(e, &given);
    case MP_IP:
        return mp_type_hint_is_null(e->L, -1) ? MP_OK : mp_encode_value(e, 0);
    default:
        return mp_encode_value(e, 0);
    }
}

/* The pair whose key is at index `key` and whose value is at the top. */
static mp_err encode_pair(mp_defaults *defaults, mp_encode *e, int table,
                          int key) {
    size_t start = e->out->len;
    mp_err err = mp_encode_key(e, table, key);
    if (err != MP_OK)
        return err;
    size_t value = e->out->len, len = value - start - 4; /* ,"": */
    const char *name = e->out->data + start + 2;
    mp_reserved reserved = mp_reserved_find(name, len);
    if (!reserved && defaults->plain == MP_KEYS_MAX)
        return mp_fault_set(&e->fault, "more than %d properties", MP_KEYS_MAX);
    err = reserved ? encode_reserved(e, reserved) : mp_encode_value(e, 0);
    if (err != MP_OK) {
        mp_fault_key(&e->fault, e->L, key);
        return err;
    }
    if (e->out->len == value) {
        e->out->len = start;
        return MP_OK;
    }
    add_item(defaults, start, len);
    return MP_OK;
}

mp_defaults *mp_defaults_new(mp_encode *e, mp_err *err) {
    lua_State *L = e->L;
    int table = lua_gettop(L);
    mp_defaults *defaults = mp_defaults_push(L);
    e->out = &defaults->bytes;
    *err = MP_OK;
    lua_pushnil(L);
    while (*err == MP_OK && lua_next(L, table)) {
        *err = encode_pair(defaults, e, table, table + 2);
        lua_settop(L, table + 2);
    }
    defaults->repaired = e->repaired;
    *err = mp_encode_judge(e, *err, e->out->len);
    return *err == MP_OK ? defaults : NULL;
}

/* ---- merging ---- */

static const mp_default *find(const mp_defaults *defaults, const char *name,
                              size_t len) {
    for (uint32_t i = 0; i < defaults->count; i++) {
        const mp_default *item = &defaults->items[i];
        if (item->name_len == len &&
            memcmp(defaults->bytes.data + item->start + 2, name, len) == 0)
            return item;
    }
    return NULL;
}

static mp_err put_text(mp_buf *bytes, const char *name, size_t name_len,
                       const char *json, size_t len) {
    mp_buf_puts(bytes, ",\"");
    mp_buf_add(bytes, name, name_len);
    mp_buf_puts(bytes, "\":");
    return mp_buf_add(bytes, json, len);
}

mp_err mp_defaults_put(mp_defaults *defaults, const char *name, size_t name_len,
                       const char *json, size_t len) {
    size_t start = defaults->bytes.len;
    if (mp_dict_find(&defaults->excluded, name, name_len))
        return MP_OK;
    mp_err err = put_text(&defaults->bytes, name, name_len, json, len);
    if (err != MP_OK)
        return err;
    if (find(defaults, defaults->bytes.data + start + 2, name_len)) {
        defaults->bytes.len = start;
        return MP_OK;
    }
    if (defaults->count == MP_DEFAULTS_MAX || defaults->plain > MP_KEYS_MAX)
        return MP_INVALID;
    add_item(defaults, start, name_len);
    return MP_OK;
}

mp_err mp_defaults_put_all(mp_defaults *defaults, const mp_defaults *other,
                           bool ids) {
    mp_err err = MP_OK;
    for (uint32_t i = 0; err == MP_OK && i < other->count; i++) {
        const mp_default *item = &other->items[i];
        const char *name = other->bytes.data + item->start + 2;
        const char *json = name + item->name_len + 2;
        mp_reserved reserved = mp_reserved_find(name, item->name_len);
        if (!ids && (reserved == MP_DISTINCT_ID || reserved == MP_OTHER_ID))
            continue;
        size_t end = item->end - item->start - item->name_len - 4;
        err = mp_defaults_put(defaults, name, item->name_len, json, end);
    }
    defaults->repaired += other->repaired;
    return err;
}

mp_err mp_defaults_exclude(mp_defaults *defaults, const char *name,
                           size_t len) {
    defaults->reserved |= mp_reserved_find(name, len); /* so it is not added */
    return mp_dict_set(&defaults->excluded, name, len, NULL, 0);
}

mp_err mp_defaults_exclude_all(mp_defaults *defaults,
                               const mp_defaults *other) {
    const mp_dict *names = &other->excluded;
    mp_err err = MP_OK;
    for (uint32_t i = 0; err == MP_OK && i < names->count; i++)
        err = mp_defaults_exclude(defaults, names->pairs[i].name,
                                  names->pairs[i].name_len);
    return err;
}

/* ---- per event ---- */

static bool is_overridden(const mp_overridden *overridden, uint32_t i) {
    return (overridden->bits[i / 64] >> (i % 64)) & 1;
}

void mp_defaults_find(const mp_defaults *defaults, const char *name, size_t len,
                      mp_overridden *overridden) {
    const mp_default *item = find(defaults, name, len);
    if (!item)
        return;
    size_t i = (size_t)(item - defaults->items);
    overridden->bits[i / 64] |= UINT64_C(1) << (i % 64);
    overridden->count++;
    overridden->plain += !item->reserved;
    overridden->ids += item->is_id;
}

mp_err mp_defaults_add(const mp_defaults *defaults,
                       const mp_overridden *overridden, mp_buf *out) {
    if (overridden->count == 0)
        return mp_buf_add(out, defaults->bytes.data, defaults->bytes.len);
    mp_err err = MP_OK;
    for (uint32_t i = 0; err == MP_OK && i < defaults->count; i++) {
        const mp_default *item = &defaults->items[i];
        if (!is_overridden(overridden, i))
            err = mp_buf_add(out, defaults->bytes.data + item->start,
                             item->end - item->start);
    }
    return err;
}
