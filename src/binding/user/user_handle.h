/* Users of a client: one person or device each, with identity, super
 * properties, timers, groups and consent of their own. The names and what
 * they mean are those of Mixpanel's browser SDK (2.83.0); where this differs,
 * docs/browser-methods.md says why. */
#ifndef MP_USER_HANDLE_H
#define MP_USER_HANDLE_H

#include "binding/event/event.h"
#include "binding/lua/handle.h"

#include "core/flags/variants.h"
#include "core/user/state_file.h"

/* What Mixpanel decided for a user, and what it is asked with. */
typedef struct mp_user_flags {
    mp_dict context;       /* beside the ids: names, values as JSON */
    uint64_t request;      /* see mp_remote_ask; 0: none so far */
    bool current;          /* the variants are of the last request */
    mp_variants *variants; /* NULL: none */
} mp_user_flags;

/* Refers to a table with `people`, `flags` and, at 1, its defaults; at 2, its
 * client. */
typedef struct mp_user_handle {
    mp_handle handle;
    mp_client *client;
    bool collected; /* and holds nothing any more */
    mp_user user;
    const mp_defaults *defaults; /* of its events; NULL: to be made anew */
    unsigned defaults_version;   /* of the client's that went into them */
    bool opt_out_by_default;
    bool silent;          /* every event is disabled */
    mp_dict disabled;     /* names of events */
    char *path;           /* of the state file, absolute; NULL: none */
    mp_state_file *file;  /* its entry, whose consent holds; NULL: none */
    bool unsaved;         /* the state changed since it was handed over */
    mp_user_flags *flags; /* NULL: not wanted */
} mp_user_handle;

/* The people or a group of a user; refers to a table with the client at 1 and
 * the user at 2. */
typedef struct mp_user_profile_handle {
    mp_profile_handle base;
    mp_user_handle *self;
    mp_id ids[2]; /* of a group: key and id */
} mp_user_profile_handle;

/* ---- methods, for mp_handle_add ---- */

extern const luaL_Reg mp_user_constructor[];    /* of a client */
extern const luaL_Reg *const mp_user_methods[]; /* NULL-terminated */
extern const luaL_Reg mp_user_metamethods[];
extern const luaL_Reg mp_user_people_methods[]; /* beside the operations */
extern const luaL_Reg mp_user_flags_methods[];

extern const luaL_Reg mp_user_events[], mp_user_timers[], mp_user_identity[],
    mp_user_super[], mp_user_groups[], mp_user_consents[], mp_user_states[];

/* ---- for the files that hold them ---- */

/* The user at argument 1; raises for anything else. */
mp_user_handle *mp_user_self(lua_State *L);

/* True once a finaliser collected the user or the client, which may happen
 * wherever Lua allocates. */
bool mp_user_is_gone(const mp_user_handle *self);

/* What the user decided, here or elsewhere. */
mp_consent mp_user_consent(const mp_user_handle *self);

/* The user decides. A refusal keeps `forgetful` of mp_user as it is. */
void mp_user_decide(mp_user_handle *self, mp_consent consent);

/* True once nothing may be sent. */
bool mp_user_opted_out(const mp_user_handle *self);

/* Returns 0, or pushes nil, message, code and returns 3: because the client is
 * closed; the second, for calls that send something, also because the user
 * opted out. */
int mp_user_refuse(lua_State *L, const mp_user_handle *self);
int mp_user_refuse_sending(lua_State *L, const mp_user_handle *self);

/* Pushes true and returns 1, or what a call without a record failed with. */
int mp_user_result(lua_State *L, mp_err err, const mp_fault *fault);

/* Pushes an id, nil for none. */
void mp_user_push_id(lua_State *L, const mp_buf *id);

/* MP_INVALID for an id that is no person's: of a device, or too long. */
mp_err mp_user_check_id(const mp_id *id, mp_fault *fault);

/* MP_INVALID for the name of an event that is blank, or that a state could not
 * give back as it was: then another would be timed, or two be the same. */
mp_err mp_user_check_timer(const char *name, size_t len, mp_fault *fault);

/* MP_INVALID for more super properties than an event could carry. */
#define MP_USER_TOO_MANY "more than %d super properties"
mp_err mp_user_check_properties(const mp_dict *dict, mp_fault *fault);

/* Ends a change of what events of the user carry; saves it. */
void mp_user_changed(mp_user_handle *self);

