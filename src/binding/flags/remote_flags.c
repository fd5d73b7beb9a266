#include "binding/flags/remote_flags.h"

#include "binding/flags/flag_arguments.h"
#include "binding/flags/flag_exposure.h"
#include "binding/flags/flag_value.h"
#include "binding/flags/flags_handle.h"
#include "binding/flags/read_context.h"
#include "binding/lua/argument.h"

#include "core/engine/engine.h"
#include "core/os/clock.h"

#include <stdio.h>
#include <string.h>

enum {
    BY_PROJECT = -1 /* a timeout: the one of the options */
};

/* ---- the answer for a context ---- */

/* What is known of a context. */
typedef struct answer {
    lua_State *L;
    mp_flags_handle *self;
    mp_flag_work *work;    /* has the variants */
    int context;           /* argument */
    mp_flag_reason reason; /* why there are no variants, or MP_FLAG_DECIDED */
    bool fresh, pending;
    char message[MP_MESSAGE]; /* more than the reason says; "": nothing */
} answer;

static void fail(answer *a, mp_flag_reason reason, const char *message) {
    a->reason = reason;
    snprintf(a->message, sizeof a->message, "%s", message);
}

/* The context as JSON in the work. */
static bool write_context(answer *a) {
    mp_flag_work *w = a->work;
    w->json.limit = MP_REMOTE_CONTEXT;
    mp_err err = mp_read_context_json(a->L, a->context, &w->context, &w->json);
    if (err == MP_INVALID)
        fail(a, MP_FLAG_BAD_CONTEXT, w->context.problem);
    else if (err != MP_OK)
        fail(a, MP_FLAG_NO_ANSWER, "out of memory");
    return err == MP_OK;
}

static void take_view(answer *a, bool known, mp_remote_view *view) {
    a->work->variants = view->variants;
    a->fresh = view->fresh;
    a->pending = view->pending;
    if (view->variants)
        fail(a, MP_FLAG_DECIDED, view->failure);
    else if (view->pending)
        fail(a, MP_FLAG_NOT_READY, "");
    else if (!known)
        fail(a, MP_FLAG_NO_ANSWER, "nothing is known of this context");
    else
        fail(a, MP_FLAG_NO_ANSWER, view->failure);
}

/* Has Mixpanel asked for the context of the work, unless the client is closed,
 * and waits at most until `deadline_ms`. False: nothing is known of it. */
static bool ask(answer *a, int64_t deadline_ms, mp_remote_view *view) {
    const mp_client *client = a->self->client;
    const mp_buf *json = &a->work->json;
    uint64_t id;
    mp_err err = MP_CLOSED;
    if (!client->closed)
        err = mp_engine_ask_flags(client->project, json->data, json->len, true,
                                  &id, a->message);
    if (err == MP_OK)
        return mp_flags_await_answer(client->flags, id, deadline_ms, view);
    id = mp_flags_find(client->flags, json->data, json->len);
    return mp_flags_look(client->flags, id, view);
}

/* Finds out; waits for the network at most `timeout_ms`. */
static void find_out(answer *a, int64_t timeout_ms) {
    const mp_client *client = a->self->client;
    mp_remote_view view = {0};
    fail(a, MP_FLAG_NOT_READY, "");
    if (!client->flags || !write_context(a) || !client->flags)
        return; /* collected, the second time by a finaliser */
    if (timeout_ms == BY_PROJECT)
        timeout_ms = mp_flags_timeout_ms(client->flags);
    if (mp_project_config(client->project)->manual)
        timeout_ms = 0; /* only the host can do something about it */
    bool known = ask(a, mp_clock_mono_ms() + timeout_ms, &view);
    if (known || !a->message[0])
        take_view(a, known, &view);
    else
        a->reason = MP_FLAG_NO_ANSWER; /* and the message says why */
}

/* Begins with the context at an argument. Pushes the work. */
static void begin(lua_State *L, int context, int64_t timeout_ms, answer *a) {
    *a = (answer){.L = L, .self = mp_flags_handle_check(L), .context = context};
    mp_read_context_check(L, context);
    a->work = mp_flag_work_take(L, a->self);
    find_out(a, timeout_ms);
}

