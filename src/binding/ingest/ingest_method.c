#include "binding/ingest/collect.h"
#include "binding/ingest/ingest_options.h"
#include "binding/ingest/intake_call.h"

#include "core/engine/engine.h"

static const mp_intake_endpoint ingested[] = {{"track", MP_LANE_EVENTS},
                                              {"import", MP_LANE_IMPORT},
                                              {"engage", MP_LANE_PEOPLE},
                                              {"groups", MP_LANE_GROUPS},
                                              {NULL, MP_LANE_EVENTS}};

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

/* Of a text that was read by its items. */
static void push_items(const mp_intake_call *call,
                       const mp_ingest_options *options) {
    lua_State *L = call->L;
    const mp_ingest_result *result = &call->result;
    mp_intake_set_count(L, "consumed", result->consumed);
    if (options->places) {
        push_places(call);
        lua_setfield(L, -2, "places");
    }
    lua_getfield(L, -1, "refusals");
    for (size_t i = 0; i < result->refused; i++) {
        const mp_ingest_refusal *refusal = &result->refusals[i];
        if (refusal->json_len == 0)
            continue;
        lua_rawgeti(L, -1, (int)i + 1);
        lua_pushlstring(L, result->rows + refusal->json, refusal->json_len);
        lua_setfield(L, -2, "json");
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* With results in front of those of a failure: how many records are queued. */
static int fail_ingest(const mp_intake_call *call, mp_err err, size_t done) {
    int n = mp_intake_fail_push(call, err);
    lua_pushinteger(call->L, (lua_Integer)done);
    return n + 1;
}

static int ingest_text(mp_intake_call *call, mp_lane_id lane,
                       const mp_ingest_options *options) {
    size_t len, done = options->skip;
    const char *text = lua_tolstring(call->L, 3, &len);
    call->token = mp_intake_own_token(call->client);
    mp_intake_set_rules(call, &call->token, 1);
    ingest_rules(call, lane);
    mp_ingest_options_set(options, &call->rules);
    mp_err err = mp_ingest_read(call->intake->ingest, &call->rules, text, len,
                                &call->result);
    if (err == MP_INVALID)
        return mp_intake_fail_json(call, "json");
    if (err == MP_OK)
        err = mp_intake_push_result(call, SIZE_MAX);
    if (err == MP_OK && options->items != MP_INGEST_TEXT)
        push_items(call, options);
    if (err == MP_OK && !options->dry)
        err = push_runs(call, &done);
    if (err != MP_OK)
        return fail_ingest(call, err, done);
    if (options->items != MP_INGEST_TEXT)
        mp_intake_set_count(call->L, "mark",
                            mp_project_mark(call->client->project));
    return 1;
}

static int ingest(lua_State *L) {
    mp_ingest_options options = {0};
    mp_intake_call call = {.L = L, .client = mp_handle_client(L)};
    lua_settop(L, 4);
    mp_lane_id lane = mp_intake_check_endpoint(
        L, ingested, "\"track\", \"import\", \"engage\" or \"groups\"");
    mp_intake_check_text(L, 3, "json: string");
    mp_ingest_options_read(L, 4, &options);
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
