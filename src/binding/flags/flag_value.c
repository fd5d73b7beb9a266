#include "binding/flags/flag_value.h"

#include "binding/lua/handle.h"

#include <math.h>
#include <string.h>

enum {
    SLOTS = 8 /* of the stack for one level */
};

/* ---- values ---- */

static void push_number(lua_State *L, double number) {
#if LUA_VERSION_NUM >= 503
    /* Every double of this size is an integer of 64 bits. */
    if (number == floor(number) && fabs(number) < 9007199254740992.0) {
        lua_pushinteger(L, (lua_Integer)number);
        return;
    }
#endif
    lua_pushnumber(L, number);
}

static void push_integer(lua_State *L, int64_t integer) {
#if LUA_VERSION_NUM >= 503
    lua_pushinteger(L, integer);
#else
    lua_pushnumber(L, (lua_Number)integer);
#endif
}

/* The item or member of a table at the top. */
static void push_part(lua_State *L, const mp_value *value) {
    if (value->kind == MP_VALUE_NULL)
        lua_pushlightuserdata(L, NULL);
    else
        mp_flag_value_push(L, value);
}

static void push_items(lua_State *L, const mp_value *array) {
    lua_createtable(L, (int)array->len, 0);
    for (uint32_t i = 0; i < array->len; i++) {
        push_part(L, &array->as.items[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
}

static void push_members(lua_State *L, const mp_value *object) {
    lua_createtable(L, 0, (int)object->len);
    for (uint32_t i = 0; i < object->len; i++) {
        const mp_member *member = &object->as.members[i];
        lua_pushlstring(L, member->key, member->key_len);
        push_part(L, &member->value);
        lua_rawset(L, -3);
    }
}

void mp_flag_value_push(lua_State *L, const mp_value *value) {
    if (!lua_checkstack(L, SLOTS))
        mp_raise_memory(L);
    switch ((mp_value_kind)value->kind) {
    case MP_VALUE_BOOLEAN:
        lua_pushboolean(L, value->boolean);
        break;
    case MP_VALUE_NUMBER:
        push_number(L, value->as.number);
        break;
    case MP_VALUE_INTEGER:
        push_integer(L, value->as.integer);
        break;
    case MP_VALUE_TEXT:
        lua_pushlstring(L, value->as.text, value->len);
        break;
    case MP_VALUE_ARRAY:
        push_items(L, value);
        break;
    case MP_VALUE_OBJECT:
        push_members(L, value);
        break;
    case MP_VALUE_UNDEFINED:
    case MP_VALUE_NULL:
        lua_pushnil(L);
        break;
    }
}

/* ---- variants ---- */

static void set(lua_State *L, const char *field, const mp_value *value) {
    mp_flag_value_push(L, value);
    lua_setfield(L, -2, field);
}

void mp_flag_variant_push(lua_State *L, const mp_flag *flag,
                          const mp_flag_decision *decision) {
    lua_createtable(L, 0, 6);
    set(L, "variant_key", &decision->variant->key);
    set(L, "variant_value", &decision->variant->value);
    set(L, "experiment_id", &flag->experiment_id);
    set(L, "is_experiment_active", &flag->is_experiment_active);
    lua_pushboolean(L, decision->is_test_user);
    lua_setfield(L, -2, "is_qa_tester");
    lua_pushliteral(L, "local");
    lua_setfield(L, -2, "variant_source");
}

void mp_flag_answer_push(lua_State *L, const mp_value *variant,
                         const char *source) {
    static const char *const fields[] = {
        "variant_key",          "variant_value", "experiment_id",
        "is_experiment_active", "is_qa_tester",
    };
    lua_createtable(L, 0, 6);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const mp_value *value =
            mp_value_member(variant, fields[i], strlen(fields[i]));
        if (value)
            set(L, fields[i], value);
    }
    lua_pushstring(L, source);
    lua_setfield(L, -2, "variant_source");
}

void mp_flag_fallback_push(lua_State *L, int index, mp_flag_reason reason) {
    lua_createtable(L, 0, 4);
    if (lua_istable(L, index)) {
        lua_pushnil(L);
        while (lua_next(L, index)) {
            lua_pushvalue(L, -2);
            lua_insert(L, -2);
            lua_rawset(L, -4);
        }
    }
    lua_pushliteral(L, "fallback");
    lua_setfield(L, -2, "variant_source");
    lua_pushstring(L, mp_flag_reason_name(reason));
    lua_setfield(L, -2, "fallback_reason");
}
