#include "binding/client/outcomes.h"

#include "binding/lua/handle.h"

#include "core/os/clock.h"

#include <string.h>

#define REPORT "mixpanel.report"

/* ---- fields of the table at the top ---- */

static void set_count(lua_State *L, const char *field, uint64_t value) {
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, field);
}

static void set_seconds(lua_State *L, const char *field, int64_t ms) {
    lua_pushnumber(L, (lua_Number)ms / 1000);
    lua_setfield(L, -2, field);
}

/* Nothing for an empty text. */
static void set_text(lua_State *L, const char *field, const char *text) {
    if (*text == '\0')
        return;
    lua_pushstring(L, text);
    lua_setfield(L, -2, field);
}

/* ---- stats ---- */

static void set_dropped(lua_State *L, const mp_stats *s) {
    lua_createtable(L, 0, 4);
    set_count(L, "expired", s->dropped_expired);
    set_count(L, "overflow", s->dropped_overflow);
    set_count(L, "evicted", s->dropped_evicted);
    set_count(L, "quarantined", s->dropped_quarantined);
    lua_setfield(L, -2, "dropped");
}

/* How many evaluations found no variant, by why. */
static void set_fallbacks(lua_State *L, const mp_flag_stats *s) {
    lua_createtable(L, 0, MP_FLAG_REASONS);
    for (int i = 0; i < MP_FLAG_REASONS; i++)
        if (i != MP_FLAG_DECIDED)
            set_count(L, mp_flag_reason_name((mp_flag_reason)i),
                      s->fallbacks[i]);
    lua_setfield(L, -2, "fallbacks");
}

/* What was asked of Mixpanel. */
static void set_remote(lua_State *L, const mp_remote_stats *s) {
    lua_createtable(L, 0, 4);
    set_count(L, "contexts", s->contexts);
    set_count(L, "pending", s->pending);
    set_count(L, "requests", s->requests);
    set_count(L, "failures", s->failures);
    lua_setfield(L, -2, "remote");
}

static void set_flags(lua_State *L, mp_flags *flags) {
    mp_flag_stats s;
    mp_flags_stats(flags, mp_clock_mono_ms(), &s);
    lua_createtable(L, 0, 14);
    lua_pushboolean(L, s.ready);
    lua_setfield(L, -2, "ready");
    set_count(L, "definitions", s.count);
    set_count(L, "faulty", s.faulty);
    set_text(L, "fault", s.fault);
    if (s.ready)
        set_seconds(L, "age", s.age_ms);
    set_count(L, "polls", s.polls);
    set_count(L, "failures", s.failures);
    set_count(L, "evaluations", s.evaluations);
    set_count(L, "rule_errors", s.rule_errors);
    set_count(L, "exposures", s.exposures);
    set_count(L, "exposures_failed", s.exposures_failed);
    set_fallbacks(L, &s);
    set_remote(L, &s.remote);
    if (s.error[0])
        set_seconds(L, "last_error_age", s.error_age_ms);
    set_text(L, "last_error", s.error);
    lua_setfield(L, -2, "flags");
}

