#include "binding/encode/encode_scalar.h"

#include "binding/encode/type_hint.h"

#include <math.h>

/* DESIGN
 *
 * Elements and pairs are written with a comma in front of each; the first
 * comma of a table then becomes its bracket.
 *
 * Lua does not say whether a table is an array. The walk assumes it as long
 * as lua_next yields 1, 2, 3..., as it does for every table that was filled
 * in order; when that fails, what was written is dropped, the keys are
 * counted, and the walk begins anew. */

enum {
    SLOTS = 12, /* of the stack for one level: key, value, temporaries */

    /* No record has room for more elements. */
    INDEX_MAX = 1024 * 1024
};

/* How many tables, and of these objects, lie around a value below its
 * property. */
typedef struct depth {
    int tables, objects;
} depth;

/* The value at the top. */
static mp_err encode_at(mp_encode *e, depth at);

/* Makes the first comma since `start` the opening bracket. */
static mp_err close_table(mp_encode *e, size_t start, const char *brackets) {
    if (e->out->len == start)
        return mp_buf_add(e->out, brackets, 2);
    e->out->data[start] = brackets[0];
    return mp_encode_char(e, brackets[1]);
}

/* The value at the top as element `i` of a list. */
static mp_err encode_element(mp_encode *e, size_t i, depth at) {
    mp_err err = mp_encode_char(e, ',');
    if (err == MP_OK)
        err = encode_at(e, at);
    if (err != MP_OK)
        mp_fault_index(&e->fault, i);
    return err;
}

static mp_err check_list_length(mp_encode *e, size_t n) {
    if (n <= e->list_max)
        return MP_OK;
    return mp_fault_set(&e->fault,
                        "the list has %zu elements; Mixpanel takes at most %zu",
                        n, e->list_max);
}

/* With the first key and value on the stack: the table as a list, as long as
 * the keys are 1, 2, 3...; else leaves *done false and the stack as it was
 * before the first key. */
static mp_err try_list(mp_encode *e, int table, depth at, bool *done) {
    lua_State *L = e->L;
    size_t start = e->out->len, n = 0;
    uint32_t repaired = e->repaired;
    mp_err err = MP_OK;
    do {
        *done = lua_type(L, table + 1) == LUA_TNUMBER &&
                lua_tonumber(L, table + 1) == (lua_Number)(n + 1);
        if (!*done)
            break;
        if (++n > e->list_max)
            return check_list_length(e, mp_lua_rawlen(L, table));
        err = encode_element(e, n, at);
        if (err != MP_OK)
            return err;
        lua_pop(L, 1);
    } while (lua_next(L, table));
    if (*done)
        return close_table(e, start, "[]");
    lua_pop(L, 2);
    e->out->len = start;
    e->repaired = repaired;
    return MP_OK;
}

/* What the keys of a table that is to be an array come to. */
typedef struct indexes {
    size_t count;
    size_t largest;
} indexes;

/* False, with the offending key on the stack, for a table with another key
 * than 1, 2, 3... */
static bool count_indexes(lua_State *L, int table, indexes *found) {
    *found = (indexes){0, 0};
    lua_pushnil(L);
    while (lua_next(L, table)) {
        lua_pop(L, 1);
        lua_Number key =
            lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
        if (!(key >= 1 && key <= INDEX_MAX) || key != floor(key))
            return false;
        if (key > (lua_Number)found->largest)
            found->largest = (size_t)key;
        found->count++;
    }
    return true;
}

/* True if the keys are exactly 1..*n. */
static bool is_list(lua_State *L, int table, size_t *n) {
    indexes found;
    bool is_list = count_indexes(L, table, &found);
    lua_settop(L, table);
    *n = found.largest;
    return is_list && found.count == found.largest;
}

static mp_err encode_list(mp_encode *e, int table, size_t n, depth at) {
    size_t start = e->out->len;
    mp_err err = check_list_length(e, n);
    for (size_t i = 1; err == MP_OK && i <= n; i++) {
        lua_rawgeti(e->L, table, (int)i);
        err = encode_element(e, i, at);
        lua_settop(e->L, table);
    }
    return err == MP_OK ? close_table(e, start, "[]") : err;
}

/* A table of which someone said that it is an array: what is missing up to
 * the largest index is null. */
static mp_err encode_array(mp_encode *e, int table, depth at) {
    indexes found;
    char shown[MP_SHOWN];
    if (!count_indexes(e->L, table, &found))
        return mp_fault_set(&e->fault, "an array cannot have the key %s",
                            mp_fault_show(e->L, -1, shown));
    return encode_list(e, table, found.largest, at);
}

