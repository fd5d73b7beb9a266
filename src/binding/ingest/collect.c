#include "binding/ingest/collect.h"

#include "binding/event/defaults.h"
#include "binding/ingest/collect_options.h"
#include "binding/ingest/intake_call.h"

#include "core/engine/engine.h"
#include "core/ingest/form_data.h"
#include "core/os/clock.h"

#include <stdio.h>
#include <string.h>

enum {
    BODY_MAX = 10 * 1024 * 1024, /* bytes of a request, inflated; Mixpanel's
                                  * own limit (docs, import events) */
    REFUSALS_SHOWN = 10          /* of those of a request */
};

/* ---- endpoints ---- */

static const mp_intake_endpoint collected[] = {{"track", MP_LANE_COLLECTED},
                                               {"engage", MP_LANE_PEOPLE},
                                               {"groups", MP_LANE_GROUPS},
                                               {NULL, MP_LANE_EVENTS}};

/* ---- collect ---- */

/* The first byte of a parameter of the URL, else of the form; '\0': none. */
static char flag(const mp_intake_call *call, const mp_collect_options *options,
                 const char *name) {
    mp_span value;
    if (options->query.len > 0 &&
        mp_form_data_find(options->query.data, options->query.len, name,
                          &value) &&
        value.len > 0)
        return *value.data;
    return mp_body_flag(&call->intake->body, name);
}

/* Whether the sender wants to be placed by its address. /engage does so by
 * default (Mixpanel docs, profile set), /track does not. */
static bool wants_place(char ip, mp_lane_id lane) {
    return lane == MP_LANE_PEOPLE ? ip != '0' : ip == '1';
}

/* Reads the body; without one, the query's data. MP_INVALID and MP_TOO_LARGE
 * with a message. */
static mp_err read_body(mp_intake_call *call, const mp_collect_options *options,
                        char message[MP_MESSAGE]) {
    char shown[MP_SHOWN];
    size_t len;
    const char *bytes = lua_tolstring(call->L, 3, &len);
    mp_body *body = &call->intake->body;
    if (options->unknown_encoding) {
        snprintf(message, MP_MESSAGE,
                 "body: the content encoding is %s, expected gzip or none",
                 mp_fault_quote(options->unknown_encoding,
                                strlen(options->unknown_encoding), shown));
        return MP_INVALID;
    }
    if (len > BODY_MAX) {
        snprintf(message, MP_MESSAGE, "body: %zu bytes, expected at most %d",
                 len, BODY_MAX);
        return MP_TOO_LARGE;
    }
    mp_err err =
        len == 0
            ? mp_body_read(body, options->query.data ? options->query.data : "",
                           options->query.len, false, BODY_MAX)
            : mp_body_read(body, bytes, len, options->gzip, BODY_MAX);
    if (err != MP_OK)
        snprintf(message, MP_MESSAGE, "body: %s",
                 err == MP_MEMORY ? "out of memory" : body->reason);
    return err;
}

static void collect_rules(mp_intake_call *call,
                          const mp_collect_options *options) {
    mp_ingest_rules *rules = &call->rules;
    if (wants_place(flag(call, options, "ip"), rules->lane))
        rules->address = options->address;
    rules->no_address = true;
    rules->profile_time = true;
    rules->records_max = MP_ENDPOINT_RECORDS;
    if (rules->lane == MP_LANE_COLLECTED)
        mp_intake_set_collected(rules);
}

/* ---- the option describe ---- */

/* Pushes a copy of the table at `index`, and of the tables in it. */
static void push_copy(lua_State *L, int index, bool deep) {
    luaL_checkstack(L, 8, NULL);
    lua_newtable(L);
    int copy = lua_gettop(L);
    lua_pushnil(L);
    while (lua_next(L, index)) {
        lua_pushvalue(L, copy + 1);
        if (deep && lua_istable(L, copy + 2))
            push_copy(L, copy + 2, false);
        else
            lua_pushvalue(L, copy + 2);
        lua_rawset(L, copy);
        lua_settop(L, copy + 1);
    }
}

/* The function may change whatever it can reach, such as these options, of
 * which the call holds the texts. */
static void copy_options(lua_State *L) {
    if (!lua_istable(L, 4))
        return;
    lua_pushliteral(L, "describe");
    lua_rawget(L, 4);
    bool describes = !lua_isnil(L, -1);
    lua_pop(L, 1);
    if (!describes)
        return;
    push_copy(L, 4, true);
    lua_replace(L, 4);
}

/* What the function leaves is judged as a body is: it may have made anything
 * of the records, whose tokens and addresses were set before. */
static mp_err describe_records(mp_intake_call *call,
                               mp_collect_options *options) {
    lua_State *L = call->L;
    lua_pushliteral(L, "describe");
    lua_rawget(L, 4);
    mp_described_run(L, lua_gettop(L), &call->intake->described, &call->result);
    if (call->client->closed)
        return MP_CLOSED;
    options->tokens[0] = mp_intake_own_token(call->client);
    for (size_t i = 0; i < options->token_count; i++)
        options->tokens[i].given = options->tokens[i].sent;
    mp_intake_set_rules(call, options->tokens, options->token_count);
    call->rules.address = NULL;
    return mp_described_read(&call->intake->described, &call->rules,
                             &call->result);
}

static mp_err push_collected(const mp_intake_call *call,
                             const mp_collect_options *options) {
    char verbose = flag(call, options, "verbose");
    mp_err err = mp_intake_push_result(call, REFUSALS_SHOWN);
    lua_pushboolean(call->L, verbose != '\0' && verbose != '0');
    lua_setfield(call->L, -2, "verbose");
    return err;
}

static int collect_body(mp_intake_call *call, mp_collect_options *options) {
    char message[MP_MESSAGE];
    const mp_body *body = &call->intake->body;
    mp_ingest_result *result = &call->result;
    mp_err err = read_body(call, options, message);
    if (err != MP_OK)
        return mp_fail(call->L, err, message);
    options->tokens[0] = mp_intake_own_token(call->client);
    mp_intake_set_rules(call, options->tokens, options->token_count);
    collect_rules(call, options);
    err = mp_ingest_read(call->intake->ingest, &call->rules, body->json,
                         body->len, result);
    if (err == MP_INVALID)
        return mp_intake_fail_json(call, "body");
    if (err == MP_OK && options->describes)
        err = describe_records(call, options);
    if (err == MP_OK)
        err = push_collected(call, options);
    if (err != MP_OK)
        return mp_intake_fail_push(call, err);
    if (result->taken > 0)
        err = mp_engine_push(call->client->project, call->rules.lane,
                             result->records, result->taken);
    if (err != MP_OK)
        return mp_intake_fail_push(call, err);
    mp_intake_set_mark(call);
    return 1;
}

static int collect(lua_State *L) {
    mp_collect_options options;
    mp_intake_call call = {.L = L, .client = mp_handle_client(L)};
    lua_settop(L, 4);
    call.rules.lane = mp_intake_check_endpoint(
        L, collected, "\"track\", \"engage\" or \"groups\"");
    if (!lua_isnil(L, 3))
        mp_intake_check_text(L, 3, "body: string");
    call.intake = mp_intake_take(L);
    call.intake->busy = false; /* until options can raise no more */
    copy_options(L);
    mp_collect_options_read(L, 4, &options);
    if (call.client->closed)
        return mp_fail_closed(L);
    call.intake->busy = true;
    int results = collect_body(&call, &options);
    mp_intake_give(call.intake);
    return results;
}

const luaL_Reg mp_collect_methods[] = {
    {"collect", collect},
    {NULL, NULL},
};
