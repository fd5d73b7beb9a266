/* require "mixpanel.nats": a link to NATS for a program in Lua, such as one
 * that reads from the stream. It is no part of the module `mixpanel`, and knows
 * nothing of records. All times are in seconds. What is wrong with an argument
 * raises; what can fail at run time returns nil and a text.
 *
 * nats.open {servers = {"tls://n1:4222"}, credentials = PATH, ca_file = PATH}
 *
 *     A link. The options are those of `bus` (docs/bus.md). It connects with
 *     the first request, to one server after the other.
 *
 * nats.clock()
 *
 *     Seconds that only go forward, and count what the machine sleeps.
 *
 * link:request(subject, body, headers, timeout)
 *
 *     The id of the one event that comes of it, at the latest after the
 *     timeout. `headers` is a table {name = text}, or nil. Waits for a
 *     connection, and is sent once.
 *
 * link:pull(subject, body)
 *
 *     A number, by which events tell of this pull: it is handed over, with an
 *     inbox of deliveries as its reply subject. nil: there is no connection
 *     now, or `wait` has not told of the last one's loss.
 *
 * link:publish(subject, body)
 *
 *     true: the same without any reply subject. Of both, nothing is sent on
 *     another connection than the one of this moment.
 *
 * link:wait(timeout)
 *
 *     The list of events since the last time, in their order; as soon as there
 *     is one, an empty list after the timeout.
 *
 * link:connected()
 *
 *     true, or false and why not.
 *
 * link:close(timeout)
 *
 *     true, or nil after the timeout: then what hangs ends by itself.
 *
 * Collecting a link, and the end of a variable <close>, do the same within
 * 0.1 s.
 *
 * Events:
 *
 * {id, status = 200, headers, body}
 *
 *     The answer, whatever it says; of a header that comes several times the
 *     last value.
 *
 * {id, status, sent, text}
 *
 *     There is none: 503 not connected, or nobody answers on the subject; 401
 *     not permitted, or wrong credentials; 413 too large for the server; 0 with
 *     `sent`, nobody knows what became of it.
 *
 * {subject, reply, headers, body}
 *
 *     A delivery. From JetStream the subject is that in the stream, and what is
 *     published to `reply` acknowledges it.
 *
 * {pull, status, text}
 *
 *     Of a pull: JetStream's words, 404 no messages, 408 its time is over, 409
 *     and others.
 *
 * {subject, status, text}
 *
 *     Of what was pulled or published, with its own subject: 401 not permitted,
 *     413 too large.
 *
 * {lost = true}
 *
 *     The connection was lost: what was pulled and has not come will not come.
 *
 * libnats survives no fork: in a child of a process that had opened a link all
 * methods return nil and a text, and so does `open`. */
#define _GNU_SOURCE
#include "nats/bus.h"
#include "nats/library.h"
#include "nats/lua/arguments.h"
#include "nats/lua/events.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    COLLECT_MS = 100
};

static const char TYPE[] = "mixpanel.nats.link";
static const char FORKED[] =
    "nats: this process was forked from one that had used the bus, which "
    "libnats does not survive: open a link after the fork, and none before it";

typedef struct lua_link {
    mp_bus *bus;           /* NULL: it is closed */
    mp_nats_letter *taken; /* from the bus, and not given to Lua yet */
} lua_link;

static int fail(lua_State *L, const char *text) {
    lua_pushnil(L);
    lua_pushstring(L, text);
    return 2;
}

static lua_link *self(lua_State *L) {
    return luaL_checkudata(L, 1, TYPE);
}

/* NULL: the link can be used. */
static const char *fault_of(const lua_link *link) {
    if (!link->bus)
        return "nats: the link is closed";
    return mp_nats_library_is_forked() ? FORKED : NULL;
}

/* ---- sending ---- */

/* Pushes what the method returns. */
static int put(lua_State *L, const lua_link *link, mp_nats_kind kind,
               const mp_bus_message *message) {
    char text[MP_BUS_TEXT] = "nats: out of memory";
    const char *fault = fault_of(link);
    if (fault)
        return fail(L, fault);
    mp_nats_letter *letter = mp_nats_letter_copy(kind, message);
    uint64_t number = letter ? mp_nats_put(link->bus, letter, text) : 0;
    if (number == 0) {
        mp_nats_letter_free(letter);
        return fail(L, text);
    }
    if (kind != MP_NATS_POSTED)
        lua_pushinteger(L, (lua_Integer)number);
    else
        lua_pushboolean(L, 1);
    return 1;
}

static int request(lua_State *L) {
    const lua_link *link = self(L);
    mp_bus_message message = {.headers = NULL};
    lua_settop(L, 5);
    mp_nats_lua_message(L, 2, &message);
    mp_nats_lua_headers(L, 4, &message);
    message.timeout_ms = mp_nats_lua_timeout(L, 5, 0.001);
    return put(L, link, MP_NATS_ASKED, &message);
}

static int send_kind(lua_State *L, mp_nats_kind kind) {
    const lua_link *link = self(L);
    mp_bus_message message = {.headers = NULL};
    mp_nats_lua_message(L, 2, &message);
    return put(L, link, kind, &message);
}

static int pull(lua_State *L) {
    return send_kind(L, MP_NATS_PULLED);
}

static int publish(lua_State *L) {
    return send_kind(L, MP_NATS_POSTED);
}

/* ---- what came ---- */

/* Waits for something, and takes all there is. */
static void take_all(lua_link *link, int64_t timeout_ms) {
    int64_t until_ms = mp_nats_now_ms() + timeout_ms;
    mp_nats_letter **end = &link->taken;
    mp_nats_lock();
    while (!link->bus->came && mp_nats_now_ms() < until_ms)
        mp_nats_wait(link->bus, until_ms);
    while ((*end = mp_nats_take(link->bus)))
        end = &(*end)->later;
    mp_nats_unlock();
}

