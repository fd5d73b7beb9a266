#include "binding/ingest/record_table.h"

#include "binding/encode/type_hint.h"
#include "binding/lua/handle.h"

#include "core/base/number.h"
#include "core/base/unescape.h"

enum {
    SLOTS = 16 /* of the stack for one level */
};

/* ---- to Lua ---- */

/* What stands between the quotes. */
static void push_raw(mp_record_text *text, const mp_span *raw, bool clean) {
    bool repaired = false;
    if (clean) {
        lua_pushlstring(text->L, raw->data, raw->len);
        return;
    }
    mp_buf_clear(text->scratch);
    if (mp_unescape(text->scratch, raw->data, raw->len, &repaired) != MP_OK)
        mp_raise_memory(text->L);
    lua_pushlstring(text->L, text->scratch->len ? text->scratch->data : "",
                    text->scratch->len);
}

static void push_string(mp_record_text *text) {
    mp_span raw;
    bool clean;
    if (mp_reader_string(&text->reader, &raw, &clean))
        push_raw(text, &raw, clean);
    else
        lua_pushnil(text->L);
}

/* Lua reads numbers to the last digit, but 5.1 none with a fraction in a locale
 * whose decimal point is another. */
static void push_number(mp_record_text *text) {
    lua_State *L = text->L;
    mp_span raw = {"0", 1};
    mp_reader_number(&text->reader, &raw);
    lua_pushlstring(L, raw.data, raw.len);
#if LUA_VERSION_NUM >= 503
    lua_stringtonumber(L, lua_tostring(L, -1));
#else
    lua_pushnumber(L, lua_isnumber(L, -1) ? lua_tonumber(L, -1)
                                          : mp_number_value(raw.data, raw.len));
#endif
    lua_remove(L, -2);
}

static void push_literal(mp_record_text *text) {
    mp_span raw = {"null", 4};
    mp_reader_literal(&text->reader, &raw);
    if (raw.data[0] == 'n')
        lua_pushlightuserdata(text->L, NULL);
    else
        lua_pushboolean(text->L, raw.data[0] == 't');
}

static void push_object(mp_record_text *text) {
    mp_span raw;
    bool first, clean;
    lua_newtable(text->L);
    mp_reader_open(&text->reader, &first);
    while (mp_reader_more(&text->reader, '}', &first) &&
           mp_reader_name(&text->reader, &raw, &clean)) {
        push_raw(text, &raw, clean);
        mp_record_table_push(text);
        lua_rawset(text->L, -3);
    }
}

static void push_list(mp_record_text *text) {
    bool first;
    lua_newtable(text->L);
    mp_reader_open(&text->reader, &first);
    for (int i = 1; mp_reader_more(&text->reader, ']', &first); i++) {
        mp_record_table_push(text);
        lua_rawseti(text->L, -2, i);
    }
}

void mp_record_table_push(mp_record_text *text) {
    luaL_checkstack(text->L, SLOTS, NULL);
    switch (mp_reader_peek(&text->reader)) {
    case '{':
        push_object(text);
        break;
    case '[':
        push_list(text);
        break;
    case '"':
        push_string(text);
        break;
    case 't':
    case 'f':
    case 'n':
        push_literal(text);
        break;
    default:
        push_number(text);
    }
}

/* ---- back to JSON ---- */

/* A table at the top that says nothing of its form and has only the keys 1 to
 * n, or none at all. */
static bool is_list(lua_State *L, bool *empty) {
    size_t n = mp_lua_rawlen(L, -1), keys = 0;
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        lua_pop(L, 1);
        if (++keys > n || lua_type(L, -1) != LUA_TNUMBER) {
            lua_pop(L, 1);
            return false;
        }
    }
    *empty = keys == 0;
    return keys == n;
}

/* Whether the value at the top is a table of the form of the JSON that comes
 * next, so that they can be compared piece by piece. */
static bool has_form(mp_record_text *text, char kind) {
    lua_State *L = text->L;
    mp_digits digits;
    bool empty = false;
    if (!lua_istable(L, -1) || mp_type_hint_of(L, -1, &digits) != MP_HINT_NONE)
        return false;
    bool list = is_list(L, &empty);
    return empty || list == (kind == '[');
}

