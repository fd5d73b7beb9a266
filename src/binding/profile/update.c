#include "binding/profile/update.h"

#include "binding/event/defaults.h"
#include "binding/event/event.h"
#include "binding/lua/argument.h"

#include "core/engine/engine.h"
#include "core/record/line.h"

/* ---- arguments ---- */

/* The argument behind the ids. */
static int first_argument(const mp_target *target) {
    return 2 + target->ids;
}

/* Checks self and the ids. A group's key is a name, so it is a string. */
static const mp_profile_handle *check_self(lua_State *L) {
    const mp_profile_handle *handle = mp_handle_self(L);
    const mp_target *target = handle->target;
    if (target->ids == 2 && lua_type(L, 2) != LUA_TSTRING)
        mp_raise_type(L, 2, "group_key: string");
    if (target->ids > 0)
        mp_id_check(L, 1 + target->ids, target->names[target->ids - 1]);
    return handle;
}

/* Returns 0, or what a call pushed that cannot be made now. */
static int refuse(lua_State *L, const mp_profile_handle *handle) {
    const mp_owner *owner = handle->target->owner;
    if (handle->client->closed)
        return mp_fail_closed(L);
    return owner ? owner->refuse(L) : 0;
}

/* 0 if the table at the argument is not given. */
static int check_table(lua_State *L, int arg, const char *expected) {
    if (lua_isnoneornil(L, arg))
        return 0;
    if (!lua_istable(L, arg))
        mp_raise_type(L, arg, expected);
    return arg;
}

static int check_modifiers(lua_State *L, int arg) {
    return check_table(L, arg, "modifiers: table");
}

/* ---- records ---- */

/* Updates of one ordering key must keep their order. */
static void read_ids(mp_update *u) {
    u->ordering_key = mp_line_ordering_seed();
    for (int i = 0; i < u->target->ids; i++) {
        mp_id *id = &u->ids[i];
        mp_fault_enter(&u->call.e.fault, u->target->names[i]);
        mp_encode_note(&u->call.e, mp_id_argument(u->call.e.L, 2 + i, id,
                                                  &u->call.e.fault));
        if (mp_encode_err(&u->call.e))
            return;
        u->ordering_key =
            mp_line_ordering_key(u->ordering_key, id->text, id->len);
    }
}

/* The names that are never sent, with what keeps them alive on the stack: a
 * finaliser may replace them at any allocation of Lua's. */
static const mp_dict *anchor_excluded(lua_State *L, const mp_client *client) {
    const mp_dict *excluded = mp_defaults_excluded(client->defaults);
    if (!excluded)
        return NULL;
    mp_lua_getuser(L, 1);
    lua_rawgeti(L, -1, 1); /* the client */
    lua_replace(L, -2);
    mp_event_anchor(L, lua_gettop(L));
    return excluded;
}

/* A modifier may have run a finaliser that collected the client. */
static void put_time(mp_update *u) {
    const mp_project *project = u->call.client->project;
    if (u->target->lane == MP_LANE_PEOPLE && !u->given.time && project)
        mp_profile_put_time(u->call.e.out, project);
}

/* Begins the record with its ids and the modifiers at argument `modifiers`
 * (0: none); leaves the encoder at the operation. */
static void begin(lua_State *L, mp_update *u, const mp_profile_handle *handle,
                  int modifiers) {
    mp_encode *e = &u->call.e;
    const mp_dict *excluded = anchor_excluded(L, handle->client);
    mp_call_begin(&u->call, L, handle->client, SIZE_MAX, "");
    u->target = handle->target;
    u->given = (mp_modifiers){0};
    u->nothing = false;
    u->kind = MP_PLAIN;
    if (mp_encode_err(e))
        return;
    e->excluded = excluded;
    read_ids(u);
    if (modifiers > 0)
        mp_modifiers_encode(e, modifiers, &u->given);
    put_time(u);
    mp_fault_enter(&e->fault, "properties");
}

/* What stands in front of the update. */
static void put_head(mp_update *u) {
    const mp_target *target = u->target;
    mp_project *project = u->call.client->project;
    mp_encode_into(&u->call.e, &u->call.scratch->head);
    if (target->owner) {
        target->owner->head(u);
        return;
    }
    mp_profile_head(&u->call.e, mp_project_config(project)->token, u->ids,
                    target->ids);
    if (target->ids == 1 && !u->given.ip && !mp_project_geolocate(project))
        mp_buf_puts(u->call.e.out, MP_PROFILE_NO_IP);
}

