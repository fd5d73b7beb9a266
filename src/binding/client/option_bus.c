#include "binding/client/option_bus.h"

#include "core/os/library.h"
#include "core/transport/bus_loader.h"

#include <string.h>

enum {
    NAME_MAX_BYTES = 32,
    SERVERS_MAX = 100
};

/* ---- members of the table, each at the top ---- */

static const char *read_text(mp_option_reader *r, const mp_option *o) {
    size_t len = 0;
    const char *text = "";
    if (lua_type(r->L, -1) == LUA_TSTRING)
        text = lua_tolstring(r->L, -1, &len);
    if (len == 0 || strlen(text) != len)
        mp_option_fail_unshown(r, o);
    return text;
}

static void read_servers(mp_option_reader *r, const mp_option *o) {
    lua_State *L = r->L;
    char message[MP_MESSAGE] = "";
    size_t n = lua_istable(L, -1) ? mp_lua_rawlen(L, -1) : 0, keys = 0;
    if (n == 0 || n > SERVERS_MAX)
        mp_option_fail_unshown(r, o);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        keys++;
    if (keys != n)
        mp_option_fail_unshown(r, o);
    for (size_t i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, (int)i);
        const char *url = read_text(r, o);
        mp_option_check(
            r, mp_bus_config_add_server(r->config->bus, url, message), message);
        lua_pop(L, 1);
    }
}

static void store_path(mp_option_reader *r, const mp_option *o, char **field) {
    mp_err err = mp_bus_config_path(field, read_text(r, o));
    if (err == MP_INVALID)
        mp_raise(r->L, r->arg, "option '%s': there is no working directory",
                 o->name);
    mp_option_check(r, err, "");
}

static void read_credentials(mp_option_reader *r, const mp_option *o) {
    store_path(r, o, &r->config->bus->credentials);
}

static void read_ca_file(mp_option_reader *r, const mp_option *o) {
    store_path(r, o, &r->config->bus->ca_file);
}

static void read_stream(mp_option_reader *r, const mp_option *o) {
    char message[MP_MESSAGE] = "";
    const char *name = read_text(r, o);
    mp_option_check(r, mp_bus_config_stream(r->config->bus, name, message),
                    message);
}

static const mp_option members[] = {
    {"bus.servers", read_servers, "a list of URLs such as \"tls://n1:4222\""},
    {"bus.credentials", read_credentials, "the path of a file"},
    {"bus.ca_file", read_ca_file, "the path of a PEM file"},
    {"bus.stream", read_stream, "the name of a stream"},
};

enum {
    MEMBERS = sizeof members / sizeof *members
};

static const mp_option *find_member(lua_State *L, int index) {
    const char *name =
        lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : "";
    for (size_t i = 0; i < MEMBERS; i++)
        if (strcmp(members[i].name + sizeof "bus." - 1, name) == 0)
            return &members[i];
    return NULL;
}

void mp_option_bus(mp_option_reader *r, const mp_option *o) {
    lua_State *L = r->L;
    char shown[MP_SHOWN];
    if (!lua_istable(L, -1))
        mp_option_fail_unshown(r, o);
    r->config->bus = mp_bus_config_new();
    if (!r->config->bus)
        mp_raise_memory(L);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        const mp_option *member = find_member(L, -2);
        if (!member)
            mp_raise(L, r->arg,
                     "option 'bus': %s is none of servers, credentials, "
                     "ca_file and stream",
                     mp_fault_show(L, -2, shown));
        member->read(r, member);
    }
}

/* ---- the driver ---- */

bool mp_option_is_driver(const char *transport) {
    size_t len = strspn(transport, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return transport[0] >= 'a' && transport[0] <= 'z' &&
           transport[len] == '\0' && len <= NAME_MAX_BYTES;
}

/* Pushes package.cpath, also where the host hides the table. */
static const char *push_cpath(const mp_option_reader *r) {
    lua_State *L = r->L;
    lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
    lua_getfield(L, -1, "package");
    if (lua_istable(L, -1)) {
        lua_pushliteral(L, "cpath");
        lua_rawget(L, -2);
    }
    if (lua_type(L, -1) != LUA_TSTRING)
        mp_raise(L, r->arg,
                 "option 'transport': there is no package.cpath to "
                 "look for a driver");
    return lua_tostring(L, -1);
}

/* Pushes the path of the driver's file. */
static const char *push_driver_path(const mp_option_reader *r) {
    lua_State *L = r->L;
    const char *file = lua_pushfstring(L, "mixpanel_%s", r->transport);
    const char *at = push_cpath(r);
    lua_pushfstring(L,
                    "option 'transport': \"%s\" is neither \"curl\" nor "
                    "\"manual\", and no driver of that name is there:",
                    r->transport);
    while (*at) {
        size_t len = strcspn(at, ";");
        lua_pushlstring(L, at, len);
        const char *template = lua_tostring(L, -1);
        const char *path = luaL_gsub(L, template, "?", file);
        bool named = strcmp(path, template) != 0; /* else it is one for all */
        if (named && mp_library_exists(path))
            return path;
        at += len + (at[len] == ';');
        lua_pushfstring(L, named ? "\n\tno file '%s'" : "", path);
        lua_remove(L, -2); /* the path */
        lua_remove(L, -2); /* the template */
        lua_concat(L, 2);
    }
    luaL_argerror(L, r->arg, lua_tostring(L, -1));
    return NULL;
}

static const mp_bus_driver *load_driver(const mp_option_reader *r) {
    lua_State *L = r->L;
    const mp_bus_driver *driver;
    char message[MP_BUS_LOADER_TEXT] = "";
    int top = lua_gettop(L);
    const char *path = push_driver_path(r);
    if (mp_bus_driver_load(path, r->transport, &driver, message) != MP_OK)
        luaL_argerror(L, r->arg,
                      lua_pushfstring(L, "option 'transport': driver '%s' %s",
                                      path, message));
    lua_settop(L, top);
    return driver;
}

void mp_option_bus_check(const mp_option_reader *r, const mp_bus_config *bus) {
    if (bus && r->not_over_bus)
        mp_raise(r->L, r->arg,
                 "option '%s' says how Mixpanel is reached; with transport = "
                 "\"%s\" records go to a bus, and that belongs to who forwards "
                 "them from there",
                 r->not_over_bus, bus->name);
}

void mp_option_bus_finish(mp_option_reader *r) {
    mp_bus_config *bus = r->config->bus;
    if (!r->transport) {
        if (bus)
            mp_raise(r->L, r->arg,
                     "option 'bus' needs option 'transport' with the name of "
                     "its driver");
        return;
    }
    const mp_bus_driver *driver = load_driver(r);
    if (!bus || bus->servers_count == 0)
        mp_raise(r->L, r->arg,
                 "option 'transport': \"%s\" needs option 'bus.servers', %s",
                 r->transport, members[0].expected);
    mp_option_check(r, mp_bus_config_text(&bus->name, r->transport), "");
    bus->driver = driver;
    mp_option_bus_check(r, bus);
}