/* A member that the table, at `table`, may have still. */
static void write_member(mp_record_text *text, mp_encode *e, int table) {
    lua_State *L = text->L;
    mp_span raw;
    bool clean;
    if (!mp_reader_name(&text->reader, &raw, &clean))
        return;
    push_raw(text, &raw, clean);
    lua_pushvalue(L, -1);
    lua_pushboolean(L, 1);
    lua_rawset(L, table + 1);
    lua_rawget(L, table);
    if (lua_isnil(L, -1)) {
        mp_reader_skip(&text->reader);
        return;
    }
    mp_buf_add(e->out, ",", 1);
    mp_buf_add(e->out, raw.data - 1, raw.len + 2);
    mp_buf_add(e->out, ":", 1);
    mp_record_table_write(text, e);
    if (mp_encode_err(e))
        mp_fault_name(&e->fault, raw.data, raw.len);
}

/* The members of the table, at `table`, that are not in the one behind it. */
static void write_new(mp_encode *e, int table) {
    lua_State *L = e->L;
    lua_pushnil(L);
    while (!mp_encode_err(e) && lua_next(L, table)) {
        lua_pushvalue(L, -2);
        lua_rawget(L, table + 1);
        bool known = !lua_isnil(L, -1);
        lua_pop(L, 1);
        if (!known && mp_encode_key(e, table, table + 2)) {
            mp_encode_value(e, 0);
            if (mp_encode_err(e))
                mp_fault_key(&e->fault, L, table + 2);
        }
        lua_settop(L, table + 2);
    }
}

static void write_object(mp_record_text *text, mp_encode *e) {
    lua_State *L = text->L;
    size_t start = e->out->len;
    int table = lua_gettop(L);
    bool first;
    lua_newtable(L); /* the names that were there */
    mp_reader_open(&text->reader, &first);
    while (mp_reader_more(&text->reader, '}', &first) && !mp_encode_err(e)) {
        write_member(text, e, table);
        lua_settop(L, table + 1);
    }
    write_new(e, table);
    mp_encode_close(e, start, "{}");
    lua_settop(L, table);
}

/* Element `i` of the table at `table`; false: there is none. */
static bool write_element(mp_record_text *text, mp_encode *e, int table,
                          size_t i, bool is_new) {
    lua_State *L = text->L;
    lua_rawgeti(L, table, (int)i);
    bool there = !lua_isnil(L, -1);
    if (there) {
        mp_buf_add(e->out, ",", 1);
        if (is_new)
            mp_encode_value(e, 0);
        else
            mp_record_table_write(text, e);
        if (mp_encode_err(e))
            mp_fault_index(&e->fault, i);
    } else if (!is_new) {
        mp_reader_skip(&text->reader);
    }
    lua_settop(L, table);
    return there && !mp_encode_err(e);
}

static void write_list(mp_record_text *text, mp_encode *e) {
    size_t start = e->out->len, i = 0;
    int table = lua_gettop(text->L);
    bool first;
    mp_reader_open(&text->reader, &first);
    while (mp_reader_more(&text->reader, ']', &first) && !mp_encode_err(e))
        write_element(text, e, table, ++i, false);
    while (!mp_encode_err(e) && write_element(text, e, table, ++i, true)) {
    }
    mp_encode_close(e, start, "[]");
}

static void write_scalar(mp_record_text *text, mp_encode *e) {
    const char *from = text->reader.at;
    mp_record_table_push(text);
    bool same = lua_rawequal(text->L, -1, -2) != 0;
    lua_pop(text->L, 1);
    if (same)
        mp_buf_add(e->out, from, (size_t)(text->reader.at - from));
    else
        mp_encode_value(e, 0);
}

void mp_record_table_write(mp_record_text *text, mp_encode *e) {
    luaL_checkstack(text->L, SLOTS, NULL);
    char kind = mp_reader_peek(&text->reader);
    bool table = kind == '{' || kind == '[';
    if (!table) {
        write_scalar(text, e);
    } else if (!has_form(text, kind)) {
        mp_reader_skip(&text->reader);
        mp_encode_value(e, 0);
    } else if (kind == '{') {
        write_object(text, e);
    } else {
        write_list(text, e);
    }
}
