#include "binding/profile/profile.h"

#include "binding/encode/timestamp.h"
#include "binding/profile/property.h"

#include "core/os/clock.h"

/* ---- payloads ---- */

/* The value at the top as a list, wrapped in one if it is none. */
static void encode_as_list(mp_encode *e) {
    lua_State *L = e->L;
    mp_digits digits;
    int type = lua_type(L, -1);
    bool wrap =
        type == LUA_TSTRING || type == LUA_TNUMBER || type == LUA_TBOOLEAN;
    if (!wrap) {
        mp_type_hint form = mp_type_hint_of(L, -1, &digits);
        wrap = form == MP_HINT_NULL || form == MP_HINT_INTEGER;
    }
    size_t start = e->out->len;
    if (wrap) {
        mp_buf_puts(e->out, "[");
        mp_encode_value(e, 0);
        mp_buf_puts(e->out, "]");
    } else {
        mp_encode_list(e);
    }
    if (e->out->len - start == 2)
        mp_encode_refuse(e, "an empty list adds nothing");
}

/* The value at the top, of a property. */
static void encode_value(mp_encode *e, mp_payload payload) {
    if (payload == MP_NUMBERS)
        mp_encode_number(e);
    else if (payload == MP_LISTS)
        encode_as_list(e);
    else
        mp_encode_value(e, 0);
}

/* True if the name whose quotes begin at `start` is never sent. */
static bool is_excluded(const mp_encode *e, size_t start, size_t end) {
    return e->excluded &&
           mp_dict_find(e->excluded, e->out->data + start + 1, end - start - 2);
}

/* The value at the top, of the property whose name's quotes begin at `start`
 * and end where the encoder was at `end`. */
static void encode_property(mp_encode *e, mp_payload payload, size_t start,
                            size_t end) {
    if (!mp_encode_err(e))
        mp_property_check(e, e->out->data + start + 1, end - start - 2);
    if (!mp_encode_err(e))
        encode_value(e, payload);
}

/* The pair whose key is at index `key` and whose value is at the top. */
static void encode_pair(mp_encode *e, mp_payload payload, int table, int key) {
    size_t start = e->out->len;
    if (!mp_encode_key(e, table, key))
        return;
    size_t end = e->out->len - 1;
    if (is_excluded(e, start + 1, end))
        e->out->len = start;
    else
        encode_property(e, payload, start + 1, end);
    if (mp_encode_err(e))
        mp_fault_key(&e->fault, e->L, key);
}

static void encode_pairs(mp_encode *e, mp_payload payload, bool *nothing) {
    lua_State *L = e->L;
    char shown[MP_SHOWN];
    int table = lua_gettop(L), n = 0;
    size_t start = e->out->len;
    if (!lua_istable(L, table)) {
        mp_encode_refuse(e, "expected a table, got %s",
                         mp_fault_show(L, table, shown));
        return;
    }
    lua_pushnil(L);
    while (!mp_encode_err(e) && lua_next(L, table)) {
        if (++n > MP_PROFILE_MAX)
            mp_encode_refuse(e,
                             "more than %d properties; a profile takes no more",
                             MP_PROFILE_MAX);
        encode_pair(e, payload, table, table + 1);
        lua_pop(L, 1);
    }
    if (n == 0 && payload == MP_LISTS)
        mp_encode_refuse(e, "an empty table adds nothing");
    *nothing = n > 0 && e->out->len == start;
    mp_encode_check_keys(e, start);
    mp_encode_close(e, start, "{}");
}

/* The table at the top, which may be marked as an array and so have gaps. */
static void check_names(mp_encode *e) {
    lua_State *L = e->L;
    char shown[MP_SHOWN];
    int table = lua_gettop(L);
    size_t found = 0, n = mp_lua_rawlen(L, table);
    if (n > MP_PROFILE_MAX) {
        mp_encode_refuse(e, "%zu names; a profile has at most %d properties", n,
                         MP_PROFILE_MAX);
        return;
    }
    lua_pushnil(L);
    while (lua_next(L, table)) {
        if (lua_type(L, -1) != LUA_TSTRING) {
            mp_fault_key(&e->fault, L, table + 1);
            mp_encode_refuse(e, "expected the name of a property, got %s",
                             mp_fault_show(L, -1, shown));
            return;
        }
        lua_pop(L, 1);
        found++;
    }
    if (found != n)
        mp_encode_refuse(e, "the table is no list: its keys are not 1, 2, "
                            "3...");
}