/* The timeout at an argument, if it is given. */
static int64_t check_timeout(lua_State *L, int arg) {
    return lua_isnoneornil(L, arg) ? BY_PROJECT : mp_argument_timeout(L, arg);
}

static const char *source_of(const answer *a) {
    return a->fresh ? "remote" : "persistence";
}

/* ---- one flag ---- */

/* The variant of the flag at its argument, for the context at argument
 * `context` with a timeout at `timeout`; NULL, and the reason says why. */
static const mp_value *decide(lua_State *L, int context, int timeout,
                              answer *a) {
    size_t len;
    const mp_value *variant = NULL;
    mp_flags_handle_check(L);
    mp_flags_check_key(L);
    begin(L, context, check_timeout(L, timeout), a);
    const char *key = lua_tolstring(L, MP_FLAGS_KEY, &len);
    if (a->reason == MP_FLAG_DECIDED) {
        variant = mp_variants_find(a->work->variants, key, len);
        if (!variant)
            fail(a, MP_FLAG_NOT_FOUND, "");
    }
    if (a->self->client->flags)
        mp_flags_count(a->self->client->flags, a->reason, MP_RULE_FALSE);
    return variant;
}

/* An exposure that cannot be queued is counted, and tried again. */
static void expose(answer *a, const mp_value *variant) {
    lua_State *L = a->L;
    const mp_client *client = a->self->client;
    mp_fault fault;
    mp_value id;
    if (!variant || client->exposure == MP_EXPOSE_NEVER ||
        mp_read_context_id(L, a->context, &a->work->context, &id) != MP_OK ||
        id.kind != MP_VALUE_TEXT)
        return;
    mp_flag_seen seen;
    mp_flags_fill_seen(L, &seen, variant, &id,
                       mp_variants_when(a->work->variants));
    mp_flags_handle_push_client(L);
    mp_err err = mp_flag_expose(L, lua_gettop(L), a->context, &seen, &fault);
    if (err != MP_OK && client->flags)
        mp_flags_fail_exposure(client->flags, mp_err_code(err), fault.reason);
    lua_pop(L, 2);
}

/* get_variant_value(key, fallback, context[, report_exposure[, timeout]]) */
static int get_variant_value(lua_State *L) {
    answer a;
    bool report = mp_flags_check_report(L, 5);
    const mp_value *variant = decide(L, 4, 6, &a);
    if (report)
        expose(&a, variant);
    if (variant) {
        mp_value value = mp_variants_field(variant, "variant_value");
        mp_flag_value_push(L, &value);
    } else {
        lua_pushvalue(L, 3);
    }
    mp_flag_work_give(a.work);
    return 1;
}

static void push_fallback(const answer *a) {
    mp_flag_fallback_push(a->L, 3, a->reason);
    if (!a->message[0])
        return;
    lua_pushstring(a->L, a->message);
    lua_setfield(a->L, -2, "fallback_message");
}

/* get_variant(key, fallback, context[, report_exposure[, timeout]]) */
static int get_variant(lua_State *L) {
    answer a;
    bool report = mp_flags_check_report(L, 5);
    mp_flags_check_fallback(L);
    const mp_value *variant = decide(L, 4, 6, &a);
    if (report)
        expose(&a, variant);
    if (variant)
        mp_flag_answer_push(L, variant, source_of(&a));
    else
        push_fallback(&a);
    mp_flag_work_give(a.work);
    return 1;
}

/* is_enabled(key, context[, report_exposure[, timeout]]) */
static int is_enabled(lua_State *L) {
    answer a;
    bool report = mp_flags_check_report(L, 4);
    const mp_value *variant = decide(L, 3, 5, &a);
    if (report)
        expose(&a, variant);
    mp_value value = variant ? mp_variants_field(variant, "variant_value")
                             : mp_value_undefined();
    mp_flag_work_give(a.work);
    lua_pushboolean(L, value.kind == MP_VALUE_BOOLEAN && value.boolean);
    return 1;
}

/* ---- all flags ---- */

