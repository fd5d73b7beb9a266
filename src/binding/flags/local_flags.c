#include "binding/flags/local_flags.h"

#include "binding/flags/flag_arguments.h"
#include "binding/flags/flag_exposure.h"
#include "binding/flags/flag_value.h"
#include "binding/flags/flags_handle.h"
#include "binding/flags/read_context.h"
#include "binding/lua/argument.h"

#include "core/engine/engine.h"
#include "core/os/clock.h"

#include <stdio.h>

enum {
    DEFAULT_WAIT_MS = 10000
};

/* ---- one decision ---- */

typedef struct evaluation {
    lua_State *L;
    mp_flags_handle *self;
    mp_flag_work *work;
    int context; /* argument */
    const mp_flag *flag;
    mp_subject subject;
    mp_flag_decision decision;
    int64_t start_ms;
} evaluation;

static mp_flag_reason decide(evaluation *e, mp_flags *flags) {
    size_t len;
    const char *key = lua_tolstring(e->L, MP_FLAGS_KEY, &len);
    mp_flag_work *w = e->work;
    w->set = flags ? mp_flags_get(flags) : NULL;
    if (!w->set)
        return MP_FLAG_NOT_READY;
    e->flag = mp_flag_set_find(w->set, key, len);
    if (!e->flag)
        return MP_FLAG_NOT_FOUND;
    if (mp_read_context(e->L, e->context, e->flag, &w->context, &e->subject) !=
        MP_OK)
        return MP_FLAG_BAD_CONTEXT;
    e->decision = mp_decide(e->flag, &e->subject, &w->context.arena);
    return e->decision.reason;
}

/* Begins an evaluation of the flag at its argument for the context at argument
 * `context`, and decides. Pushes the work. */
static void evaluate(lua_State *L, int context, evaluation *e) {
    *e = (evaluation){
        .L = L, .self = mp_flags_handle_check(L), .context = context};
    mp_flags_check_key(L);
    mp_read_context_check(L, context);
    mp_flags *flags = mp_flags_handle_start(e->self);
    e->start_ms = mp_clock_coarse_ms();
    e->work = mp_flag_work_take(L, e->self);
    e->decision.reason = decide(e, flags);
    flags = e->self->client->flags; /* none, if a finaliser collected it */
    if (flags)
        mp_flags_count(flags, e->decision.reason, e->decision.rule_fault);
}

static bool is_decided(const evaluation *e) {
    return e->decision.reason == MP_FLAG_DECIDED;
}

/* An exposure that cannot be queued is counted, and tried again. */
static void expose(const evaluation *e) {
    lua_State *L = e->L;
    const mp_flag *flag = e->flag;
    const mp_client *client = e->self->client;
    if (!is_decided(e) || client->exposure == MP_EXPOSE_NEVER ||
        e->subject.distinct_id.kind != MP_VALUE_TEXT)
        return;
    const mp_value *id = &e->subject.distinct_id;
    const mp_value *variant = &e->decision.variant->key;
    mp_flag_seen seen = {
        .exposure = {id->as.text, flag->key.as.text, variant->as.text, id->len,
                     flag->key.len, variant->len},
        .experiment_id = flag->experiment_id,
        .is_experiment_active = flag->is_experiment_active,
        .is_qa_tester = mp_value_boolean(e->decision.is_test_user),
        .start_ms = e->start_ms,
    };
    mp_fault fault;
    mp_flags_handle_push_client(L);
    mp_err err = mp_flag_expose(L, lua_gettop(L), e->context, &seen, &fault);
    if (err != MP_OK && client->flags)
        mp_flags_fail_exposure(client->flags, mp_err_code(err), fault.reason);
    lua_pop(L, 2);
}

/* get_variant_value(key, fallback, context[, report_exposure]) */
static int get_variant_value(lua_State *L) {
    evaluation e;
    bool report = mp_flags_check_report(L, 5);
    evaluate(L, 4, &e);
    if (report)
        expose(&e);
    if (is_decided(&e))
        mp_flag_value_push(L, &e.decision.variant->value);
    else
        lua_pushvalue(L, 3);
    mp_flag_work_give(e.work);
    return 1;
}

/* get_variant(key, fallback, context[, report_exposure]) */
static int get_variant(lua_State *L) {
    evaluation e;
    bool report = mp_flags_check_report(L, 5);
    mp_flags_check_fallback(L);
    evaluate(L, 4, &e);
    if (report)
        expose(&e);
    if (is_decided(&e))
        mp_flag_variant_push(L, e.flag, &e.decision);
    else
        mp_flag_fallback_push(L, 3, e.decision.reason);
    mp_flag_work_give(e.work);
    return 1;
}