/* Makes of the user somebody new on a new device. MP_MEMORY. */
mp_err mp_user_reset(mp_user_handle *self);

/* Forgets everything but the consent, and counts what was held; takes over
 * the ids. Does not end the change: nothing is saved yet. */
void mp_user_replace(mp_user_handle *self, mp_ids *ids);

/* Hands the state over, to be written soon. */
void mp_user_save(mp_user_handle *self);

/* Begins an event of the user at argument 1, as mp_event_begin does; runs the
 * client's function of properties if it has one. What it pushes is to be kept
 * on the stack until the event is finished. */
void mp_user_begin(mp_user_handle *self, mp_event *event, mp_call *call,
                   const char *name, size_t len);

/* Appends ,"$duration":1.234 to an event that is timed, unless the properties
 * at `table` (0: none) say how long it was. */
void mp_user_put_duration(const mp_user_handle *self, mp_event *event,
                          int table);

/* Ends the timer of an event that was sent. */
void mp_user_sent(mp_user_handle *self, const char *name, size_t len);

/* True if events of this name are not sent. */
bool mp_user_is_disabled(const mp_user_handle *self, const char *name,
                         size_t len);

/* ---- profile updates: user_people.c ---- */

/* Appends the first part of an update of the user's profile: {"$token":...
 * up to its ids. Returns the buffer's error. */
mp_err mp_user_people_head(const mp_user_handle *self, mp_buf *out);

/* Appends that no place is to be made up from the sender's address, unless
 * the client wants that. Returns the buffer's error. */
mp_err mp_user_people_no_ip(const mp_user_handle *self, mp_buf *out);

/* The hash of whom an update of the profile concerns. */
uint64_t mp_user_ordering_key(const mp_user_handle *self);

/* Sends an update, ,"$set":{...}} with what is in front of it, or holds it
 * until the user is identified. MP_QUEUE_FULL with a fault when too many are
 * held. Runs no Lua. */
mp_err mp_user_people_accept(mp_user_handle *self, const mp_record *record,
                             bool has_ip, mp_fault *fault);

/* Sends what is held, once the user is identified. MP_QUEUE_FULL, MP_MEMORY,
 * MP_CLOSED: it stays held. Runs no Lua. */
mp_err mp_user_people_release(mp_user_handle *self);

/* Pushes the people of the user at a stack index, whose client is at
 * `client`. */
void mp_user_people_push(lua_State *L, int slot, int client);

/* ---- groups: user_groups.c ---- */

/* Checks a table of groups, key = id or list of ids. MP_INVALID. */
mp_err mp_user_groups_check(lua_State *L, int table, mp_fault *fault);

int mp_user_get_group(lua_State *L); /* a method: user_group.c */

/* ---- super properties: user_super.c ---- */

/* Why no super property has this name, JSON text without quotes; NULL: it
 * may. */
const char *mp_user_refused_property(const char *name, size_t len);

/* ---- feature flags: user_flags.c, user_flags_load.c ---- */

/* Pushes the flags of the user at a stack index, whose methods raise if it has
 * none. */
void mp_user_flags_push(lua_State *L, int slot);

/* Begins: takes what the state kept, if it is not a day old. MP_MEMORY. */
mp_err mp_user_flags_start(mp_user_handle *self);
void mp_user_flags_free(mp_user_handle *self);

/* Has Mixpanel asked who the user is now, in the background; what is there
 * serves until the answer. Nothing without flags. MP_OPTED_OUT, MP_CLOSED;
 * MP_INVALID for a context that is too long; else as mp_engine_ask_flags. */
mp_err mp_user_flags_ask(mp_user_handle *self);

/* The user is somebody else: what was decided is forgotten. */
void mp_user_flags_forget(mp_user_handle *self);

/* Takes the answer if it came, and asks again after a failure. */
void mp_user_flags_update(mp_user_handle *self);

/* ---- state: user_state.c ---- */

/* Reads the state file at `path`. A state that cannot be used is set aside and
 * reported; the user is empty then, as when there is no file. One that holds a
 * refusal of consent stays until it is replaced, and the refusal is kept.
 * MP_MEMORY; MP_STATE with a message for a file that cannot be read or is
 * something else, MP_INVALID for what is no file: all are left alone. */
mp_err mp_user_state_load(mp_user_handle *self, const char *path,
                          char message[MP_MESSAGE]);

/* Reads what export_state returned from the table at a stack index. */
mp_err mp_user_state_import(lua_State *L, mp_user_handle *self, int table);

#endif