static mp_err encode_object(mp_encode *e, int table, depth at) {
    lua_State *L = e->L;
    size_t start = e->out->len;
    int keys = 0;
    if (++at.objects > MP_OBJECTS_MAX)
        return mp_fault_set(&e->fault,
                            "objects lie deeper than %d levels in a property",
                            MP_OBJECTS_MAX);
    lua_pushnil(L);
    while (lua_next(L, table)) {
        if (++keys > MP_KEYS_MAX)
            return mp_fault_set(&e->fault, "the object has more than %d keys",
                                MP_KEYS_MAX);
        mp_err err = mp_encode_key(e, table, table + 1);
        if (err != MP_OK)
            return err;
        err = encode_at(e, at);
        if (err != MP_OK) {
            mp_fault_key(&e->fault, L, table + 1);
            return err;
        }
        lua_pop(L, 1);
    }
    return close_table(e, start, "{}");
}

/* A table that says nothing of its form. */
static mp_err encode_unmarked(mp_encode *e, int table, depth at) {
    lua_State *L = e->L;
    lua_pushnil(L);
    if (!lua_next(L, table))
        return encode_object(e, table, at);
    if (lua_type(L, table + 1) != LUA_TNUMBER) {
        lua_pop(L, 2);
        return encode_object(e, table, at);
    }
    bool done;
    mp_err err = try_list(e, table, at, &done);
    if (err != MP_OK || done)
        return err;
    size_t n;
    return is_list(L, table, &n) ? encode_list(e, table, n, at)
                                 : encode_object(e, table, at);
}

/* The table, or what is marked as one, at the top. */
static mp_err encode_table(mp_encode *e, depth at) {
    lua_State *L = e->L;
    mp_digits digits;
    if (++at.tables > MP_TABLES_MAX)
        return mp_fault_set(&e->fault,
                            "tables lie deeper than %d levels, or contain "
                            "themselves",
                            MP_TABLES_MAX);
    if (!lua_checkstack(L, SLOTS))
        return MP_MEMORY;
    mp_type_hint form = mp_type_hint_of(L, -1, &digits);
    if (form == MP_HINT_NULL)
        return mp_encode_null(e);
    if (!mp_type_hint_open(L, -1))
        return mp_buf_add(e->out, "[]", 2);
    int table = lua_gettop(L);
    mp_err err = form == MP_HINT_ARRAY    ? encode_array(e, table, at)
                 : form == MP_HINT_OBJECT ? encode_object(e, table, at)
                                          : encode_unmarked(e, table, at);
    lua_settop(L, table - 1);
    return err;
}

/* ---- values ---- */

static mp_err encode_string(mp_encode *e) {
    size_t len;
    const char *text = lua_tolstring(e->L, -1, &len);
    return mp_encode_text(e, text, len);
}

static mp_err encode_boolean(mp_encode *e) {
    return lua_toboolean(e->L, -1) ? mp_buf_add(e->out, "true", 4)
                                   : mp_buf_add(e->out, "false", 5);
}

static mp_err encode_other(mp_encode *e, depth at) {
    lua_State *L = e->L;
    mp_digits digits;
    switch (mp_type_hint_of(L, -1, &digits)) {
    case MP_HINT_NULL:
        return mp_encode_null(e);
    case MP_HINT_INTEGER:
        return mp_buf_add(e->out, digits.text, digits.len);
    case MP_HINT_ARRAY:
    case MP_HINT_OBJECT:
        return encode_table(e, at);
    default:
        return mp_fault_set(&e->fault, "%s has no JSON form",
                            luaL_typename(L, -1));
    }
}

static mp_err encode_at(mp_encode *e, depth at) {
    switch (lua_type(e->L, -1)) {
    case LUA_TSTRING:
        return encode_string(e);
    case LUA_TNUMBER:
        return mp_encode_any_number(e);
    case LUA_TBOOLEAN:
        return encode_boolean(e);
    case LUA_TNIL:
        return mp_encode_null(e);
    case LUA_TTABLE:
        return encode_table(e, at);
    default:
        return encode_other(e, at);
    }
}

mp_err mp_encode_value(mp_encode *e, int objects) {
    return encode_at(e, (depth){objects, objects});
}

/* ---- where the API wants a list ---- */

mp_err mp_encode_list(mp_encode *e) {
    lua_State *L = e->L;
    mp_digits digits;
    char shown[MP_SHOWN];
    depth at = {1, 0};
    mp_type_hint form = mp_type_hint_of(L, -1, &digits);
    bool is_array = form == MP_HINT_ARRAY;
    if (!is_array && (form != MP_HINT_NONE || !lua_istable(L, -1)))
        return mp_fault_set(&e->fault, "%s is no list",
                            mp_fault_show(L, -1, shown));
    if (!lua_checkstack(L, SLOTS))
        return MP_MEMORY;
    if (!mp_type_hint_open(L, -1))
        return mp_buf_add(e->out, "[]", 2);
    int table = lua_gettop(L);
    size_t n = 0;
    if (!is_array && !is_list(L, table, &n))
        return mp_fault_set(&e->fault, "the table is no list: its keys are "
                                       "not 1, 2, 3...");
    mp_err err =
        is_array ? encode_array(e, table, at) : encode_list(e, table, n, at);
    lua_settop(L, table - 1);
    return err;
}