/* is_enabled(key, context[, report_exposure]) */
static int is_enabled(lua_State *L) {
    evaluation e;
    bool report = mp_flags_check_report(L, 4);
    evaluate(L, 3, &e);
    if (report)
        expose(&e);
    bool enabled = is_decided(&e) &&
                   e.decision.variant->value.kind == MP_VALUE_BOOLEAN &&
                   e.decision.variant->value.boolean;
    mp_flag_work_give(e.work);
    lua_pushboolean(L, enabled);
    return 1;
}

/* ---- all flags ---- */

/* Adds the variant of a flag, if it has one for the context, to the table at
 * the top. */
static void add_variant(lua_State *L, const mp_client *client, mp_flag_work *w,
                        const mp_flag *flag, mp_subject *subject, mp_err err) {
    mp_flag_decision decision = {.reason = MP_FLAG_BAD_CONTEXT};
    mp_arena_reset(&w->rules);
    if (err == MP_OK &&
        mp_read_context_attribute(L, 2, flag, &w->context, subject) == MP_OK)
        decision = mp_decide(flag, subject, &w->rules);
    if (client->flags)
        mp_flags_count(client->flags, decision.reason, decision.rule_fault);
    if (decision.reason != MP_FLAG_DECIDED)
        return;
    lua_pushlstring(L, flag->key.as.text, flag->key.len);
    mp_flag_variant_push(L, flag, &decision);
    lua_rawset(L, -3);
}

/* get_all_variants(context) */
static int get_all_variants(lua_State *L) {
    mp_flags_handle *self = mp_flags_handle_check(L);
    mp_read_context_check(L, 2);
    mp_flags *flags = mp_flags_handle_start(self);
    mp_flag_work *w = mp_flag_work_take(L, self);
    lua_newtable(L);
    w->set = flags ? mp_flags_get(flags) : NULL;
    if (w->set) {
        mp_subject subject = {.properties = NULL};
        mp_err err = mp_read_context_whole(L, 2, &w->context, &subject);
        for (uint32_t i = 0; i < mp_flag_set_count(w->set); i++)
            add_variant(L, self->client, w, mp_flag_set_at(w->set, i), &subject,
                        err);
    }
    mp_flag_work_give(w);
    return 1;
}

/* ---- polling ---- */

static int are_flags_ready(lua_State *L) {
    mp_flags *flags = mp_flags_handle_start(mp_flags_handle_check(L));
    mp_flag_set *set = flags ? mp_flags_get(flags) : NULL;
    mp_flag_set_drop(set);
    lua_pushboolean(L, set != NULL);
    return 1;
}

/* The client of argument 1 if it is open, else NULL. */
static const mp_client *open_client(lua_State *L) {
    const mp_client *client = mp_flags_handle_check(L)->client;
    return client->closed || !client->flags ? NULL : client;
}

static int start_polling(lua_State *L) {
    const mp_client *client = open_client(L);
    if (!client)
        return mp_fail_closed(L);
    mp_flags_end_stop(client->flags);
    mp_engine_start_flags(client->project);
    lua_pushboolean(L, 1);
    return 1;
}

static int stop_polling(lua_State *L) {
    const mp_client *client = open_client(L);
    if (!client)
        return mp_fail_closed(L);
    mp_flags_stop(client->flags);
    lua_pushboolean(L, 1);
    return 1;
}

typedef mp_err ask(mp_project *project, int64_t timeout_ms,
                   char message[MP_MESSAGE]);

static int await(lua_State *L, ask *function, int64_t timeout_ms) {
    char message[MP_MESSAGE] = "out of memory";
    const mp_client *client = open_client(L);
    if (!lua_isnoneornil(L, 2))
        timeout_ms = mp_argument_timeout(L, 2);
    if (!client)
        return mp_fail_closed(L);
    mp_err err = function(client->project, timeout_ms, message);
    if (err != MP_OK)
        return mp_fail(L, err, message);
    lua_pushboolean(L, 1);
    return 1;
}

/* wait([timeout]) */
static int wait_ready(lua_State *L) {
    return await(L, mp_engine_await_flags, DEFAULT_WAIT_MS);
}

/* refresh([timeout]) */
static int refresh(lua_State *L) {
    return await(L, mp_engine_refresh_flags, 0);
}

const luaL_Reg mp_local_flags_methods[] = {
    {"get_variant", get_variant},
    {"get_variant_value", get_variant_value},
    {"is_enabled", is_enabled},
    {"get_all_variants", get_all_variants},
    {"track_exposure_event", mp_flags_track_exposure},
    {"are_flags_ready", are_flags_ready},
    {"start_polling_for_definitions", start_polling},
    {"stop_polling_for_definitions", stop_polling},
    {"wait", wait_ready},
    {"refresh", refresh},
    {NULL, NULL},
};
