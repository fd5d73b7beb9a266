#include "binding/ingest/ingest_options.h"

#include "binding/lua/handle.h"

#include <string.h>

static const char *const kinds[] = {"text", "lines", "values", "rows"};

static const char *const names[] = {
    "collected", "complete", "content_encoding",
    "csv",       "dates",    "doubt_end",
    "dry",       "in_doubt", "items",
    "last",      "places",   "position",
    "skip",      "split",
};

/* A name that nobody knows would be a rule that nobody keeps. */
static void check_names(lua_State *L, int arg) {
    char shown[MP_SHOWN];
    lua_pushnil(L);
    while (lua_next(L, arg)) {
        const char *name =
            lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
        size_t i = 0;
        while (i < sizeof names / sizeof *names && strcmp(names[i], name) != 0)
            i++;
        if (i == sizeof names / sizeof *names)
            mp_raise(L, arg,
                     "unknown option %s: expected collected, complete, "
                     "content_encoding, csv, dates, doubt_end, dry, in_doubt, "
                     "items, last, places, position, skip or split",
                     mp_fault_show(L, -2, shown));
        lua_pop(L, 1);
    }
}

/* Each reads a field of the table at the top; nil: what it was before. */
static void read_flag(lua_State *L, const char *name, bool *out) {
    lua_getfield(L, -1, name);
    *out = lua_toboolean(L, -1);
    lua_pop(L, 1);
}

static void read_count(lua_State *L, int arg, const char *name, uint64_t *out) {
    char shown[MP_SHOWN];
    lua_getfield(L, -1, name);
    lua_Number n = lua_tonumber(L, -1);
    if (!lua_isnil(L, -1) && (lua_type(L, -1) != LUA_TNUMBER || !(n >= 0) ||
                              n >= 9007199254740992.0)) /* 2^53 */
        mp_raise(L, arg, "option '%s': got %s, expected an offset in bytes",
                 name, mp_fault_show(L, -1, shown));
    *out = (uint64_t)n;
    lua_pop(L, 1);
}

/* The table holds the text while it is used. */
static void read_text(lua_State *L, int arg, const char *name,
                      const char **out) {
    lua_getfield(L, -1, name);
    if (!lua_isnil(L, -1)) {
        if (lua_type(L, -1) != LUA_TSTRING)
            mp_raise(L, arg, "option 'csv': string expected as '%s'", name);
        *out = lua_tostring(L, -1);
    }
    lua_pop(L, 1);
}

static void read_columns(lua_State *L, int arg, mp_ingest_options *out) {
    lua_getfield(L, -1, "columns");
    size_t n = lua_type(L, -1) == LUA_TTABLE ? mp_lua_rawlen(L, -1) : 0;
    if (n == 0 || n > MP_CSV_COLUMNS)
        mp_raise(L, arg, "option 'csv': expected 1 to %d columns",
                 MP_CSV_COLUMNS);
    for (size_t i = 0; i < n; i++) {
        mp_csv_column *column = &out->columns[i];
        *column = (mp_csv_column){0};
        lua_rawgeti(L, -1, (int)i + 1);
        if (lua_type(L, -1) != LUA_TTABLE)
            mp_raise(L, arg, "option 'csv': each column is a table");
        read_text(L, arg, "name", &column->name);
        read_flag(L, "outside", &column->outside);
        read_flag(L, "text", &column->is_text);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    out->csv.columns = out->columns;
    out->csv.count = n;
}

static void read_csv(lua_State *L, int arg, mp_ingest_options *out) {
    const char *separator = ",";
    lua_getfield(L, -1, "csv");
    if (lua_type(L, -1) != LUA_TTABLE)
        mp_raise(L, arg, "option 'csv': table expected, got %s",
                 luaL_typename(L, -1));
    out->csv = (mp_csv){.outside = "", .inside = "", .members = ""};
    read_text(L, arg, "separator", &separator);
    read_text(L, arg, "outside", &out->csv.outside);
    read_text(L, arg, "inside", &out->csv.inside);
    read_text(L, arg, "members", &out->csv.members);
    read_text(L, arg, "header", &out->csv.header);
    out->csv.separator = *separator;
    read_columns(L, arg, out);
    lua_pop(L, 1);
}

static mp_ingest_items read_items(lua_State *L, int arg) {
    char shown[MP_SHOWN];
    lua_getfield(L, -1, "items");
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return MP_INGEST_TEXT;
    }
    const char *name =
        lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    for (int i = 0; i < (int)(sizeof kinds / sizeof *kinds); i++) {
        if (strcmp(kinds[i], name) == 0) {
            lua_pop(L, 1);
            return (mp_ingest_items)i;
        }
    }
    mp_raise(L, arg,
             "option 'items': got %s, expected \"text\", \"lines\", "
             "\"values\" or \"rows\"",
             mp_fault_show(L, -1, shown));
}

static void read_encoding(lua_State *L, int arg, mp_ingest_options *out) {
    char shown[MP_SHOWN];
    lua_getfield(L, -1, "content_encoding");
    out->gzip = !lua_isnil(L, -1);
    if (out->gzip && (lua_type(L, -1) != LUA_TSTRING ||
                      strcmp(lua_tostring(L, -1), "gzip") != 0))
        mp_raise(L, arg, "option 'content_encoding': got %s, expected \"gzip\"",
                 mp_fault_show(L, -1, shown));
    lua_pop(L, 1);
}

void mp_ingest_options_read(lua_State *L, int arg, mp_ingest_options *out) {
    uint64_t skip;
    out->items = MP_INGEST_TEXT;
    if (lua_isnoneornil(L, arg))
        return;
    if (lua_type(L, arg) != LUA_TTABLE)
        mp_raise_type(L, arg, "options: table");
    check_names(L, arg);
    lua_pushvalue(L, arg);
    out->items = read_items(L, arg);
    read_flag(L, "last", &out->last);
    read_flag(L, "dates", &out->time_text);
    read_flag(L, "split", &out->split);
    read_flag(L, "dry", &out->dry);
    read_flag(L, "places", &out->places);
    read_flag(L, "collected", &out->collected);
    read_flag(L, "complete", &out->complete);
    read_flag(L, "in_doubt", &out->in_doubt);
    read_encoding(L, arg, out);
    read_count(L, arg, "skip", &skip);
    out->skip = (size_t)skip;
    read_count(L, arg, "position", &out->position);
    read_count(L, arg, "doubt_end", &out->doubt_end);
    if (out->items == MP_INGEST_ROWS)
        read_csv(L, arg, out);
    lua_pop(L, 1);
}

void mp_ingest_options_set(const mp_ingest_options *options,
                           mp_ingest_rules *rules) {
    rules->items = options->items;
    rules->complete = options->complete;
    rules->doubt_end = options->in_doubt ? UINT64_MAX : 0;
    if (options->complete)
        rules->profile_time = rules->no_address = false;
    if (options->items == MP_INGEST_TEXT)
        return;
    rules->last = options->last;
    rules->split = options->split;
    rules->time_text = options->time_text;
    rules->position = options->position;
    if (!options->in_doubt)
        rules->doubt_end = options->doubt_end;
    rules->keep_equal = true;
    rules->csv = &options->csv;
}
