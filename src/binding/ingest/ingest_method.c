#include "binding/ingest/collect.h"
#include "binding/ingest/ingest_options.h"
#include "binding/ingest/intake_call.h"

#include "core/engine/engine.h"

#include <stdio.h>

static const mp_intake_endpoint ingested[] = {{"track", MP_LANE_EVENTS},
                                              {"import", MP_LANE_IMPORT},
                                              {"engage", MP_LANE_PEOPLE},
                                              {"groups", MP_LANE_GROUPS},
                                              {NULL, MP_LANE_EVENTS}};

enum {
    INFLATED_MAX = 64 * 1024 * 1024 /* bytes of a text; far more than a message
                                     * of a bus holds */
};

static void ingest_rules(mp_intake_call *call, mp_lane_id lane) {
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

/* Queues the records from *done on, those of a lane that lie beside each other
 * at once. *done: before which all are. */
static mp_err push_runs(const mp_intake_call *call, size_t *done) {
    const mp_ingest_result *result = &call->result;
    for (size_t i = *done, end; i < result->taken; i = *done = end) {
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

/* Where the records that are taken begin, 4 bytes for each, the least first. */
static void push_places(const mp_intake_call *call) {
    luaL_Buffer places;
    luaL_buffinit(call->L, &places);
    for (size_t i = 0; i < call->result.taken; i++) {
        uint32_t at = call->result.marks[i].offset;
        for (int byte = 0; byte < 4; byte++, at >>= 8)
            luaL_addchar(&places, (char)(at & 0xff));
    }
    luaL_pushresult(&places);
}

/* A refused record that stands so in no text of the caller. */
static mp_span refused_json(const mp_intake_call *call,
                            const mp_ingest_refusal *refusal,
                            const mp_span *inflated) {
    if (refusal->json_len > 0)
        return (mp_span){call->result.rows + refusal->json, refusal->json_len};
    if (!inflated->data)
        return (mp_span){NULL, 0};
    return (mp_span){inflated->data + refusal->offset, refusal->len};
}

/* Gives the refusals of the result at the top their JSON. */
static void push_refused(const mp_intake_call *call, const mp_span *inflated) {
    lua_State *L = call->L;
    lua_getfield(L, -1, "refusals");
    for (size_t i = 0; i < call->result.refused; i++) {
        mp_span json = refused_json(call, &call->result.refusals[i], inflated);
        if (!json.data)
            continue;
        lua_rawgeti(L, -1, (int)i + 1);
        lua_pushlstring(L, json.data, json.len);
        lua_setfield(L, -2, "json");
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* Of a text that was read by its items. */
static void push_items(const mp_intake_call *call,
                       const mp_ingest_options *options) {
    mp_intake_set_count(call->L, "consumed", call->result.consumed);
    if (options->places) {
        push_places(call);
        lua_setfield(call->L, -2, "places");
    }
}

/* With results in front of those of a failure: how many records are queued. */
static int fail_ingest(const mp_intake_call *call, mp_err err, size_t done) {
    int n = mp_intake_fail_push(call, err);
    lua_pushinteger(call->L, (lua_Integer)done);
    return n + 1;
}

/* The text; *inflated: the same if it was compressed, else NULL. MP_INVALID and
 * MP_TOO_LARGE with a message. */
static mp_err read_text(mp_intake_call *call, const mp_ingest_options *options,
                        mp_span *text, mp_span *inflated,
                        char message[MP_MESSAGE]) {
    mp_body *body = &call->intake->body;
    text->data = lua_tolstring(call->L, 3, &text->len);
    *inflated = (mp_span){NULL, 0};
    if (!options->gzip)
        return MP_OK;
    mp_err err = mp_body_inflate(body, text->data, text->len, INFLATED_MAX);
    if (err == MP_OK)
        *text = *inflated = (mp_span){body->json, body->len};
    else
        snprintf(message, MP_MESSAGE, "json: %s",
                 err == MP_MEMORY ? "out of memory" : body->reason);
    return err;
}

static void set_rules(mp_intake_call *call, mp_lane_id lane,
                      const mp_ingest_options *options) {
    call->token = mp_intake_own_token(call->client);
    mp_intake_set_rules(call, &call->token, 1);
    ingest_rules(call, lane);
    if (options->collected)
        mp_intake_set_collected(&call->rules);
    mp_ingest_options_set(options, &call->rules);
}

static int ingest_text(mp_intake_call *call, mp_lane_id lane,
                       const mp_ingest_options *options) {
    char message[MP_MESSAGE];
    mp_span text, inflated;
    size_t done = options->skip;
    mp_err err = read_text(call, options, &text, &inflated, message);
    if (err != MP_OK)
        return mp_fail(call->L, err, message);
    set_rules(call, lane, options);
    err = mp_ingest_read(call->intake->ingest, &call->rules, text.data,
                         text.len, &call->result);
    if (err == MP_INVALID)
        return mp_intake_fail_json(call, "json");
    if (err == MP_OK)
        err = mp_intake_push_result(call, SIZE_MAX);
    if (err == MP_OK) {
        push_refused(call, &inflated);
        if (options->items != MP_INGEST_TEXT)
            push_items(call, options);
    }
    if (err == MP_OK && !options->dry)
        err = push_runs(call, &done);
    if (err != MP_OK)
        return fail_ingest(call, err, done);
    mp_intake_set_mark(call);
    return 1;
}

static void check_collected(lua_State *L, mp_lane_id lane) {
    if (lane != MP_LANE_EVENTS)
        mp_raise(L, 4,
                 "option 'collected': endpoint \"%s\" takes none, expected "
                 "\"track\"",
                 lua_tostring(L, 2));
}

static int ingest(lua_State *L) {
    mp_ingest_options options = {0};
    mp_intake_call call = {.L = L, .client = mp_handle_client(L)};
    lua_settop(L, 4);
    mp_lane_id lane = mp_intake_check_endpoint(
        L, ingested, "\"track\", \"import\", \"engage\" or \"groups\"");
    mp_intake_check_text(L, 3, "json: string");
    mp_ingest_options_read(L, 4, &options);
    if (options.collected)
        check_collected(L, lane);
    call.intake = mp_intake_take(L);
    if (call.client->closed) {
        mp_intake_give(call.intake);
        return mp_fail_closed(L);
    }
    int results = ingest_text(&call, lane, &options);
    mp_intake_give(call.intake);
    return results;
}

const luaL_Reg mp_ingest_methods[] = {
    {"ingest", ingest},
    {NULL, NULL},
};
