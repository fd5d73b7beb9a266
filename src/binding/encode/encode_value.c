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
 * in order; when that fails, the keys are counted, and those of a list that
 * are missing follow by their index. Only what is found to be an object is
 * dropped and written again, and objects lie in objects no deeper than
 * MP_OBJECTS_MAX. */

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
static void encode_at(mp_encode *e, depth at);

/* ---- lists ---- */

/* The value at the top as element `i` of a list. False when it failed. */
static bool encode_element(mp_encode *e, size_t i, depth at) {
    mp_encode_char(e, ',');
    encode_at(e, at);
    if (!mp_encode_err(e))
        return true;
    mp_fault_index(&e->fault, i);
    return false;
}

/* False for a list that is too long. */
static bool check_list_length(mp_encode *e, size_t n) {
    if (n <= e->list_max)
        return true;
    mp_encode_refuse(e, "the list has %zu elements; Mixpanel takes at most %zu",
                     n, e->list_max);
    return false;
}

/* With the first key and value on the stack: the elements as long as their
 * keys are 1, 2, 3... Returns how many; *all: the table has no other keys. */
static size_t encode_in_order(mp_encode *e, int table, depth at, bool *all) {
    lua_State *L = e->L;
    size_t n = 0;
    *all = false;
    do {
        if (lua_type(L, table + 1) != LUA_TNUMBER ||
            lua_tonumber(L, table + 1) != (lua_Number)(n + 1))
            return n;
        if (n == e->list_max) {
            check_list_length(e, mp_lua_rawlen(L, table));
            return n;
        }
        if (!encode_element(e, ++n, at))
            return n;
        lua_pop(L, 1);
    } while (lua_next(L, table));
    *all = true;
    return n;
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

/* The elements `first` to `n`. */
static void encode_elements(mp_encode *e, int table, size_t first, size_t n,
                            depth at) {
    bool fine = check_list_length(e, n);
    for (size_t i = first; fine && i <= n; i++) {
        lua_rawgeti(e->L, table, (int)i);
        fine = encode_element(e, i, at);
        lua_settop(e->L, table);
    }
}

static void encode_list(mp_encode *e, int table, size_t n, depth at) {
    size_t start = e->out->len;
    encode_elements(e, table, 1, n, at);
    mp_encode_close(e, start, "[]");
}

/* A table of which someone said that it is an array: what is missing up to
 * the largest index is null. */
static void encode_array(mp_encode *e, int table, depth at) {
    indexes found;
    char shown[MP_SHOWN];
    if (count_indexes(e->L, table, &found))
        encode_list(e, table, found.largest, at);
    else
        mp_encode_refuse(e, "an array cannot have the key %s",
                         mp_fault_show(e->L, -1, shown));
}

/* ---- objects ---- */

static void encode_object(mp_encode *e, int table, depth at) {
    lua_State *L = e->L;
    size_t start = e->out->len;
    int keys = 0;
    if (++at.objects > MP_OBJECTS_MAX)
        mp_encode_refuse(e, "objects lie deeper than %d levels in a property",
                         MP_OBJECTS_MAX);
    lua_pushnil(L);
    while (lua_next(L, table)) {
        if (++keys > MP_KEYS_MAX)
            mp_encode_refuse(e, "the object has more than %d keys",
                             MP_KEYS_MAX);
        if (!mp_encode_key(e, table, table + 1))
            return;
        encode_at(e, at);
        if (mp_encode_err(e)) {
            mp_fault_key(&e->fault, L, table + 1);
            return;
        }
        lua_pop(L, 1);
    }
    mp_encode_check_keys(e, start);
    mp_encode_close(e, start, "{}");
}

/* A table that says nothing of its form. */
static void encode_unmarked(mp_encode *e, int table, depth at) {
    lua_State *L = e->L;
    size_t start = e->out->len, n;
    uint32_t repaired = e->repaired, truncated = e->truncated;
    lua_pushnil(L);
    if (!lua_next(L, table) || lua_type(L, table + 1) != LUA_TNUMBER) {
        lua_settop(L, table);
        encode_object(e, table, at);
        return;
    }
    bool all;
    size_t written = encode_in_order(e, table, at, &all);
    if (mp_encode_err(e))
        return;
    if (!all && !is_list(L, table, &n)) {
        e->out->len = start;
        e->repaired = repaired;
        e->truncated = truncated;
        encode_object(e, table, at);
        return;
    }
    if (!all)
        encode_elements(e, table, written + 1, n, at);
    mp_encode_close(e, start, "[]");
}

/* ---- tables ---- */

/* Apart, so that the scalars of encode_other do without the large frame. */
#define APART __attribute__((noinline))

/* The table, or what is marked as one, at the top. */
APART static void encode_table(mp_encode *e, depth at) {
    lua_State *L = e->L;
    mp_digits digits;
    if (mp_encode_err(e)) /* and no path leads to it from here */
        return;
    if (++at.tables > MP_TABLES_MAX) {
        mp_encode_refuse(e,
                         "tables lie deeper than %d levels, or contain "
                         "themselves",
                         MP_TABLES_MAX);
        return;
    }
    if (!lua_checkstack(L, SLOTS)) {
        mp_encode_note(e, MP_MEMORY);
        return;
    }
    mp_type_hint form = mp_type_hint_of(L, -1, &digits);
    if (form == MP_HINT_NULL) {
        mp_encode_null(e);
        return;
    }
    if (!mp_type_hint_open(L, -1)) {
        mp_buf_add(e->out, "[]", 2);
        return;
    }
    int table = lua_gettop(L);
    if (form == MP_HINT_ARRAY)
        encode_array(e, table, at);
    else if (form == MP_HINT_OBJECT)
        encode_object(e, table, at);
    else
        encode_unmarked(e, table, at);
    lua_settop(L, table - 1);
}

/* ---- values ---- */

static void encode_boolean(mp_encode *e) {
    if (lua_toboolean(e->L, -1))
        mp_buf_add(e->out, "true", 4);
    else
        mp_buf_add(e->out, "false", 5);
}

APART static void encode_hinted(mp_encode *e, depth at) {
    lua_State *L = e->L;
    mp_digits digits;
    switch (mp_type_hint_of(L, -1, &digits)) {
    case MP_HINT_NULL:
        mp_encode_null(e);
        break;
    case MP_HINT_INTEGER:
        mp_buf_add(e->out, digits.text, digits.len);
        break;
    case MP_HINT_ARRAY:
    case MP_HINT_OBJECT:
        encode_table(e, at);
        break;
    default:
        mp_encode_refuse(e, "%s has no JSON form", luaL_typename(L, -1));
    }
}

static void encode_other(mp_encode *e, int type, depth at) {
    switch (type) {
    case LUA_TNUMBER:
        mp_encode_any_number(e);
        break;
    case LUA_TBOOLEAN:
        encode_boolean(e);
        break;
    case LUA_TNIL:
        mp_encode_null(e);
        break;
    case LUA_TTABLE:
        encode_table(e, at);
        break;
    default:
        encode_hinted(e, at);
    }
}

static void encode_at(mp_encode *e, depth at) {
    int type = lua_type(e->L, -1);
    if (type == LUA_TSTRING)
        mp_encode_string(e);
    else
        encode_other(e, type, at);
}

void mp_encode_other(mp_encode *e, int type, int objects) {
    encode_other(e, type, (depth){objects, objects});
}

/* ---- where the API wants a list ---- */

/* The list at the top, which mp_type_hint_open gave. */
static void encode_opened(mp_encode *e, bool is_array) {
    depth at = {1, 0};
    int table = lua_gettop(e->L);
    size_t n;
    if (is_array)
        encode_array(e, table, at);
    else if (is_list(e->L, table, &n))
        encode_list(e, table, n, at);
    else
        mp_encode_refuse(e, "the table is no list: its keys are not 1, 2, "
                            "3...");
    lua_settop(e->L, table - 1);
}

void mp_encode_list(mp_encode *e) {
    lua_State *L = e->L;
    mp_digits digits;
    char shown[MP_SHOWN];
    mp_type_hint form = mp_type_hint_of(L, -1, &digits);
    bool is_array = form == MP_HINT_ARRAY;
    if (!is_array && (form != MP_HINT_NONE || !lua_istable(L, -1)))
        mp_encode_refuse(e, "%s is no list", mp_fault_show(L, -1, shown));
    if (!lua_checkstack(L, SLOTS))
        mp_encode_note(e, MP_MEMORY);
    if (mp_encode_err(e))
        return;
    if (mp_type_hint_open(L, -1))
        encode_opened(e, is_array);
    else
        mp_buf_add(e->out, "[]", 2);
}
