#include "binding/flags/flag_exposure.h"

#include "binding/event/client_defaults.h"
#include "binding/flags/flag_value.h"

#include "core/base/date.h"
#include "core/os/clock.h"

#include <stdio.h>
#include <string.h>

/* ---- properties ---- */

static void set_text(lua_State *L, const char *name, const char *text,
                     size_t len) {
    lua_pushlstring(L, text, len);
    lua_setfield(L, -2, name);
}

static void set_value(lua_State *L, const char *name, const mp_value *value) {
    if (value->kind != MP_VALUE_TEXT && value->kind != MP_VALUE_BOOLEAN)
        return;
    mp_flag_value_push(L, value);
    lua_setfield(L, -2, name);
}

/* The same wherever the same is seen on the same day, so that Mixpanel counts
 * what several processes report once. */
static void set_insert_id(lua_State *L, const mp_client *client,
                          const mp_exposure *exposure) {
    char id[MP_FNV128_HEX];
    mp_exposure_insert_id(mp_project_config(client->project)->token, exposure,
                          mp_clock_wall_ms(), id);
    set_text(L, "$insert_id", id, sizeof id);
}

static void set_number(lua_State *L, const char *name, int64_t number) {
    lua_pushnumber(L, (lua_Number)number);
    lua_setfield(L, -2, name);
}

static void set_date(lua_State *L, const char *name, int64_t wall_ms) {
    char seconds[MP_DATE_TEXT], text[MP_DATE_TEXT + sizeof ".000Z"];
    mp_date_write(wall_ms / 1000, seconds);
    int len =
        snprintf(text, sizeof text, "%s.%03dZ", seconds, (int)(wall_ms % 1000));
    set_text(L, name, text, (size_t)len);
}

/* How long the answer took, or the decision if it was made here. */
static void set_times(lua_State *L, const mp_flag_seen *seen) {
    static const char latency[] = "Variant fetch latency (ms)";
    const mp_variants_times *times = &seen->times;
    if (seen->start_ms >= 0)
        set_number(L, latency, mp_clock_coarse_ms() - seen->start_ms);
    if (times->asked_ms <= 0 || times->came_ms < times->asked_ms)
        return;
    set_number(L, latency, times->came_ms - times->asked_ms);
    set_date(L, "Variant fetch start time", times->asked_ms);
    set_date(L, "Variant fetch complete time", times->came_ms);
}

/* The names are those of Mixpanel's SDKs. */
static void push_properties(lua_State *L, const mp_flag_seen *seen) {
    const mp_exposure *exposure = &seen->exposure;
    lua_createtable(L, 0, 12);
    set_text(L, "Experiment name", exposure->flag, exposure->flag_len);
    set_text(L, "Variant name", exposure->variant, exposure->variant_len);
    set_text(L, "$experiment_type", "feature_flag", sizeof "feature_flag" - 1);
    const char *mode = seen->remote ? "remote" : "local";
    set_text(L, "Flag evaluation mode", mode, strlen(mode));
    set_value(L, "$experiment_id", &seen->experiment_id);
    set_value(L, "$is_experiment_active", &seen->is_experiment_active);
    set_value(L, "$is_qa_tester", &seen->is_qa_tester);
    set_times(L, seen);
}

/* ---- the event ---- */

mp_err mp_flag_expose_by(lua_State *L, const mp_client *client,
                         const mp_flag_seen *seen, mp_flag_tracker *tracker,
                         void *whose, mp_fault *fault) {
    bool once = client->exposure != MP_EXPOSE_ALWAYS;
    int top = lua_gettop(L);
    int64_t now_ms = seen->start_ms < 0 ? mp_clock_coarse_ms() : seen->start_ms;
    if (once && !mp_flags_expose(client->flags, &seen->exposure, now_ms))
        return MP_OK;
    push_properties(L, seen);
    if (once)
        set_insert_id(L, client, &seen->exposure);
    mp_err err = tracker(L, whose, top + 1, fault);
    lua_settop(L, top);
    if (!client->flags) /* collected by a finaliser */
        return err;
    if (err == MP_OK)
        mp_flags_count_exposure(client->flags);
    else if (once)
        mp_flags_unexpose(client->flags, &seen->exposure);
    return err;
}

/* Where a client and a context are. */
typedef struct place {
    int client, context;
} place;

static mp_err track(lua_State *L, void *whose, int properties,
                    mp_fault *fault) {
    const place *at = whose;
    const mp_client *client = lua_touserdata(L, at->client);
    mp_call call;
    mp_event event;
    lua_pushliteral(L, "distinct_id");
    lua_rawget(L, at->context);
    lua_setfield(L, properties, "distinct_id");
    mp_call_begin(&call, L, client, MP_LIST_MAX, "event");
    mp_client_defaults_begin(&event, &call, at->client, MP_FLAG_EVENT,
                             sizeof MP_FLAG_EVENT - 1);
    mp_event_properties(&event, properties);
    mp_err err = mp_event_send(&event, MP_LANE_EVENTS);
    *fault = call.e.fault;
    mp_scratch_give(call.scratch);
    return err;
}

mp_err mp_flag_expose(lua_State *L, int index, int context,
                      const mp_flag_seen *seen, mp_fault *fault) {
    const mp_client *client = lua_touserdata(L, index);
    place at = {index, context};
    mp_fault_start(fault, "");
    return client->closed
               ? MP_CLOSED
               : mp_flag_expose_by(L, client, seen, track, &at, fault);
}
