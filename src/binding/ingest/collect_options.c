#include "binding/ingest/collect_options.h"

#include "binding/lua/handle.h"

#include <string.h>

static bool is(const char *text, const char *other) {
    return text[0] == other[0] && strcmp(text, other) == 0;
}

/* The string at the top, which is that option's value. */
static const char *check_text(lua_State *L, int arg, const char *option,
                              size_t *len) {
    if (lua_type(L, -1) != LUA_TSTRING)
        mp_raise(L, arg, "option '%s': string expected, got %s", option,
                 luaL_typename(L, -1));
    return lua_tolstring(L, -1, len);
}

static bool is_address(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        char c = text[i], small = (char)(c | 0x20);
        if (!(c >= '0' && c <= ':') && c != '.' &&
            !(small >= 'a' && small <= 'f'))
            return false;
    }
    return true;
}

/* An address of IPv4 or IPv6: nothing that JSON escapes. */
static void read_address(lua_State *L, int arg, mp_collect_options *out) {
    char shown[MP_SHOWN];
    size_t len;
    const char *text = check_text(L, arg, "ip", &len);
    if (len == 0 || len > 45 || !is_address(text, len))
        mp_raise(L, arg,
                 "option 'ip': got %s, expected an address such as "
                 "\"203.0.113.7\"",
                 mp_fault_quote(text, len, shown));
    out->address = text;
}

/* Another is refused when the body is read: the sender chose it. */
static void read_encoding(lua_State *L, int arg, mp_collect_options *out) {
    size_t len;
    const char *text = check_text(L, arg, "content_encoding", &len);
    if (is(text, "gzip"))
        out->gzip = true;
    else if (len > 0 && !is(text, "identity"))
        out->unknown_encoding = text;
}

/* Nothing that is escaped in JSON: as mp_config_token. */
static bool is_token(lua_State *L, int index) {
    size_t len;
    if (lua_type(L, index) != LUA_TSTRING)
        return false;
    const char *text = lua_tolstring(L, index, &len);
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~' || text[i] == '"' ||
            text[i] == '\\' || text[i] == ':')
            return false;
    return len > 0;
}

static void read_tokens(lua_State *L, int arg, mp_collect_options *out) {
    if (!lua_istable(L, -1))
        mp_raise(L, arg, "option 'tokens': table expected, got %s",
                 luaL_typename(L, -1));
    int tokens = lua_gettop(L);
    lua_pushnil(L);
    while (lua_next(L, tokens)) {
        if (!is_token(L, -2) || !is_token(L, -1))
            mp_raise(L, arg,
                     "option 'tokens': expected tokens of projects "
                     "as keys and as values");
        if (out->token_count > MP_COLLECT_TOKENS)
            mp_raise(L, arg, "option 'tokens': expected at most %d",
                     MP_COLLECT_TOKENS);
        out->tokens[out->token_count++] = (mp_ingest_token){
            .given = lua_tostring(L, -2), .sent = lua_tostring(L, -1)};
        lua_pop(L, 1);
    }
}

static void read_describe(lua_State *L, int arg, mp_collect_options *out) {
    if (!lua_isfunction(L, -1))
        mp_raise(L, arg, "option 'describe': function expected, got %s",
                 luaL_typename(L, -1));
    out->describes = true;
}

/* The option whose name is under its value, which is at the top. */
static void read_option(lua_State *L, int arg, mp_collect_options *out) {
    char shown[MP_SHOWN];
    const char *name =
        lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
    if (is(name, "ip"))
        read_address(L, arg, out);
    else if (is(name, "content_encoding"))
        read_encoding(L, arg, out);
    else if (is(name, "query"))
        out->query.data = check_text(L, arg, name, &out->query.len);
    else if (is(name, "tokens"))
        read_tokens(L, arg, out);
    else if (is(name, "describe"))
        read_describe(L, arg, out);
    else
        mp_raise(L, arg,
                 "unknown option %s: expected content_encoding, "
                 "describe, ip, query or tokens",
                 mp_fault_show(L, -2, shown));
}

void mp_collect_options_read(lua_State *L, int arg, mp_collect_options *out) {
    memset(out, 0, sizeof *out);
    out->token_count = 1;
    if (lua_isnoneornil(L, arg))
        return;
    if (!lua_istable(L, arg))
        mp_raise_type(L, arg, "options: table");
    lua_pushnil(L);
    while (lua_next(L, arg)) {
        read_option(L, arg, out);
        lua_pop(L, 1);
    }
}
