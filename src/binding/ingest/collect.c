#include "binding/ingest/collect.h"

#include "binding/event/defaults.h"
#include "binding/ingest/collect_options.h"
#include "binding/ingest/intake.h"
#include "binding/lua/handle.h"

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

/* A call: what it reads, and what became of that. */
typedef struct intake_call {
    lua_State *L;
    mp_client *client;
    mp_intake *intake;
    mp_ingest_token token; /* the client's own */
    mp_ingest_rules rules;
    mp_ingest_result result;
} intake_call;

/* ---- endpoints ---- */

typedef struct endpoint {
    const char *name;
    mp_lane_id lane;
} endpoint;

static const endpoint collected[] = {{"track", MP_LANE_COLLECTED},
                                     {"engage", MP_LANE_PEOPLE},
                                     {"groups", MP_LANE_GROUPS},
                                     {NULL, MP_LANE_EVENTS}};
static const endpoint ingested[] = {{"track", MP_LANE_EVENTS},
                                    {"import", MP_LANE_IMPORT},
                                    {"engage", MP_LANE_PEOPLE},
                                    {"groups", MP_LANE_GROUPS},
                                    {NULL, MP_LANE_EVENTS}};

static mp_lane_id check_endpoint(lua_State *L, const endpoint *endpoints,
                                 const char *expected) {
    char shown[MP_SHOWN];
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    for (; endpoints->name; endpoints++)
        if (strcmp(name, endpoints->name) == 0)
            return endpoints->lane;
    mp_raise(L, 2, "endpoint: got %s, expected %s", mp_fault_show(L, 2, shown),
             expected);
}

/* ---- results ---- */

static void set_count(lua_State *L, const char *field, uint64_t value) {
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, field);
}

static void push_refusal(lua_State *L, const mp_ingest_refusal *refusal) {
    lua_createtable(L, 0, 5);
    set_count(L, "index", (uint64_t)refusal->index + 1);
    set_count(L, "first", refusal->offset + (refusal->len > 0));
    set_count(L, "last", refusal->offset + refusal->len);
    if (refusal->field[0]) {
        lua_pushstring(L, refusal->field);
        lua_setfield(L, -2, "field");
    }
    lua_pushstring(L, refusal->reason);
    lua_setfield(L, -2, "message");
}

static uint64_t count_expired(const mp_ingest_result *result) {
    uint64_t n = 0;
    for (size_t i = 0; i < result->refused; i++)
        n += result->refusals[i].expired;
    return n;
}

/* Pushes the table that says what was taken, with refusals of at most so
 * many records. It is made before anything is queued: what raises, when out of
 * memory, took nothing. MP_CLOSED: a finaliser closed the client meanwhile. */
