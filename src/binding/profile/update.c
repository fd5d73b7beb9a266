#include "binding/profile/update.h"

#include "binding/event/defaults.h"
#include "binding/event/event.h"
#include "binding/profile/modifier.h"

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
static mp_err read_ids(mp_update *u) {
    u->ordering_key = MP_ORDERING_KEY;
    for (int i = 0; i < u->target->ids; i++) {
        u->e.fault.root = u->target->names[i];
        mp_err err = mp_id_argument(u->e.L, 2 + i, &u->ids[i], &u->e.fault);
        if (err != MP_OK)
            return err;
        u->ordering_key = mp_line_ordering_key(u->ordering_key, u->ids[i].text,
                                               u->ids[i].len);
    }
    return MP_OK;
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

/* Begins the record with its ids and the modifiers at argument `modifiers`
 * (0: none); leaves the encoder at the operation. */
static mp_err begin(lua_State *L, mp_update *u, const mp_profile_handle *handle,
                    int modifiers) {
    mp_client *client = handle->client;
    u->target = handle->target;
    u->client = client;
    u->e.excluded = anchor_excluded(L, client);
    u->scratch = mp_scratch_take(L);
    u->has_ip = u->nothing = false;
    u->kind = MP_PLAIN;
    u->e.L = L;
    u->e.out = &u->scratch->body;
    u->e.out->limit = MP_BODY_MAX;
    u->e.list_max = SIZE_MAX;
    u->e.repaired = 0;
    mp_fault_start(&u->e.fault, "");
    if (!client->project) /* collected by a finaliser */
        return MP_CLOSED;
    u->e.reject = mp_project_reject_invalid(client->project);
    mp_err err = read_ids(u);
    if (err == MP_OK && modifiers > 0)
        err = mp_modifiers_encode(&u->e, modifiers, &u->has_ip);
    if (err == MP_OK)
        u->e.fault.root = "properties";
    return err;
}

/* What stands in front of the update. */
static mp_err put_head(mp_update *u) {
    const mp_target *target = u->target;
    mp_project *project = u->client->project;
    u->e.out = &u->scratch->head;
    if (target->owner)
        return target->owner->head(u);
    mp_err err = mp_profile_head(&u->e, mp_project_config(project)->token,
                                 u->ids, target->ids);
    if (err == MP_OK && target->ids == 1 && !u->has_ip &&
        !mp_project_geolocate(project))
        err = mp_buf_puts(u->e.out, MP_PROFILE_NO_IP);
    return err;
}

static mp_err compose(mp_update *u, mp_record *record) {
    const mp_scratch *scratch = u->scratch;
    if (!u->client->project) /* collected by a finaliser */
        return MP_CLOSED;
    mp_err err = mp_buf_puts(u->e.out, "}");
    if (err == MP_OK)
        err = put_head(u);
    *record = (mp_record){
        .head = scratch->head.data,
        .head_len = scratch->head.len,
        .body = scratch->body.data,
        .body_len = scratch->body.len,
        .ordering_key = u->ordering_key,
        .repaired = u->e.repaired,
        .kind = u->kind,
    };
    return err;
}

static mp_err accept(mp_update *u, const mp_record *record) {
    const mp_target *target = u->target;
    if (target->owner)
        return target->owner->accept(u, record);
    return mp_engine_push(u->client->project, target->lane, record, 1);
}

/* Ends the record, for which all calls so far came to `err`. */
static int send(mp_update *u, mp_err err) {
    lua_State *L = u->e.L;
    mp_record record = {0};
    if (err == MP_OK)
        err = compose(u, &record);
    err = mp_encode_judge(&u->e, err, record.head_len + record.body_len);
    if (err == MP_OK && !u->nothing)
        err = accept(u, &record);
    mp_scratch_give(u->scratch);
    if (err != MP_OK)
        return mp_fail_record(L, u->client, err, &u->e.fault, "");
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- calls ---- */

/* Where the arguments of an operation stand; 0: not given. */
typedef struct arguments {
    int name;  /* of one property */
    int value; /* of that property, or the payload */
    int modifiers;
} arguments;

static arguments check_arguments(lua_State *L, int first, mp_payload payload) {
    arguments a = {0, first, first + 1};
    int type = lua_type(L, first);
    if (payload == MP_NOTHING) {
        a = (arguments){0, 0, first};
    } else if (type == LUA_TSTRING && payload != MP_NAMES) {
        a = (arguments){first, first + 1, first + 2};
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

static int operate(lua_State *L, mp_operation_id id) {
    const mp_operation *operation = &mp_operations[id];
    const mp_profile_handle *handle = check_self(L);
    arguments a =
        check_arguments(L, first_argument(handle->target), operation->payload);
    int refused = refuse(L, handle);
    if (refused > 0)
        return refused;
    mp_update u;
    mp_err err = begin(L, &u, handle, a.modifiers);
    if (err != MP_OK)
        return send(&u, err);
    u.kind = operation->kind;
    if (a.value > 0)
        lua_pushvalue(L, a.value);
    else
        lua_pushinteger(L, 1);
    if (operation->payload == MP_NAMES)
        u.e.fault.root = "names";
    err = a.name > 0
              ? mp_profile_operate_one(&u.e, operation, a.name, &u.nothing)
              : mp_profile_operate(&u.e, operation, &u.nothing);
    return send(&u, err);
}

/* The operation of a name that is a key at the top; raises if there is none
 * for this target. */
static const mp_operation *find_operation(lua_State *L, int arg,
                                          const mp_target *target) {
    bool people = target->lane == MP_LANE_PEOPLE;
    if (lua_type(L, -1) == LUA_TSTRING) {
        const char *name = lua_tostring(L, -1);
        for (size_t i = 0; i < MP_OPERATIONS; i++)
            if (strcmp(mp_operations[i].name, name) == 0 &&
                (people || !mp_operations[i].people_only))
                return &mp_operations[i];
    }
    char shown[MP_SHOWN];
    mp_raise(L, arg,
             "update: unknown operation %s: expected $set, $set_once, %s"
             "$union, $remove, $unset or $delete",
             mp_fault_show(L, -1, shown), people ? "$add, $append, " : "");
}

int mp_update_any(lua_State *L) {
    const mp_profile_handle *handle = check_self(L);
    int first = first_argument(handle->target);
    if (!lua_istable(L, first))
        mp_raise_type(L, first, "update: table");
    int modifiers = check_modifiers(L, first + 1);
    const mp_operation *operation = NULL;
    lua_pushnil(L);
    while (lua_next(L, first)) {
        lua_pop(L, 1);
        if (operation)
            mp_raise(L, first, "update: more than one operation");
        operation = find_operation(L, first, handle->target);
    }
    if (!operation)
        mp_raise(L, first, "update: no operation");
    int refused = refuse(L, handle);
    if (refused > 0)
        return refused;
    mp_update u;
    mp_err err = begin(L, &u, handle, modifiers);
    if (err != MP_OK)
        return send(&u, err);
    u.kind = operation->kind;
    u.e.fault.root = "update";
    lua_pushstring(L, operation->name);
    int name = lua_gettop(L);
    lua_pushvalue(L, name);
    lua_rawget(L, first);
    err = mp_profile_operate(&u.e, operation, &u.nothing);
    if (err != MP_OK)
        mp_fault_key(&u.e.fault, L, name);
    return send(&u, err);
}

/* True if charges are never sent. */
static bool excludes_charges(const mp_update *u) {
    static const char name[] = "$transactions";
    return u->e.excluded &&
           mp_dict_find(u->e.excluded, name, sizeof name - 1) != NULL;
}

static int track_charge(lua_State *L) {
    const mp_profile_handle *handle = check_self(L);
    int first = first_argument(handle->target);
    int type = lua_type(L, first);
    if (type != LUA_TNUMBER && type != MP_LUA_TCDATA)
        mp_raise_type(L, first, "amount: number");
    int properties = check_table(L, first + 1, "properties: table");
    int modifiers = check_modifiers(L, first + 2);
    int refused = refuse(L, handle);
    if (refused > 0)
        return refused;
    mp_update u;
    mp_err err = begin(L, &u, handle, modifiers);
    u.kind = mp_operations[MP_APPEND].kind;
    u.nothing = excludes_charges(&u);
    if (err == MP_OK)
        err = mp_profile_charge(&u.e, first, properties);
    return send(&u, err);
}

static int clear_charges(lua_State *L) {
    const mp_profile_handle *handle = check_self(L);
    int modifiers = check_modifiers(L, first_argument(handle->target));
    int refused = refuse(L, handle);
    if (refused > 0)
        return refused;
    mp_update u;
    mp_err err = begin(L, &u, handle, modifiers);
    u.nothing = excludes_charges(&u);
    if (err == MP_OK)
        err = mp_buf_puts(u.e.out, ",\"$set\":{\"$transactions\":[]}");
    return send(&u, err);
}

static int set(lua_State *L) {
    return operate(L, MP_SET);
}

static int set_once(lua_State *L) {
    return operate(L, MP_SET_ONCE);
}

static int unite(lua_State *L) {
    return operate(L, MP_UNION);
}

static int remove_value(lua_State *L) {
    return operate(L, MP_REMOVE);
}

static int unset(lua_State *L) {
    return operate(L, MP_UNSET);
}

static int append(lua_State *L) {
    return operate(L, MP_APPEND);
}

static int increment(lua_State *L) {
    return operate(L, MP_ADD);
}

int mp_update_delete(lua_State *L) {
    return operate(L, MP_DELETE);
}

const luaL_Reg mp_update_methods[] = {
    {"set", set},     {"set_once", set_once},   {"union", unite},
    {"unset", unset}, {"remove", remove_value}, {NULL, NULL},
};

const luaL_Reg mp_update_people_methods[] = {
    {"append", append},
    {"increment", increment},
    {"track_charge", track_charge},
    {"clear_charges", clear_charges},
    {NULL, NULL},
};

/* ---- parts ---- */

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
