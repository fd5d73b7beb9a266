#define _GNU_SOURCE
#include "nats/lua/arguments.h"

#include "nats/bus.h"

#include <limits.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

enum {
    SERVERS_MAX = 100,
    SHOWN = 60 /* bytes of a text */
};

/* ---- what is wrong ---- */

static const char *push_shown(lua_State *L, int index) {
    char text[SHOWN + 1];
    size_t len = 0;
    int type = lua_type(L, index);
    if (type == LUA_TBOOLEAN)
        return lua_pushfstring(L, lua_toboolean(L, index) ? "true" : "false");
    if (type <= LUA_TNIL) /* or none */
        return lua_pushfstring(L, "nil");
    if (type != LUA_TSTRING && type != LUA_TNUMBER)
        return lua_pushfstring(L, "a %s", luaL_typename(L, index));
    lua_pushvalue(L, index); /* lua_tolstring makes a number a text */
    const char *all = lua_tolstring(L, -1, &len);
    size_t shown = len < SHOWN ? len : SHOWN;
    for (size_t i = 0; i < shown; i++)
        text[i] = all[i];
    for (size_t i = 0; i < shown; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            text[i] = '?';
    text[shown] = '\0';
    return lua_pushfstring(L, type == LUA_TNUMBER ? "%s" : "\"%s\"%s", text,
                           shown < len ? "..." : "");
}

static int fail(lua_State *L, int arg, const char *name, int index,
                const char *expected) {
    const char *shown = push_shown(L, index);
    return luaL_argerror(
        L, arg,
        lua_pushfstring(L, "%s: got %s, expected %s", name, shown, expected));
}

/* Without the value, which may hold a password. */
static int fail_option(lua_State *L, int arg, const char *name,
                       const char *expected) {
    return luaL_argerror(
        L, arg, lua_pushfstring(L, "option '%s': expected %s", name, expected));
}

/* NULL: it is no text, an empty one, or has a zero byte. */
static const char *text_at(lua_State *L, int index) {
    size_t len = 0;
    const char *text = lua_type(L, index) == LUA_TSTRING
                           ? lua_tolstring(L, index, &len)
                           : NULL;
    return text && len > 0 && strlen(text) == len ? text : NULL;
}

/* ---- arguments of methods ---- */

int64_t mp_nats_lua_timeout(lua_State *L, int arg, double least) {
    static const double longest = 1e9;
    lua_Number seconds = lua_tonumber(L, arg);
    if (lua_type(L, arg) != LUA_TNUMBER ||
        !(seconds >= least && seconds <= longest))
        fail(L, arg, "timeout", arg,
             least > 0 ? "seconds from 0.001 to 1e9" : "seconds from 0 to 1e9");
    return llround(seconds * 1000);
}

/* Words with dots between them, of which none is a wildcard. */
static bool is_subject(const char *text) {
    for (size_t len; text; text = text[len] ? text + len + 1 : NULL) {
        len = strcspn(text, ".");
        if (len == 0 || (len == 1 && (*text == '*' || *text == '>')))
            return false;
        for (size_t i = 0; i < len; i++)
            if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f)
                return false;
    }
    return true;
}

void mp_nats_lua_message(lua_State *L, int arg, mp_bus_message *message) {
    message->subject = text_at(L, arg);
    if (!message->subject || strlen(message->subject) > MP_NATS_SUBJECT ||
        !is_subject(message->subject))
        fail(L, arg, "subject", arg,
             "words with dots between them, such as \"mp.events\", without "
             "wildcards");
    if (lua_type(L, arg + 1) != LUA_TSTRING)
        fail(L, arg + 1, "body", arg + 1, "a string");
    message->body = lua_tolstring(L, arg + 1, &message->len);
}

static bool is_header_name(const char *name) {
    for (; *name; name++)
        if (*name <= ' ' || *name >= 0x7f || *name == ':')
            return false;
    return true;
}

static bool is_header_value(lua_State *L, int index) {
    const char *text = text_at(L, index);
    return text && !strpbrk(text, "\r\n");
}