static void push_all(lua_State *L, const mp_variants *variants,
                     const char *source) {
    const mp_value *all = mp_variants_all(variants);
    lua_createtable(L, 0, (int)all->len);
    for (uint32_t i = 0; i < all->len; i++) {
        lua_pushlstring(L, all->as.members[i].key, all->as.members[i].key_len);
        mp_flag_answer_push(L, &all->as.members[i].value, source);
        lua_rawset(L, -3);
    }
}

/* Pushes nil, the reason or what more is known, and a code. */
static int push_failure(answer *a) {
    mp_err err = MP_NETWORK;
    char message[MP_MESSAGE];
    if (a->reason == MP_FLAG_BAD_CONTEXT)
        err = MP_INVALID;
    else if (a->reason == MP_FLAG_NOT_READY)
        err = MP_TIMEOUT;
    if (!a->self->client->flags || a->self->client->closed)
        err = MP_CLOSED;
    if (err == MP_TIMEOUT)
        snprintf(message, sizeof message,
                 "timeout: Mixpanel has not answered yet");
    else if (err == MP_INVALID)
        snprintf(message, sizeof message, "context: %.200s", a->message);
    else
        snprintf(message, sizeof message, "%s", a->message);
    if (a->work)
        mp_flag_work_give(a->work);
    return err == MP_CLOSED ? mp_fail_closed(a->L)
                            : mp_fail(a->L, err, message);
}

/* get_all_variants(context[, timeout]) */
static int get_all_variants(lua_State *L) {
    answer a;
    begin(L, 2, check_timeout(L, 3), &a);
    if (a.reason != MP_FLAG_DECIDED)
        return push_failure(&a);
    push_all(L, a.work->variants, source_of(&a));
    mp_flag_work_give(a.work);
    return 1;
}

/* ---- without waiting ---- */

/* request(context) */
static int request(lua_State *L) {
    answer a = {.L = L, .self = mp_flags_handle_check(L), .context = 2};
    const mp_client *client = a.self->client;
    char message[MP_MESSAGE] = "";
    uint64_t id;
    mp_read_context_check(L, 2);
    a.work = mp_flag_work_take(L, a.self);
    if (client->closed || !write_context(&a) || client->closed)
        return push_failure(&a);
    mp_err err = mp_engine_ask_flags(client->project, a.work->json.data,
                                     a.work->json.len, false, &id, message);
    mp_flag_work_give(a.work);
    if (err != MP_OK)
        return mp_fail(L, err, message);
    lua_pushinteger(L, (lua_Integer)id);
    return 1;
}

/* done(id) */
static int done(lua_State *L) {
    const mp_flags_handle *self = mp_flags_handle_check(L);
    mp_remote_view view = {0};
    uint64_t id = mp_flags_check_id(L);
    if (!self->client->flags)
        return mp_fail_closed(L);
    mp_flags_look(self->client->flags, id, &view);
    mp_variants_drop(view.variants);
    lua_pushboolean(L, !view.pending);
    return 1;
}

/* result(id) */
static int result(lua_State *L) {
    answer a = {.L = L, .self = mp_flags_handle_check(L)};
    const mp_client *client = a.self->client;
    mp_remote_view view;
    uint64_t id = mp_flags_check_id(L);
    if (!client->flags)
        return mp_fail_closed(L);
    a.work = mp_flag_work_take(L, a.self);
    bool known = client->flags && mp_flags_look(client->flags, id, &view);
    if (known && view.pending) {
        mp_variants_drop(view.variants);
        mp_flag_work_give(a.work);
        lua_pushboolean(L, 0);
        return 1;
    }
    if (!known) {
        mp_flag_work_give(a.work);
        return mp_fail(L, MP_INVALID,
                       "id: there is no such request, or its context was "
                       "forgotten for others");
    }
    take_view(&a, known, &view);
    if (a.reason != MP_FLAG_DECIDED)
        return push_failure(&a);
    push_all(L, a.work->variants, source_of(&a));
    mp_flag_work_give(a.work);
    return 1;
}

const luaL_Reg mp_remote_flags_methods[] = {
    {"get_variant", get_variant},
    {"get_variant_value", get_variant_value},
    {"is_enabled", is_enabled},
    {"get_all_variants", get_all_variants},
    {"track_exposure_event", mp_flags_track_exposure},
    {"request", request},
    {"done", done},
    {"result", result},
    {NULL, NULL},
};