static int stats(lua_State *L) {
    const mp_client *client = mp_handle_client(L);
    if (!client->project)
        return mp_fail_closed(L);
    mp_stats s;
    mp_project_stats(client->project, &s);
    lua_createtable(L, 0, 32);
    set_count(L, "accepted", s.accepted);
    set_count(L, "adopted", s.adopted);
    set_count(L, "delivered", s.delivered);
    set_count(L, "rejected", s.rejected);
    set_dropped(L, &s);
    set_count(L, "queued", s.queued);
    set_count(L, "in_flight", s.in_flight);
    set_count(L, "spooled", s.spooled);
    set_count(L, "queue_full", s.refused_full);
    set_count(L, "retried", s.retried);
    set_count(L, "ambiguous", s.ambiguous);
    set_count(L, "repaired", s.repaired);
    set_count(L, "truncated", s.truncated);
    set_count(L, "held_dropped", s.pending_dropped);
    set_count(L, "properties_failed", s.properties_failed);
    set_count(L, "requests", s.requests);
    set_count(L, "bytes_raw", s.bytes_raw);
    set_count(L, "bytes_sent", s.bytes_sent);
    set_count(L, "queue_bytes", s.queue_bytes);
    set_count(L, "spooled_bytes", s.spooled_bytes);
    set_count(L, "quarantined", s.quarantined);
    set_count(L, "foreign", s.foreign);
    set_count(L, "elsewhere_runs", s.elsewhere_runs);
    set_count(L, "elsewhere_files", s.elsewhere_files);
    set_count(L, "elsewhere_bytes", s.elsewhere_bytes);
    set_count(L, "newer", s.newer);
    set_count(L, "spool_looks", s.spool_looks);
    set_count(L, "spool_errors", s.spool_errors);
    if (s.queued + s.in_flight + s.spooled > 0)
        set_seconds(L, "oldest_age", s.oldest_ms);
    if (s.last_error[0])
        set_seconds(L, "last_error_age", s.last_error_ms);
    set_text(L, "last_error", s.last_error);
    /* A finaliser that ran meanwhile may have let the project go. */
    if (client->flags)
        set_flags(L, client->flags);
    return 1;
}

/* ---- poll ---- */

static int collect_report(lua_State *L) {
    mp_report_free(luaL_checkudata(L, 1, REPORT));
    return 0;
}

/* Pushes a report that holds nothing; what it gets to hold outlives no error
 * of Lua. */
static mp_report *push_report(lua_State *L) {
    mp_report *report = lua_newuserdata(L, sizeof *report);
    memset(report, 0, sizeof *report);
    mp_lua_setcollect(L, REPORT, collect_report);
    return report;
}

static void push_record(lua_State *L, const mp_report_record *record) {
    lua_createtable(L, 0, 5);
    set_count(L, "mark", record->seq);
    if (record->json) {
        lua_pushlstring(L, record->json, record->len);
        lua_setfield(L, -2, "json");
    }
    set_text(L, "insert_id", record->insert_id);
    set_text(L, "field", record->field);
    set_text(L, "message", record->message);
}

static void push_report_table(lua_State *L, const mp_report *report) {
    lua_createtable(L, 0, 7);
    lua_pushstring(L, mp_report_outcome_name(report->outcome));
    lua_setfield(L, -2, "outcome");
    lua_pushstring(L, report->endpoint);
    lua_setfield(L, -2, "endpoint");
    set_count(L, "count", report->count);
    if (report->status > 0)
        set_count(L, "status", (uint64_t)report->status);
    set_text(L, "message", report->message);
    lua_pushboolean(L, report->uncertain);
    lua_setfield(L, -2, "uncertain");
    lua_createtable(L, (int)report->shown, 0);
    for (uint32_t i = 0; i < report->shown; i++) {
        push_record(L, &report->records[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_setfield(L, -2, "records");
}

/* How many reports the argument allows. */
static int check_max(lua_State *L, int arg) {
    static const int most = 1000000; /* more than there ever are */
    char shown[MP_SHOWN];
    if (lua_isnoneornil(L, arg))
        return most;
    if (lua_type(L, arg) != LUA_TNUMBER)
        mp_raise_type(L, arg, "max: number");
    lua_Number max = lua_tonumber(L, arg);
    if (!(max >= 1))
        mp_raise(L, arg,
                 "max: got %s, expected how many reports to take, at least 1",
                 mp_fault_show(L, arg, shown));
    return max < most ? (int)max : most;
}

static int poll(lua_State *L) {
    const mp_client *client = mp_handle_client(L);
    int max = check_max(L, 2);
    if (!client->project)
        return mp_fail_closed(L);
    mp_report *report = push_report(L);
    lua_newtable(L);
    for (int n = 1; n <= max; n++) {
        /* A finaliser that ran meanwhile may have let the project go. */
        if (!client->project ||
            !mp_project_take_report(client->project, report))
            break;
        push_report_table(L, report);
        lua_rawseti(L, -2, n);
        mp_report_free(report);
    }
    return 1;
}

const luaL_Reg mp_outcomes_methods[] = {
    {"stats", stats},
    {"poll", poll},
    {NULL, NULL},
};