static mp_err push_result(const intake_call *call, size_t shown) {
    lua_State *L = call->L;
    const mp_ingest_result *result = &call->result;
    size_t n = result->refused < shown ? result->refused : shown;
    lua_createtable(L, 0, 6);
    set_count(L, "taken", result->taken);
    set_count(L, "refused", result->refused);
    set_count(L, "expired", count_expired(result));
    set_count(L, "left_out", result->left_out);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        push_refusal(L, &result->refusals[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_setfield(L, -2, "refusals");
    return call->client->closed ? MP_CLOSED : MP_OK;
}

static int fail_too_many(intake_call *call) {
    char message[MP_MESSAGE];
    snprintf(message, sizeof message,
             "body: more than %zu records, which is more than are taken at "
             "once",
             call->rules.records_max);
    return mp_fail(call->L, MP_TOO_LARGE, message);
}

static int fail_json(intake_call *call, const char *argument) {
    char message[MP_MESSAGE];
    if (call->result.too_many)
        return fail_too_many(call);
    snprintf(message, sizeof message, "%s: %s, at byte %zu of the JSON",
             argument, call->result.error, call->result.error_at + 1);
    return mp_fail(call->L, MP_INVALID, message);
}

static int fail_push(const intake_call *call, mp_err err) {
    mp_fault fault;
    mp_fault_start(&fault, "");
    return mp_fail_record(call->L, call->client, err, &fault, "");
}

/* ---- begin ---- */

/* What both methods begin with, once all arguments are read: nothing of Lua's
 * is allocated from here until the records are read. */
static void set_rules(intake_call *call, const mp_ingest_token *tokens,
                      size_t token_count) {
    mp_ingest_rules *rules = &call->rules;
    rules->tokens = tokens;
    rules->token_count = token_count;
    rules->excluded = mp_defaults_excluded(call->client->defaults);
    rules->now_ms = mp_clock_wall_ms();
}

static mp_ingest_token own_token(const mp_client *client) {
    const char *token = mp_project_config(client->project)->token;
    return (mp_ingest_token){token, token};
}

/* ---- collect ---- */

/* The first byte of a parameter of the URL, else of the form; '\0': none. */
static char flag(const intake_call *call, const mp_collect_options *options,
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
static mp_err read_body(intake_call *call, const mp_collect_options *options,
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
    snprintf(message, MP_MESSAGE, "body: %s",
             err == MP_INVALID ? body->reason : "out of memory");
    return err;
}

static void collect_rules(intake_call *call,
                          const mp_collect_options *options) {
    mp_ingest_rules *rules = &call->rules;
    if (wants_place(flag(call, options, "ip"), rules->lane))
        rules->address = options->address;
    rules->no_address = true;
    rules->profile_time = true;
    rules->records_max = MP_ENDPOINT_RECORDS;
    if (rules->lane == MP_LANE_COLLECTED)
        rules->oldest_ms =
            rules->now_ms - mp_endpoints[MP_LANE_COLLECTED].max_age_ms;
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
static mp_err describe_records(intake_call *call, mp_collect_options *options) {
    lua_State *L = call->L;
    lua_pushliteral(L, "describe");
    lua_rawget(L, 4);
    mp_described_run(L, lua_gettop(L), &call->intake->described, &call->result);
    if (call->client->closed)
        return MP_CLOSED;
    options->tokens[0] = own_token(call->client);
    for (size_t i = 0; i < options->token_count; i++)
        options->tokens[i].given = options->tokens[i].sent;
    set_rules(call, options->tokens, options->token_count);
    call->rules.address = NULL;
    return mp_described_read(&call->intake->described, &call->rules,
                             &call->result);
}

static mp_err push_collected(const intake_call *call,
                             const mp_collect_options *options) {
    char verbose = flag(call, options, "verbose");
    mp_err err = push_result(call, REFUSALS_SHOWN);
    lua_pushboolean(call->L, verbose != '\0' && verbose != '0');
    lua_setfield(call->L, -2, "verbose");
    return err;
}

static int collect_body(intake_call *call, mp_collect_options *options) {
    char message[MP_MESSAGE];
    const mp_body *body = &call->intake->body;
    mp_ingest_result *result = &call->result;
    mp_err err = read_body(call, options, message);
    if (err != MP_OK)
        return mp_fail(call->L, err, message);
    options->tokens[0] = own_token(call->client);
    set_rules(call, options->tokens, options->token_count);
    collect_rules(call, options);
    err = mp_ingest_read(call->intake->ingest, &call->rules, body->json,
                         body->len, result);
    if (err == MP_INVALID)
        return fail_json(call, "body");
    if (err == MP_OK && options->describes)
        err = describe_records(call, options);
    if (err == MP_OK)
        err = push_collected(call, options);
    if (err == MP_OK && result->taken > 0)
        err = mp_engine_push(call->client->project, call->rules.lane,
                             result->records, result->taken);
    return err == MP_OK ? 1 : fail_push(call, err);
}

static void check_text(lua_State *L, int arg, const char *expected) {
    if (lua_type(L, arg) != LUA_TSTRING)
        mp_raise_type(L, arg, expected);
}

static int collect(lua_State *L) {
    mp_collect_options options;
    intake_call call = {.L = L, .client = mp_handle_client(L)};
    lua_settop(L, 4);
    call.rules.lane =
        check_endpoint(L, collected, "\"track\", \"engage\" or \"groups\"");
    if (!lua_isnil(L, 3))
        check_text(L, 3, "body: string");
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

/* ---- ingest ---- */

static void ingest_rules(intake_call *call, mp_lane_id lane) {
    mp_project *project = call->client->project;
    mp_ingest_rules *rules = &call->rules;
    bool via_import =
        lane == MP_LANE_EVENTS && mp_project_config(project)->events_via_import;
    rules->lane = via_import ? MP_LANE_IMPORT : lane;
    rules->time_required = lane == MP_LANE_IMPORT;
    rules->token_optional = true;
    rules->may_merge = true;
    rules->lines = true;
    rules->reject = mp_project_reject_invalid(project);
    rules->profile_time = mp_project_profile_time(project);
    rules->no_address = !mp_project_geolocate(project);
    rules->records_max = UINT32_MAX;
}

/* Queues the records, those of a lane that lie beside each other at once. */
static mp_err push_runs(const intake_call *call) {
    const mp_ingest_result *result = &call->result;
    for (size_t i = 0, end; i < result->taken; i = end) {
        mp_lane_id lane = result->marks[i].lane;
        for (end = i; end < result->taken && result->marks[end].lane == lane;)
            end++;
        mp_err err = mp_engine_push(call->client->project, lane,
                                    result->records + i, end - i);
        if (err != MP_OK)
            return err;
    }
    return MP_OK;
}

static int ingest_text(intake_call *call, mp_lane_id lane) {
    size_t len;
    const char *text = lua_tolstring(call->L, 3, &len);
    call->token = own_token(call->client);
    set_rules(call, &call->token, 1);
    ingest_rules(call, lane);
    mp_err err = mp_ingest_read(call->intake->ingest, &call->rules, text, len,
                                &call->result);
    if (err == MP_INVALID)
        return fail_json(call, "json");
    if (err == MP_OK)
        err = push_result(call, SIZE_MAX);
    if (err == MP_OK)
        err = push_runs(call);
    return err == MP_OK ? 1 : fail_push(call, err);
}

static int ingest(lua_State *L) {
    intake_call call = {.L = L, .client = mp_handle_client(L)};
    lua_settop(L, 3);
    mp_lane_id lane = check_endpoint(
        L, ingested, "\"track\", \"import\", \"engage\" or \"groups\"");
    check_text(L, 3, "json: string");
    call.intake = mp_intake_take(L);
    if (call.client->closed) {
        mp_intake_give(call.intake);
        return mp_fail_closed(L);
    }
    int results = ingest_text(&call, lane);
    mp_intake_give(call.intake);
    return results;
}

const luaL_Reg mp_collect_methods[] = {
    {"collect", collect},
    {"ingest", ingest},
    {NULL, NULL},
};