static void free_taken(lua_link *link) {
    while (link->taken) {
        mp_nats_letter *first = link->taken;
        link->taken = first->later;
        mp_nats_letter_free(first);
    }
}

/* What is taken stays until the list is whole: an error of Lua loses nothing.
 */
static int wait_for(lua_State *L) {
    lua_link *link = self(L);
    int64_t timeout_ms = mp_nats_lua_timeout(L, 2, 0);
    const char *fault = fault_of(link);
    if (fault)
        return fail(L, fault);
    if (!link->taken)
        take_all(link, timeout_ms);
    mp_nats_lua_events(L, link->taken);
    free_taken(link);
    return 1;
}

static int is_connected(lua_State *L) {
    const lua_link *link = self(L);
    char why[MP_BUS_TEXT] = "nats: not connected yet";
    const char *fault = fault_of(link);
    bool connected = false;
    if (!fault) {
        mp_nats_lock();
        const mp_bus *bus = link->bus;
        connected = bus->link.number != 0 && !bus->link.lost;
        if (bus->why[0])
            memcpy(why, bus->why, sizeof why);
        mp_nats_unlock();
    }
    lua_pushboolean(L, connected);
    if (connected)
        return 1;
    lua_pushstring(L, fault ? fault : why);
    return 2;
}

/* ---- life ---- */

/* NULL: it is closed; otherwise what is left of it. */
static const char *shut(lua_link *link, int64_t timeout_ms) {
    mp_bus *bus = link->bus;
    link->bus = NULL;
    if (!bus)
        return NULL;
    if (mp_nats_library_is_forked()) {
        link->taken = NULL;
        mp_nats_forget(bus);
        return FORKED;
    }
    free_taken(link);
    return mp_nats_abandon(bus, timeout_ms)
               ? NULL
               : "nats: what hangs in the link ends later";
}

static int close_link(lua_State *L) {
    lua_link *link = self(L);
    const char *left = shut(link, mp_nats_lua_timeout(L, 2, 0));
    if (left)
        return fail(L, left);
    lua_pushboolean(L, 1);
    return 1;
}

static int collect(lua_State *L) {
    shut(self(L), COLLECT_MS);
    return 0;
}

/* A copy in one block, for free; NULL: out of memory. */
static mp_bus_options *copy_of(const mp_bus_options *options) {
    const char *const *from = options->servers;
    size_t n = options->servers_count, size = 0;
    for (size_t i = 0; i < n; i++)
        size += strlen(from[i]) + 1;
    size += options->credentials ? strlen(options->credentials) + 1 : 0;
    size += options->ca_file ? strlen(options->ca_file) + 1 : 0;
    struct whole {
        mp_bus_options options;
        const char *servers[];
    } *whole = malloc(sizeof *whole + n * sizeof *from + size);
    if (!whole)
        return NULL;
    char *at = (char *)(whole->servers + n);
    for (size_t i = 0; i < n; i++) {
        whole->servers[i] = at;
        at = stpcpy(at, from[i]) + 1;
    }
    whole->options =
        (mp_bus_options){.servers = whole->servers, .servers_count = n};
    if (options->credentials) {
        whole->options.credentials = at;
        at = stpcpy(at, options->credentials) + 1;
    }
    if (options->ca_file) {
        whole->options.ca_file = at;
        stpcpy(at, options->ca_file);
    }
    return &whole->options;
}

/* Its threads, and those of libnats, are none that signals should go to. */
static mp_bus *open_bus(const mp_bus_options *options, char text[MP_BUS_TEXT]) {
    sigset_t all, before;
    mp_bus_options *own = copy_of(options);
    if (!own)
        return NULL;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    mp_bus *bus = mp_nats_open(own, true, NULL, NULL, text);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (bus)
        bus->owned = own;
    else
        free(own);
    return bus;
}

static int open_link(lua_State *L) {
    char text[MP_BUS_TEXT] = "nats: out of memory";
    mp_bus_options options = {.stream = NULL};
    lua_settop(L, 1);
    mp_nats_lua_options(L, 1, &options);
    if (mp_nats_library_is_forked())
        return fail(L, FORKED);
    lua_link *link = lua_newuserdata(L, sizeof *link);
    *link = (lua_link){.bus = NULL};
    luaL_getmetatable(L, TYPE);
    lua_setmetatable(L, -2);
    link->bus = open_bus(&options, text);
    return link->bus ? 1 : fail(L, text);
}

static int read_clock(lua_State *L) {
    struct timespec now;
    if (clock_gettime(CLOCK_BOOTTIME, &now) != 0) /* an old or other kernel */
        clock_gettime(CLOCK_MONOTONIC, &now);
    lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec / 1e9);
    return 1;
}

static void set(lua_State *L, const char *name, lua_CFunction function) {
    lua_pushcfunction(L, function);
    lua_setfield(L, -2, name);
}

int luaopen_mixpanel_nats(lua_State *L);
__attribute__((visibility("default"))) int luaopen_mixpanel_nats(lua_State *L) {
    luaL_newmetatable(L, TYPE);
    mp_lua_closemetatable(L);
    set(L, "__gc", collect);
    set(L, "__close", collect);
    lua_newtable(L);
    set(L, "request", request);
    set(L, "pull", pull);
    set(L, "publish", publish);
    set(L, "wait", wait_for);
    set(L, "connected", is_connected);
    set(L, "close", close_link);
    lua_setfield(L, -2, "__index");
    lua_newtable(L);
    set(L, "open", open_link);
    set(L, "clock", read_clock);
    return 1;
}
