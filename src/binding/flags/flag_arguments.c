#include "binding/flags/flag_arguments.h"

#include "binding/flags/flags_handle.h"
#include "binding/flags/read_context.h"

#include <math.h>

void mp_flags_check_key(lua_State *L) {
    if (lua_type(L, MP_FLAGS_KEY) != LUA_TSTRING)
        mp_raise_type(L, MP_FLAGS_KEY, "flag: string");
}

bool mp_flags_check_report(lua_State *L, int arg) {
    if (!lua_isnoneornil(L, arg) && !lua_isboolean(L, arg))
        mp_raise_type(L, arg, "report_exposure: boolean");
    return lua_isnoneornil(L, arg) || lua_toboolean(L, arg);
}

void mp_flags_check_fallback(lua_State *L) {
    if (!lua_istable(L, 3) && !lua_isnil(L, 3))
        mp_raise(L, 3,
                 "fallback: expected a variant such as { variant_value = "
                 "false }, or nil, got %s; get_variant_value takes a value",
                 luaL_typename(L, 3));
}

uint64_t mp_flags_check_id(lua_State *L) {
    static const double exact = 9007199254740992.0; /* 2^53 */
    lua_Number number = lua_tonumber(L, 2);
    if (lua_type(L, 2) != LUA_TNUMBER)
        mp_raise_type(L, 2, "id of a request: number");
    return number >= 1 && number < exact && number == floor(number)
               ? (uint64_t)number
               : 0;
}

/* ---- exposures ---- */

void mp_flags_fill_seen(lua_State *L, mp_flag_seen *seen,
                        const mp_value *variant, const mp_value *id,
                        mp_variants_times times) {
    mp_value key = mp_variants_field(variant, "variant_key");
    size_t len;
    const char *flag = lua_tolstring(L, MP_FLAGS_KEY, &len);
    *seen = (mp_flag_seen){
        .exposure = {id->as.text, flag, key.as.text, id->len, len, key.len},
        .experiment_id = mp_variants_field(variant, "experiment_id"),
        .is_experiment_active =
            mp_variants_field(variant, "is_experiment_active"),
        .is_qa_tester = mp_variants_field(variant, "is_qa_tester"),
        .start_ms = -1,
        .remote = true,
        .times = times,
    };
}

/* The text at a field of the variant at argument 3; NULL: none. */
static const char *text_of(lua_State *L, const char *field, size_t *len) {
    lua_pushstring(L, field);
    lua_rawget(L, 3);
    return lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, len) : NULL;
}

/* A boolean at a field; undefined: none. */
static mp_value boolean_of(lua_State *L, const char *field) {
    lua_pushstring(L, field);
    lua_rawget(L, 3);
    mp_value value = lua_isboolean(L, -1)
                         ? mp_value_boolean(lua_toboolean(L, -1) != 0)
                         : mp_value_undefined();
    lua_pop(L, 1);
    return value;
}

/* Fills in what the arguments say; texts stay on the stack. */
static void read_seen(lua_State *L, mp_flag_seen *seen) {
    size_t len = 0;
    mp_exposure *exposure = &seen->exposure;
    mp_flags_check_key(L);
    if (!lua_istable(L, 3))
        mp_raise_type(L, 3, "variant: table");
    mp_read_context_check(L, 4);
    exposure->flag = lua_tolstring(L, MP_FLAGS_KEY, &exposure->flag_len);
    exposure->variant = text_of(L, "variant_key", &exposure->variant_len);
    if (!exposure->variant)
        mp_raise(L, 3,
                 "variant.variant_key: string expected, as in what "
                 "get_variant returned");
    const char *experiment = text_of(L, "experiment_id", &len);
    seen->experiment_id =
        experiment ? mp_value_text(experiment, len) : mp_value_undefined();
    seen->is_experiment_active = boolean_of(L, "is_experiment_active");
    seen->is_qa_tester = boolean_of(L, "is_qa_tester");
    seen->start_ms = -1;
    seen->times = (mp_variants_times){0};
}

/* track_exposure_event(key, variant, context) */
int mp_flags_track_exposure(lua_State *L) {
    mp_flags_handle *self = mp_flags_handle_check(L);
    mp_flag_seen seen;
    mp_fault fault;
    mp_value id;
    read_seen(L, &seen);
    seen.remote = self->remote;
    mp_flags_handle_start(self);
    if (!self->client->project || self->client->closed)
        return mp_fail_closed(L);
    mp_flag_work *w = mp_flag_work_take(L, self);
    mp_context_begin(&w->context);
    if (mp_read_context_id(L, 4, &w->context, &id) != MP_OK ||
        id.kind != MP_VALUE_TEXT) {
        mp_flag_work_give(w);
        mp_raise(L, 4,
                 "context.distinct_id: expected the id of whoever saw "
                 "the flag, a string or a number");
    }
    seen.exposure.id = id.as.text;
    seen.exposure.id_len = id.len;
    mp_flags_handle_push_client(L);
    mp_err err = mp_flag_expose(L, lua_gettop(L), 4, &seen, &fault);
    mp_flag_work_give(w);
    if (err != MP_OK)
        return mp_fail_record(L, self->client, err, &fault, "");
    lua_pushboolean(L, 1);
    return 1;
}