/* Ends the record. */
static mp_err compose(mp_update *u, mp_record *record) {
    const mp_scratch *scratch = u->call.scratch;
    if (!u->call.client->project) /* collected by a finaliser */
        mp_encode_note(&u->call.e, MP_CLOSED);
    mp_buf_puts(u->call.e.out, "}");
    if (!mp_encode_err(&u->call.e))
        put_head(u);
    *record = (mp_record){
        .head = scratch->head.data,
        .head_len = scratch->head.len,
        .body = scratch->body.data,
        .body_len = scratch->body.len,
        .ordering_key = u->ordering_key,
        .repaired = u->call.e.repaired,
        .kind = u->kind,
    };
    return mp_encode_judge(&u->call.e, record->head_len + record->body_len);
}

static mp_err accept(mp_update *u, const mp_record *record) {
    const mp_target *target = u->target;
    if (target->owner)
        return target->owner->accept(u, record);
    return mp_engine_push(u->call.client->project, target->lane, record, 1);
}

/* Ends the call. */
static int send(mp_update *u) {
    mp_record record;
    mp_err err = compose(u, &record);
    if (err == MP_OK && !u->nothing)
        err = accept(u, &record);
    return mp_call_end(&u->call, err);
}

/* ---- calls ---- */

/* Where the arguments of an operation stand; 0: not given. */
typedef struct arguments {
    const mp_operation *operation;
    int name;  /* of one property */
    int value; /* of that property, or the payload */
    int modifiers;
} arguments;

static arguments check_arguments(lua_State *L, int first, mp_payload payload) {
    arguments a = {NULL, 0, first, first + 1};
    int type = lua_type(L, first);
    if (payload == MP_NOTHING) {
        a = (arguments){NULL, 0, 0, first};
    } else if (type == LUA_TSTRING && payload != MP_NAMES) {
        a = (arguments){NULL, first, first + 1, first + 2};
        if (lua_isnoneornil(L, a.value) && payload == MP_NUMBERS)
            a.value = 0;
        else if (lua_isnone(L, a.value))
            mp_raise_type(L, a.value, "value");
    } else if (type != LUA_TSTRING && type != LUA_TTABLE) {
        mp_raise_type(L, first,
                      payload == MP_NAMES ? "names: string or table"
                                          : "properties: string or "
                                            "table");
    }
    a.modifiers = check_modifiers(L, a.modifiers);
    return a;
}

/* A call: ends in the record that `encode` completes, or in why there is
 * none. */
static int run(lua_State *L, const mp_profile_handle *handle,
               const arguments *a,
               void (*encode)(mp_update *u, const arguments *a)) {
    mp_update u;
    int refused = refuse(L, handle);
    if (refused > 0)
        return refused;
    begin(L, &u, handle, a->modifiers);
    if (!mp_encode_err(&u.call.e))
        encode(&u, a);
    return send(&u);
}

static void encode_operation(mp_update *u, const arguments *a) {
    lua_State *L = u->call.e.L;
    u->kind = a->operation->kind;
    if (a->value > 0)
        lua_pushvalue(L, a->value);
    else
        lua_pushinteger(L, 1);
    if (a->operation->payload == MP_NAMES)
        mp_fault_enter(&u->call.e.fault, "names");
    if (a->name > 0)
        mp_profile_operate_one(&u->call.e, a->operation, a->name, &u->nothing);
    else
        mp_profile_operate(&u->call.e, a->operation, &u->nothing);
}

static const mp_operation *named(const char *name) {
    return mp_operation_find(name, strlen(name));
}

static int operate(lua_State *L, const mp_operation *operation) {
    const mp_profile_handle *handle = check_self(L);
    arguments a =
        check_arguments(L, first_argument(handle->target), operation->payload);
    a.operation = operation;
    return run(L, handle, &a, encode_operation);
}

/* The method of the operation in upvalue 3. */
static int operation_method(lua_State *L) {
    return operate(L, &mp_operations[lua_tointeger(L, lua_upvalueindex(3))]);
}

int mp_update_delete(lua_State *L) {
    return operate(L, named("$delete"));
}

static bool is_offered(const mp_operation *operation, const mp_target *target) {
    return target->lane == MP_LANE_PEOPLE || operation->groups;
}

/* Raises for an operation at the top that the target does not have. */
static _Noreturn void fail_operation(lua_State *L, int arg,
                                     const mp_target *target) {
    char shown[MP_SHOWN], names[MP_MESSAGE] = "";
    size_t len = 0;
    for (const mp_operation *o = mp_operations; o->name; o++)
        if (is_offered(o, target))
            len += (size_t)snprintf(names + len, sizeof names - len, "%s%s",
                                    len == 0    ? ""
                                    : o[1].name ? ", "
                                                : " or ",
                                    o->name);
    mp_raise(L, arg, "update: unknown operation %s: expected %s",
             mp_fault_show(L, -1, shown), names);
}

