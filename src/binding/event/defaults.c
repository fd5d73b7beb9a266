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
    uint32_t truncated = mp_json_count_longer(
        name - 1, defaults->bytes.len - start - 1, MP_TEXT_MAX);
    defaults->bits |= mp_name_bit(name, name_len);
    defaults->reserved |= reserved;
    defaults->plain += !reserved;
    defaults->ids += is_id;
    defaults->truncated += truncated;
    defaults->items[defaults->count++] = (mp_default){
        .start = (uint32_t)start,
        .end = (uint32_t)defaults->bytes.len,
        .name_len = (uint32_t)name_len,
        .truncated = truncated,
        .reserved = reserved != MP_RESERVED_NONE,
        .is_id = is_id,
    };
}

/* ---- encoding ---- */

/* Appends nothing for what stands for nothing. */
static void encode_reserved(mp_encode *e, mp_reserved name) {
    bool given;
    switch (name) {
    case MP_TOKEN:
        mp_encode_refuse(e, "the token is the client's, always: it is the "
                            "first argument of new");
        break;
    case MP_TIME:
    case MP_INSERT_ID_KEY:
        mp_encode_refuse(e, "this belongs to each event, not to all events of "
                            "a client");
        break;
    case MP_DISTINCT_ID:
    case MP_OTHER_ID:
        mp_reserved_value_id(e, &given);
        break;
    default:
        if (name != MP_IP || !mp_type_hint_is_null(e->L, -1))
            mp_encode_value(e, 0);
    }
}

/* The pair whose key is at index `key` and whose value is at the top. */
static void encode_pair(mp_defaults *defaults, mp_encode *e, int table,
                        int key) {
    size_t start = e->out->len;
    if (!mp_encode_key(e, table, key))
        return;
    size_t value = e->out->len, len = value - start - 4; /* ,"": */
    mp_reserved name = mp_reserved_find(e->out->data + start + 2, len);
    if (!name && defaults->plain == MP_KEYS_MAX) {
        mp_encode_refuse(e, "more than %d properties", MP_KEYS_MAX);
        return;
    }
    encode_reserved(e, name);
    if (mp_encode_err(e))
        mp_fault_key(&e->fault, e->L, key);
    else if (e->out->len == value)
        e->out->len = start;
    else
        add_item(defaults, start, len);
}

mp_err mp_defaults_encode(mp_encode *e) {
    lua_State *L = e->L;
    int table = lua_gettop(L);
    mp_defaults *defaults = mp_defaults_push(L);
    e->out = &defaults->bytes;
    lua_pushnil(L);
    while (!mp_encode_err(e) && lua_next(L, table)) {
        encode_pair(defaults, e, table, table + 2);
        lua_settop(L, table + 2);
    }
    lua_settop(L, table + 1);
    mp_encode_check_keys(e, 0);
    defaults->repaired = e->repaired;
    return mp_encode_judge(e, e->out->len);
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

void mp_defaults_put(mp_defaults *defaults, const char *name, size_t name_len,
                     const char *json, size_t len) {
    mp_buf *bytes = &defaults->bytes;
    size_t start = bytes->len;
    if (mp_dict_find(&defaults->excluded, name, name_len) ||
        find(defaults, name, name_len))
        return;
    mp_buf_puts(bytes, ",\"");
    mp_buf_add(bytes, name, name_len);
    mp_buf_puts(bytes, "\":");
    mp_buf_add(bytes, json, len);
    if (defaults->count == MP_DEFAULTS_MAX || defaults->plain > MP_KEYS_MAX)
        mp_buf_fail(bytes, MP_INVALID);
    if (!bytes->err)
        add_item(defaults, start, name_len);
}

void mp_defaults_put_all(mp_defaults *defaults, const mp_defaults *other,
                         bool ids) {
    for (uint32_t i = 0; i < other->count; i++) {
        const mp_default *item = &other->items[i];
        const char *name = other->bytes.data + item->start + 2;
        const char *json = name + item->name_len + 2;
        mp_reserved reserved = mp_reserved_find(name, item->name_len);
        if (!ids && (reserved == MP_DISTINCT_ID || reserved == MP_OTHER_ID))
            continue;
        size_t len = item->end - item->start - item->name_len - 4;
        mp_defaults_put(defaults, name, item->name_len, json, len);
    }
    defaults->repaired += other->repaired;
}

void mp_defaults_exclude(mp_defaults *defaults, const char *name, size_t len) {
    defaults->reserved |= mp_reserved_find(name, len); /* so it is not added */
    if (mp_dict_set(&defaults->excluded, name, len, NULL, 0) != MP_OK)
        mp_buf_fail(&defaults->bytes, MP_MEMORY);
}

void mp_defaults_exclude_all(mp_defaults *defaults, const mp_defaults *other) {
    const mp_dict *names = &other->excluded;
    for (uint32_t i = 0; i < names->count; i++)
        mp_defaults_exclude(defaults, names->pairs[i].name,
                            names->pairs[i].name_len);
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

uint32_t mp_defaults_truncated(const mp_defaults *defaults,
                               const mp_overridden *overridden) {
    uint32_t n = defaults->truncated;
    for (uint32_t i = 0; n > 0 && i < defaults->count; i++)
        if (is_overridden(overridden, i))
            n -= defaults->items[i].truncated;
    return n;
}

void mp_defaults_add(const mp_defaults *defaults,
                     const mp_overridden *overridden, mp_buf *out) {
    if (overridden->count == 0) {
        mp_buf_add(out, defaults->bytes.data, defaults->bytes.len);
        return;
    }
    for (uint32_t i = 0; i < defaults->count; i++) {
        const mp_default *item = &defaults->items[i];
        if (!is_overridden(overridden, i))
            mp_buf_add(out, defaults->bytes.data + item->start,
                       item->end - item->start);
    }
}
