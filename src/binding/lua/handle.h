/* The userdata of the binding: clients, the people and groups of a client,
 * and the scratch that records are encoded into. Knows nothing of JSON.
 *
 * Upvalues of every method: 1 is the scratch, 2 the number of the method's
 * type. */
#ifndef MP_HANDLE_H
#define MP_HANDLE_H

#include "binding/lua/compat.h"
#include "binding/lua/fault_lua.h"

#include "core/base/buf.h"
#include "core/project/project.h"

typedef enum mp_type {
    MP_CLIENT,
    MP_PEOPLE,
    MP_GROUPS,
    MP_USER,
    MP_USER_PEOPLE,
    MP_USER_GROUP,
    MP_USER_FLAGS,
    MP_LOCAL_FLAGS,
    MP_REMOTE_FLAGS,
    MP_TYPES
} mp_type;

/* What Lua sees as __name, and the registry as key of the metatable. */
extern const char *const mp_type_names[MP_TYPES];

/* What the userdata of a type begin with, so that checking `self` takes one
 * comparison: a word made of its type, its address and random bits of the
 * process, so that no other userdata is believed, not even a copy. */
typedef struct mp_handle {
    uint64_t word;
} mp_handle;

/* Which exposures of flags a client reports. */
typedef enum mp_expose {
    MP_EXPOSE_ONCE, /* in 24 hours */
    MP_EXPOSE_ALWAYS,
    MP_EXPOSE_NEVER
} mp_expose;

struct mp_defaults;
struct mp_target;

/* Refers to a table with, at 1, its defaults; what else is there belongs to
 * client_defaults.c. */
typedef struct mp_client {
    mp_handle handle;
    mp_project *project; /* NULL before it is open and once it is collected */
    mp_overrides *overrides; /* the project's; NULL once it is closed */
    const struct mp_defaults *defaults; /* NULL: none */
    unsigned defaults_version; /* of these, for their copies in users */
    mp_buf event_prefix;       /* of an event, up to its time: see event.h */
    mp_flags *flags;           /* the project's; NULL: none, as of `project` */
    mp_expose exposure;
    bool decides_flags; /* by option `flags`, "local" or "both" */
    bool asks_flags;    /* the same, "remote" or "both" */
    bool uses_flags;    /* counts as one that has it: see mp_flags_join */
    bool computes;      /* `properties` is a function: see client_defaults.h */
    bool computing;     /* it is running */
    bool reported;      /* that it failed */
    bool closed;
} mp_client;

/* Whose methods update people or groups; refers to a table with the client at
 * 1. Other types may begin like it. */
typedef struct mp_profile_handle {
    mp_handle handle;
    mp_client *client;
    const struct mp_target *target;
} mp_profile_handle;

/* The bytes of records that a call makes: valid during the call. The scratch
 * owns the memory, so that a Lua error leaks none. The writer of a body sets
 * its limit. */
typedef struct mp_scratch {
    mp_buf head, body; /* of a record; heads may hold whole records */
    mp_buf extra;      /* what else the call has to remember */
    bool busy;
} mp_scratch;

/* ---- types ---- */

/* Before any userdata is made; may be called again. Thread: any. */
void mp_handle_set_up(void);

/* Adds a type and pushes its metatable, which is closed to Lua, then its table
 * of methods. */
void mp_handle_type(lua_State *L, mp_type type);

/* Sets functions in the table at index `table`, with the scratch at this index
 * and the type as upvalues; both indexes are positive. */
void mp_handle_add(lua_State *L, int table, const luaL_Reg *functions,
                   int scratch, mp_type type);

/* The same for one function, with a third upvalue for it. */
void mp_handle_add_with(lua_State *L, int table, const char *name,
                        lua_CFunction function, int scratch, mp_type type,
                        lua_Integer third);

/* Pushes a userdata of a type, all zero behind its mp_handle; without its
 * metatable, so that no method accepts it before it is ready. */
void *mp_handle_new(lua_State *L, mp_type type, size_t size);

/* What stands at argument 1 of a method if it is of the method's type; raises
 * for anything else. */
void *mp_handle_self(lua_State *L);

/* The client at argument 1 of a method, open or not; raises for anything
 * else. */
mp_client *mp_handle_client(lua_State *L);

/* Gives up what the client says of its project's settings, and its use of the
 * flags. Does nothing the second time. */
void mp_handle_close_client(mp_client *client);

/* An __index of methods, in upvalue 3, and of what has a name in the table
 * that the userdata refers to. */
int mp_handle_index(lua_State *L);

/* Sets it in the metatable at this index, with that table of methods. */
void mp_handle_set_index(lua_State *L, int metatable, int methods, int scratch,
                         mp_type type);

/* ---- scratch ---- */

/* Pushes a new scratch. */
mp_scratch *mp_scratch_new(lua_State *L);

/* Takes the scratch of the running method and pushes it, so that it outlives
 * a nested call that gets another one. A Lua error needs no clean-up. */
mp_scratch *mp_scratch_take(lua_State *L);

/* Gives it back; bytes in it are lost. */
void mp_scratch_give(mp_scratch *scratch);

/* ---- failures ---- */

/* Pushes nil, a message, the code, and returns 3. */
int mp_fail(lua_State *L, mp_err err, const char *message);

/* The same for a method of a closed client. */
int mp_fail_closed(lua_State *L);

/* The same for a user who wants nothing to be sent. */
int mp_fail_opted_out(lua_State *L);

/* The same for a record or records that could not be made or queued: `fault`
 * tells of MP_INVALID, of `item` in a list unless "", and of MP_QUEUE_FULL if
 * it has a reason. */
int mp_fail_record(lua_State *L, const mp_client *client, mp_err err,
                   const mp_fault *fault, const char *item);

/* ---- bad arguments ---- */

/* Raises a bad argument; the message is cut at MP_MESSAGE. */
_Noreturn void mp_raise(lua_State *L, int arg, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Raises "... expected, got <type>". */
_Noreturn void mp_raise_type(lua_State *L, int arg, const char *expected);

_Noreturn void mp_raise_memory(lua_State *L);

#endif