/* The only key of the table at argument `arg`, which is pushed: an operation
 * of the target. Raises for any other table. */
static const mp_operation *check_update(lua_State *L, int arg,
                                        const mp_target *target) {
    const mp_operation *operation = NULL;
    lua_pushnil(L);
    while (lua_next(L, arg)) {
        size_t len = 0;
        const char *name = NULL;
        lua_pop(L, 1);
        if (operation)
            mp_raise(L, arg, "update: more than one operation");
        if (lua_type(L, -1) == LUA_TSTRING)
            name = lua_tolstring(L, -1, &len);
        operation = name ? mp_operation_find(name, len) : NULL;
        if (!operation || !is_offered(operation, target))
            fail_operation(L, arg, target);
    }
    if (!operation)
        mp_raise(L, arg, "update: no operation");
    lua_pushstring(L, operation->name);
    return operation;
}

/* `name`: the operation's, a key of the table `value`. */
static void encode_update(mp_update *u, const arguments *a) {
    u->kind = a->operation->kind;
    mp_fault_enter(&u->call.e.fault, "update");
    lua_pushvalue(u->call.e.L, a->name);
    lua_rawget(u->call.e.L, a->value);
    mp_profile_operate(&u->call.e, a->operation, &u->nothing);
    if (mp_encode_err(&u->call.e))
        mp_fault_key(&u->call.e.fault, u->call.e.L, a->name);
}

int mp_update_any(lua_State *L) {
    const mp_profile_handle *handle = check_self(L);
    int first = first_argument(handle->target);
    if (!lua_istable(L, first))
        mp_raise_type(L, first, "update: table");
    arguments a = {.value = first, .modifiers = check_modifiers(L, first + 1)};
    a.operation = check_update(L, first, handle->target);
    a.name = lua_gettop(L);
    return run(L, handle, &a, encode_update);
}

/* True if charges are never sent. */
static bool excludes_charges(const mp_update *u) {
    static const char name[] = "$transactions";
    return u->call.e.excluded &&
           mp_dict_find(u->call.e.excluded, name, sizeof name - 1) != NULL;
}

/* `value`: the amount; `name`: the properties, 0: none. */
static void encode_charge(mp_update *u, const arguments *a) {
    u->kind = named("$append")->kind;
    u->nothing = excludes_charges(u);
    mp_profile_charge(&u->call.e, a->value, a->name);
}

static int track_charge(lua_State *L) {
    const mp_profile_handle *handle = check_self(L);
    int first = first_argument(handle->target);
    int type = lua_type(L, first);
    if (type != LUA_TNUMBER && type != MP_LUA_TCDATA)
        mp_raise_type(L, first, "amount: number");
    arguments a = {.value = first,
                   .name = mp_argument_properties(L, first + 1),
                   .modifiers = check_modifiers(L, first + 2)};
    return run(L, handle, &a, encode_charge);
}

static void encode_no_charges(mp_update *u, const arguments *a) {
    (void)a;
    u->nothing = excludes_charges(u);
    mp_buf_puts(u->call.e.out, ",\"$set\":{\"$transactions\":[]}");
}

static int clear_charges(lua_State *L) {
    const mp_profile_handle *handle = check_self(L);
    arguments a = {.modifiers =
                       check_modifiers(L, first_argument(handle->target))};
    return run(L, handle, &a, encode_no_charges);
}

static const luaL_Reg charge_methods[] = {
    {"track_charge", track_charge},
    {"clear_charges", clear_charges},
    {NULL, NULL},
};

void mp_update_add_methods(lua_State *L, int table, int scratch, mp_type type,
                           mp_lane_id lane) {
    for (const mp_operation *o = mp_operations; o->name; o++) {
        const char *name = lane == MP_LANE_PEOPLE ? o->people : o->groups;
        if (name)
            mp_handle_add_with(L, table, name, operation_method, scratch, type,
                               o - mp_operations);
    }
    if (lane == MP_LANE_PEOPLE)
        mp_handle_add(L, table, charge_methods, scratch, type);
}

/* ---- handles ---- */

void *mp_update_push(lua_State *L, const mp_target *target, size_t size,
                     int client) {
    mp_profile_handle *handle = mp_handle_new(L, target->type, size);
    handle->client = lua_touserdata(L, client);
    handle->target = target;
    luaL_getmetatable(L, mp_type_names[target->type]);
    lua_setmetatable(L, -2);
    lua_createtable(L, 4, 0);
    lua_pushvalue(L, client);
    lua_rawseti(L, -2, 1);
    mp_lua_setuser(L, -2);
    return handle;
}
