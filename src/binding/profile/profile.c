#include "binding/profile/profile.h"

#include "binding/encode/timestamp.h"

#include "core/os/clock.h"

/* Makes the comma at `start`, if anything was written, the opening bracket. */
static mp_err close_payload(mp_encode *e, size_t start, const char *brackets) {
    if (e->out->len == start)
        return mp_buf_add(e->out, brackets, 2);
    e->out->data[start] = brackets[0];
    return mp_buf_add(e->out, brackets + 1, 1);
}

/* ---- payloads ---- */

/* The value at the top as a list, wrapped in one if it is none. */
static mp_err encode_as_list(mp_encode *e) {
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
    mp_err err = wrap ? mp_buf_puts(e->out, "[") : mp_encode_list(e);
    if (err == MP_OK && wrap)
        err = mp_encode_value(e, 0);
    if (err == MP_OK && wrap)
        err = mp_buf_puts(e->out, "]");
    if (err == MP_OK && e->out->len - start == 2)
        return mp_fault_set(&e->fault, "an empty list adds nothing");
    return err;
}

/* The value at the top, of a property. */
static mp_err encode_value(mp_encode *e, mp_payload payload) {
    if (lua_isnil(e->L, -1))
        return mp_fault_set(&e->fault,
                            "the value is nil: pass mixpanel.null for null");
    if (payload == MP_NUMBERS)
        return mp_encode_number(e);
    return payload == MP_LISTS ? encode_as_list(e) : mp_encode_value(e, 0);
}

/* True if the name whose quotes begin at `start` is never sent. */
static bool is_excluded(const mp_encode *e, size_t start, size_t end) {
    return e->excluded &&
           mp_dict_find(e->excluded, e->out->data + start + 1, end - start - 2);
}

static mp_err encode_pairs(mp_encode *e, mp_payload payload, bool *nothing) {
    lua_State *L = e->L;
    char shown[MP_SHOWN];
    int table = lua_gettop(L), n = 0;
    size_t start = e->out->len;
    if (!lua_istable(L, table))
        return mp_fault_set(&e->fault, "expected a table, got %s",
                            mp_fault_show(L, table, shown));
    lua_pushnil(L);
    while (lua_next(L, table)) {
        if (++n > MP_PROFILE_MAX)
            return mp_fault_set(&e->fault,
                                "more than %d properties; a profile takes no "
                                "more",
                                MP_PROFILE_MAX);
        size_t at = e->out->len;
        mp_err err = mp_encode_key(e, table, table + 1);
        if (err != MP_OK)
            return err;
        if (is_excluded(e, at + 1, e->out->len - 1))
            e->out->len = at;
        else
            err = encode_value(e, payload);
        if (err != MP_OK) {
            mp_fault_key(&e->fault, L, table + 1);
            return err;
        }
        lua_pop(L, 1);
    }
    if (n == 0 && payload == MP_LISTS)
        return mp_fault_set(&e->fault, "an empty table adds nothing");
    *nothing = n > 0 && e->out->len == start;
    return close_payload(e, start, "{}");
}

/* The table at the top, which may be marked as an array and so have gaps. */
static mp_err check_names(mp_encode *e) {
    lua_State *L = e->L;
    char shown[MP_SHOWN];
    int table = lua_gettop(L);
    size_t found = 0, n = mp_lua_rawlen(L, table);
    if (n > MP_PROFILE_MAX)
        return mp_fault_set(&e->fault,
                            "%zu names; a profile has at most %d properties", n,
                            MP_PROFILE_MAX);
    lua_pushnil(L);
    while (lua_next(L, table)) {
        if (lua_type(L, -1) != LUA_TSTRING) {
            mp_fault_key(&e->fault, L, table + 1);
            return mp_fault_set(&e->fault,
                                "expected the name of a property, got %s",
                                mp_fault_show(L, -1, shown));
        }
        lua_pop(L, 1);
        found++;
    }
    return found == n ? MP_OK
                      : mp_fault_set(&e->fault,
                                     "the table is no list: its keys are not "
                                     "1, 2, 3...");
}

static mp_err encode_names(mp_encode *e) {
    lua_State *L = e->L;
    if (lua_type(L, -1) == LUA_TSTRING)
        return encode_as_list(e);
    mp_digits digits;
    size_t start = e->out->len;
    mp_err err = MP_OK;
    int names = lua_gettop(L);
    bool is_array = mp_type_hint_of(L, names, &digits) == MP_HINT_ARRAY;
    if ((is_array || lua_istable(L, names)) && mp_type_hint_open(L, names))
        err = check_names(e);
    if (err == MP_OK) {
        lua_settop(L, names);
        err = mp_encode_list(e);
    }
    if (err == MP_OK && e->out->len - start == 2)
        return mp_fault_set(&e->fault, "an empty list removes nothing");
    return err;
}