void mp_nats_lua_headers(lua_State *L, int arg, mp_bus_message *message) {
    size_t count = 0, i = 0;
    if (lua_isnoneornil(L, arg)) {
        lua_pushnil(L);
        return;
    }
    if (!lua_istable(L, arg))
        fail(L, arg, "headers", arg, "a table { name = text }, or nil");
    for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1))
        count++;
    mp_bus_header *list = lua_newuserdata(L, (count + 1) * sizeof *list);
    for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1)) {
        const char *name = text_at(L, -2);
        if (!name || !is_header_name(name))
            fail(L, arg, "headers: name", -2,
                 "printable ASCII without spaces and colons");
        if (!is_header_value(L, -1))
            fail(L, arg, lua_pushfstring(L, "headers: %s", name), -2,
                 "a string of one line, not empty");
        list[i++] = (mp_bus_header){name, lua_tostring(L, -1)};
    }
    message->headers = list;
    message->headers_count = count;
}

/* ---- options of open ---- */

static void check_server(lua_State *L, int arg, size_t number,
                         const char *url) {
    mp_nats_server server;
    char text[MP_BUS_TEXT];
    const char *fault = mp_nats_server_read(&server, url);
    if (!fault)
        return;
    mp_nats_server_explain(text, "", number, url, fault);
    luaL_argerror(L, arg, text);
}

/* Pushes the list of pointers; the texts stay in the table of options. */
static void read_servers(lua_State *L, int arg, mp_bus_options *options) {
    static const char right[] = "a list of URLs such as \"tls://n1:4222\"";
    size_t keys = 0;
    lua_getfield(L, arg, "servers");
    int list = lua_gettop(L);
    size_t n = lua_istable(L, list) ? mp_lua_rawlen(L, list) : 0;
    if (n == 0 || n > SERVERS_MAX)
        fail_option(L, arg, "servers", right);
    for (lua_pushnil(L); lua_next(L, list); lua_pop(L, 1))
        keys++;
    if (keys != n)
        fail_option(L, arg, "servers", right);
    const char **urls = lua_newuserdata(L, n * sizeof *urls);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, list, (int)i + 1);
        urls[i] = text_at(L, -1);
        if (!urls[i])
            fail_option(L, arg, "servers", right);
        check_server(L, arg, i + 1, urls[i]);
        lua_pop(L, 1);
    }
    options->servers = urls;
    options->servers_count = n;
}

/* The process may go to another directory before the file is read. */
static const char *push_path(lua_State *L, int arg, const char *name,
                             const char *right) {
    char here[PATH_MAX];
    lua_getfield(L, arg, name);
    const char *path = text_at(L, -1);
    if (lua_isnil(L, -1))
        return NULL;
    if (!path)
        fail_option(L, arg, name, right);
    if (*path == '/')
        return path;
    if (!getcwd(here, sizeof here))
        luaL_argerror(
            L, arg,
            lua_pushfstring(L, "option '%s': there is no working directory",
                            name));
    return lua_pushfstring(L, "%s/%s", here, path);
}

static void refuse_others(lua_State *L, int arg) {
    for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1)) {
        const char *name = text_at(L, -2);
        if (!name ||
            (strcmp(name, "servers") != 0 && strcmp(name, "credentials") != 0 &&
             strcmp(name, "ca_file") != 0)) {
            const char *shown = push_shown(L, -2);
            luaL_argerror(
                L, arg,
                lua_pushfstring(
                    L, "option %s is none of servers, credentials and ca_file",
                    shown));
        }
    }
}

void mp_nats_lua_options(lua_State *L, int arg, mp_bus_options *options) {
    if (!lua_istable(L, arg))
        fail(L, arg, "options", arg, "a table");
    luaL_checkstack(L, 16, NULL);
    refuse_others(L, arg);
    options->credentials =
        push_path(L, arg, "credentials", "the path of a file");
    options->ca_file = push_path(L, arg, "ca_file", "the path of a PEM file");
    read_servers(L, arg, options);
}
