#include "binding/ingest/intake_call.h"

#include "binding/event/defaults.h"

#include "core/os/clock.h"

#include <stdio.h>
#include <string.h>

mp_lane_id mp_intake_check_endpoint(lua_State *L,
                                    const mp_intake_endpoint *endpoints,
                                    const char *expected) {
    char shown[MP_SHOWN];
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    for (; endpoints->name; endpoints++)
        if (strcmp(name, endpoints->name) == 0)
            return endpoints->lane;
    mp_raise(L, 2, "endpoint: got %s, expected %s", mp_fault_show(L, 2, shown),
             expected);
}

void mp_intake_check_text(lua_State *L, int arg, const char *expected) {
    if (lua_type(L, arg) != LUA_TSTRING)
        mp_raise_type(L, arg, expected);
}

/* ---- results ---- */

void mp_intake_set_count(lua_State *L, const char *field, uint64_t value) {
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, field);
}

static void push_refusal(lua_State *L, const mp_ingest_refusal *refusal) {
    lua_createtable(L, 0, 5);
    mp_intake_set_count(L, "index", (uint64_t)refusal->index + 1);
    mp_intake_set_count(L, "first", refusal->offset + (refusal->len > 0));
    mp_intake_set_count(L, "last", refusal->offset + refusal->len);
    if (refusal->field[0]) {
        lua_pushstring(L, refusal->field);
        lua_setfield(L, -2, "field");
    }
    if (refusal->reason[0]) {
        lua_pushstring(L, refusal->reason);
        lua_setfield(L, -2, "message");
    }
}

static uint64_t count_expired(const mp_ingest_result *result) {
    uint64_t n = 0;
    for (size_t i = 0; i < result->refused; i++)
        n += result->refusals[i].expired;
    return n;
}

mp_err mp_intake_push_result(const mp_intake_call *call, size_t shown) {
    lua_State *L = call->L;
    const mp_ingest_result *result = &call->result;
    size_t n = result->refused < shown ? result->refused : shown;
    lua_createtable(L, 0, 7);
    mp_intake_set_count(L, "taken", result->taken);
    mp_intake_set_count(L, "refused", result->refused);
    mp_intake_set_count(L, "expired", count_expired(result));
    mp_intake_set_count(L, "left_out", result->left_out);
    mp_intake_set_count(L, "mark", 0); /* its place */
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        push_refusal(L, &result->refusals[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_setfield(L, -2, "refusals");
    return call->client->closed ? MP_CLOSED : MP_OK;
}

/* Allocates nothing: the name is there. */
void mp_intake_set_mark(const mp_intake_call *call) {
    mp_intake_set_count(call->L, "mark",
                        mp_project_mark(call->client->project));
}

static int fail_too_many(mp_intake_call *call) {
    char message[MP_MESSAGE];
    snprintf(message, sizeof message,
             "body: more than %zu records, which is more than are taken at "
             "once",
             call->rules.records_max);
    return mp_fail(call->L, MP_TOO_LARGE, message);
}

int mp_intake_fail_json(mp_intake_call *call, const char *argument) {
    char message[MP_MESSAGE];
    if (call->result.too_many)
        return fail_too_many(call);
    snprintf(message, sizeof message, "%s: %s, at byte %zu of the JSON",
             argument, call->result.error, call->result.error_at + 1);
    return mp_fail(call->L, MP_INVALID, message);
}

int mp_intake_fail_push(const mp_intake_call *call, mp_err err) {
    mp_fault fault;
    mp_fault_start(&fault, "");
    return mp_fail_record(call->L, call->client, err, &fault, "");
}

/* ---- begin ---- */

void mp_intake_set_rules(mp_intake_call *call, const mp_ingest_token *tokens,
                         size_t token_count) {
    mp_ingest_rules *rules = &call->rules;
    rules->tokens = tokens;
    rules->token_count = token_count;
    rules->excluded = mp_defaults_excluded(call->client->defaults);
    rules->now_ms = mp_clock_wall_ms();
}

void mp_intake_set_collected(mp_ingest_rules *rules) {
    rules->lane = MP_LANE_COLLECTED;
    rules->may_merge = false;
    rules->oldest_ms =
        rules->now_ms - mp_endpoints[MP_LANE_COLLECTED].max_age_ms;
}

mp_ingest_token mp_intake_own_token(const mp_client *client) {
    const char *token = mp_project_config(client->project)->token;
    return (mp_ingest_token){token, token};
}