static void encode_names(mp_encode *e) {
    lua_State *L = e->L;
    if (lua_type(L, -1) == LUA_TSTRING) {
        encode_as_list(e);
        return;
    }
    mp_digits digits;
    size_t start = e->out->len;
    int names = lua_gettop(L);
    bool is_array = mp_type_hint_of(L, names, &digits) == MP_HINT_ARRAY;
    if ((is_array || lua_istable(L, names)) && mp_type_hint_open(L, names))
        check_names(e);
    lua_settop(L, names);
    mp_encode_list(e);
    if (e->out->len - start == 2)
        mp_encode_refuse(e, "an empty list removes nothing");
}

void mp_profile_operate(mp_encode *e, const mp_operation *operation,
                        bool *nothing) {
    mp_encode_name(e, operation->name);
    switch (operation->payload) {
    case MP_NAMES:
        encode_names(e);
        break;
    case MP_NOTHING:
        mp_buf_puts(e->out, "\"\"");
        break;
    default:
        encode_pairs(e, operation->payload, nothing);
    }
}

void mp_profile_operate_one(mp_encode *e, const mp_operation *operation,
                            int name, bool *nothing) {
    size_t len;
    const char *text = lua_tolstring(e->L, name, &len);
    mp_encode_name(e, operation->name);
    mp_buf_puts(e->out, "{");
    size_t start = e->out->len;
    mp_encode_text(e, text, len);
    size_t end = e->out->len;
    *nothing = !mp_encode_err(e) && is_excluded(e, start, end);
    mp_buf_puts(e->out, ":");
    if (lua_isnil(e->L, -1))
        mp_encode_refuse(e, "the value is nil: pass mixpanel.null for null");
    encode_property(e, operation->payload, start, end);
    mp_buf_puts(e->out, "}");
    if (mp_encode_err(e))
        mp_fault_key(&e->fault, e->L, name);
}

/* ---- charges ---- */

/* The pair whose key is at index `key` and whose value is at the top; *dated:
 * it is the time. */
static void encode_charge_pair(mp_encode *e, int table, int key, bool *dated) {
    size_t start = e->out->len;
    if (!mp_encode_key(e, table, key))
        return;
    const char *name = e->out->data + start + 2;
    size_t len = e->out->len - start - 4; /* ,"": */
    bool is_time = len == 5 && memcmp(name, "$time", len) == 0;
    *dated |= is_time;
    if (len == 7 && memcmp(name, "$amount", len) == 0)
        mp_encode_refuse(e, "the amount is an argument");
    else if (!is_time)
        mp_property_check(e, name, len);
    if (!mp_encode_err(e))
        mp_encode_value(e, 1);
    if (mp_encode_err(e))
        mp_fault_key(&e->fault, e->L, key);
}

static void encode_charge_pairs(mp_encode *e, int table, bool *dated) {
    lua_State *L = e->L;
    size_t start = e->out->len;
    int n = 1; /* the amount */
    lua_pushnil(L);
    int key = lua_gettop(L);
    while (!mp_encode_err(e) && lua_next(L, table)) {
        if (++n > MP_KEYS_MAX)
            mp_encode_refuse(e, "more than %d properties", MP_KEYS_MAX);
        encode_charge_pair(e, table, key, dated);
        lua_pop(L, 1);
    }
    mp_encode_check_keys(e, start);
}

void mp_profile_charge(mp_encode *e, int amount, int table) {
    bool dated = false;
    mp_buf_puts(e->out, ",\"$append\":{\"$transactions\":{\"$amount\":");
    mp_fault_enter(&e->fault, "amount");
    lua_pushvalue(e->L, amount);
    mp_encode_number(e);
    mp_fault_enter(&e->fault, "properties");
    if (table > 0)
        encode_charge_pairs(e, table, &dated);
    if (!dated) {
        char date[MP_DATE_TEXT];
        mp_timestamp_date((double)mp_clock_wall_ms() / 1000, date);
        mp_encode_name(e, "$time");
        mp_encode_text(e, date, MP_DATE_TEXT - 1);
    }
    mp_buf_puts(e->out, "}}");
}

/* ---- head ---- */

void mp_profile_put_time(mp_buf *out, const mp_project *project) {
    char text[MP_NUM_MAX];
    if (!mp_project_profile_time(project))
        return;
    char *end = mp_num_int64(text, mp_clock_wall_ms());
    mp_buf_puts(out, ",\"$time\":");
    mp_buf_add(out, text, (size_t)(end - text));
}

static void put_id(mp_encode *e, const char *name, const mp_id *id) {
    mp_encode_name(e, name);
    mp_encode_text(e, id->text, id->len);
}

void mp_profile_head(mp_encode *e, const char *token, const mp_id *ids,
                     int count) {
    mp_buf_puts(e->out, "{\"$token\":\"");
    mp_buf_puts(e->out, token); /* nothing to escape: config.c */
    mp_buf_puts(e->out, "\"");
    put_id(e, count == 1 ? "$distinct_id" : "$group_key", &ids[0]);
    if (count == 2)
        put_id(e, "$group_id", &ids[1]);
}