mp_err mp_profile_operate(mp_encode *e, const mp_operation *operation,
                          bool *nothing) {
    mp_err err = mp_encode_name(e, operation->name);
    if (err != MP_OK)
        return err;
    switch (operation->payload) {
    case MP_NAMES:
        return encode_names(e);
    case MP_NOTHING:
        return mp_buf_puts(e->out, "\"\"");
    default:
        return encode_pairs(e, operation->payload, nothing);
    }
}

mp_err mp_profile_operate_one(mp_encode *e, const mp_operation *operation,
                              int name, bool *nothing) {
    size_t len;
    const char *text = lua_tolstring(e->L, name, &len);
    mp_err err = mp_encode_name(e, operation->name);
    if (err == MP_OK)
        err = mp_buf_puts(e->out, "{");
    size_t start = e->out->len;
    if (err == MP_OK)
        err = mp_encode_text(e, text, len);
    if (err == MP_OK)
        *nothing = is_excluded(e, start, e->out->len);
    if (err == MP_OK)
        err = mp_buf_puts(e->out, ":");
    if (err == MP_OK)
        err = encode_value(e, operation->payload);
    if (err == MP_OK)
        return mp_buf_puts(e->out, "}");
    mp_fault_key(&e->fault, e->L, name);
    return err;
}

/* ---- charges ---- */

/* Appends the properties of a charge; *dated: its time is among them. */
static mp_err encode_charge_pairs(mp_encode *e, int table, bool *dated) {
    lua_State *L = e->L;
    int n = 1; /* the amount */
    lua_pushnil(L);
    int key = lua_gettop(L);
    while (lua_next(L, table)) {
        size_t start = e->out->len;
        mp_err err = mp_encode_key(e, table, key);
        if (err != MP_OK)
            return err;
        const char *name = e->out->data + start + 1;
        size_t len = e->out->len - start - 2;
        *dated |= len == 7 && memcmp(name, "\"$time\"", len) == 0;
        if (len == 9 && memcmp(name, "\"$amount\"", len) == 0)
            err = mp_fault_set(&e->fault, "the amount is an argument");
        else if (++n > MP_KEYS_MAX)
            return mp_fault_set(&e->fault, "more than %d properties",
                                MP_KEYS_MAX);
        else
            err = mp_encode_value(e, 1);
        if (err != MP_OK) {
            mp_fault_key(&e->fault, L, key);
            return err;
        }
        lua_pop(L, 1);
    }
    return MP_OK;
}

mp_err mp_profile_charge(mp_encode *e, int amount, int table) {
    bool dated = false;
    mp_err err =
        mp_buf_puts(e->out, ",\"$append\":{\"$transactions\":{\"$amount\":");
    e->fault.root = "amount";
    lua_pushvalue(e->L, amount);
    if (err == MP_OK)
        err = mp_encode_number(e);
    if (err == MP_OK && table > 0) {
        e->fault.root = "properties";
        err = encode_charge_pairs(e, table, &dated);
    }
    if (err == MP_OK && !dated) {
        char date[MP_DATE_TEXT];
        mp_timestamp_date((double)mp_clock_wall_ms() / 1000, date);
        err = mp_encode_name(e, "$time");
        if (err == MP_OK)
            err = mp_encode_text(e, date, MP_DATE_TEXT - 1);
    }
    return err == MP_OK ? mp_buf_puts(e->out, "}}") : err;
}

/* ---- head ---- */

static mp_err put_id(mp_encode *e, const char *name, const mp_id *id) {
    mp_err err = mp_encode_name(e, name);
    return err == MP_OK ? mp_encode_text(e, id->text, id->len) : err;
}

mp_err mp_profile_head(mp_encode *e, const char *token, const mp_id *ids,
                       int count) {
    mp_err err = mp_buf_puts(e->out, "{\"$token\":\"");
    if (err == MP_OK)
        err = mp_buf_puts(e->out, token); /* nothing to escape: config.c */
    if (err == MP_OK)
        err = mp_buf_puts(e->out, "\"");
    if (err == MP_OK && count == 1)
        return put_id(e, "$distinct_id", &ids[0]);
    if (err == MP_OK)
        err = put_id(e, "$group_key", &ids[0]);
    return err == MP_OK ? put_id(e, "$group_id", &ids[1]) : err;
}
