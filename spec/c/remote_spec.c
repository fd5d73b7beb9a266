/* Contexts that Mixpanel decides for, on virtual time. */
#include "core/flags/remote.h"
#include "core/record/parse.h"

#include "failing.h"
#include "unit.h"

#include <stdio.h>

static const mp_remote_options options = {
    .ttl_ms = 60000, .timeout_ms = 5000, .contexts = 100};

static mp_remote *make(uint32_t contexts) {
    mp_remote_options other = options;
    other.contexts = contexts;
    mp_remote *remote = mp_remote_new(7);
    CHECK(remote);
    mp_remote_configure(remote, &other);
    return remote;
}

static mp_variants *answer(void) {
    static const char text[] =
        "{\"flags\":{\"a\":{\"variant_key\":\"on\",\"variant_value\":1}}}";
    mp_variants_times times = {0};
    mp_variants *variants = NULL;
    char message[MP_MESSAGE];
    CHECK(mp_variants_read(text, sizeof text - 1, &times, &variants, message) ==
          MP_OK);
    return variants;
}

static uint64_t ask(mp_remote *remote, const char *context, int64_t now_ms) {
    uint64_t id = 0;
    CHECK(mp_remote_ask(remote, context, strlen(context), now_ms, &id) ==
          MP_OK);
    return id;
}

static uint64_t ask_number(mp_remote *remote, int number, int64_t now_ms) {
    char context[32];
    snprintf(context, sizeof context, "{\"distinct_id\":\"%d\"}", number);
    return ask(remote, context, now_ms);
}

/* What is known, without a reference. */
static mp_remote_view look(mp_remote *remote, uint64_t id, int64_t now_ms) {
    mp_remote_view view;
    CHECK(mp_remote_look(remote, id, now_ms, &view));
    mp_variants_drop(view.variants);
    return view;
}

CASE(equal_contexts_are_asked_for_once) {
    mp_remote *remote = make(100);
    uint64_t id = ask(remote, "{}", 0);
    CHECK(ask(remote, "{}", 0) == id);
    const mp_fetch *fetch = mp_remote_next(remote, 0, 1);
    CHECK(fetch && strcmp(fetch->context, "{}") == 0 &&
          fetch->timeout_ms == 10000 && mp_remote_asked_ms(fetch) == 1);
    CHECK(ask(remote, "{}", 5) == id && !mp_remote_waits(remote));
    CHECK(!mp_remote_next(remote, 5, 6));
    CHECK(look(remote, id, 5).pending);
    mp_remote_succeed(remote, fetch, answer(), 10);
    mp_remote_view view = look(remote, id, 10);
    CHECK(!view.pending && view.fresh && view.variants && !view.failure[0]);
    mp_remote_free(remote);
}

CASE(an_answer_is_fresh_for_the_ttl_and_serves_for_a_day) {
    mp_remote *remote = make(100);
    int64_t day_ms = INT64_C(24) * 60 * 60 * 1000;
    uint64_t id = ask(remote, "{}", 0);
    mp_remote_succeed(remote, mp_remote_next(remote, 0, 0), answer(), 10);
    ask(remote, "{}", 10 + options.ttl_ms - 1);
    CHECK(!mp_remote_waits(remote));
    ask(remote, "{}", 10 + options.ttl_ms);
    CHECK(mp_remote_waits(remote));
    mp_remote_view view = look(remote, id, 10 + options.ttl_ms);
    CHECK(view.variants && !view.fresh && view.pending);
    CHECK(look(remote, id, 9 + day_ms).variants);
    CHECK(!look(remote, id, 10 + day_ms).variants);
    mp_remote_free(remote);
}

CASE(few_requests_are_under_way_at_once) {
    mp_remote *remote = make(100);
    const mp_fetch *first = NULL;
    for (int i = 0; i < 20; i++)
        ask_number(remote, i, 0);
    for (int i = 0; i < MP_REMOTE_AT_ONCE; i++) {
        const mp_fetch *fetch = mp_remote_next(remote, 0, 0);
        CHECK(fetch);
        first = first ? first : fetch;
    }
    CHECK(strcmp(first->context, "{\"distinct_id\":\"0\"}") == 0);
    CHECK(!mp_remote_next(remote, 0, 0) && mp_remote_waits(remote));
    mp_remote_succeed(remote, first, answer(), 1);
    CHECK(mp_remote_next(remote, 1, 1) && !mp_remote_next(remote, 1, 1));
    mp_remote_free(remote);
}

CASE(the_context_used_longest_ago_makes_room) {
    mp_remote *remote = make(3);
    mp_remote_view view;
    uint64_t ids[4];
    for (int i = 0; i < 3; i++) {
        ids[i] = ask_number(remote, i, 0);
        mp_remote_succeed(remote, mp_remote_next(remote, 0, 0), answer(), 0);
    }
    CHECK(ask_number(remote, 0, 1) == ids[0]); /* used */
    ids[3] = ask_number(remote, 3, 1);
    CHECK(!mp_remote_look(remote, ids[1], 1, &view));
    CHECK(look(remote, ids[0], 1).variants && look(remote, ids[3], 1).pending);
    CHECK(!mp_remote_look(remote, 0, 1, &view) &&
          !mp_remote_look(remote, UINT64_MAX, 1, &view));
    mp_remote_free(remote);
}

CASE(what_is_asked_for_never_makes_room) {
    mp_remote *remote = make(2);
    uint64_t id;
    ask_number(remote, 0, 0);
    ask_number(remote, 1, 0);
    const mp_fetch *fetch = mp_remote_next(remote, 0, 0);
    CHECK(mp_remote_ask(remote, "{}", 2, 0, &id) == MP_QUEUE_FULL);
    mp_remote_succeed(remote, fetch, answer(), 0);
    CHECK(mp_remote_ask(remote, "{}", 2, 0, &id) == MP_OK);
    mp_remote_free(remote);
}

CASE(what_is_waited_for_does_not_either) {
    mp_remote *remote = make(1);
    mp_remote_view view;
    uint64_t other, id = ask(remote, "{}", 0);
    mp_remote_hold(remote, id);
    mp_remote_hold(remote, id);
    mp_remote_succeed(remote, mp_remote_next(remote, 0, 0), answer(), 0);
    CHECK(mp_remote_ask(remote, "[]", 2, 0, &other) == MP_QUEUE_FULL);
    mp_remote_let_go(remote, id);
    CHECK(mp_remote_ask(remote, "[]", 2, 0, &other) == MP_QUEUE_FULL);
    mp_remote_let_go(remote, id);
    CHECK(mp_remote_ask(remote, "[]", 2, 0, &other) == MP_OK);
    CHECK(!mp_remote_look(remote, id, 0, &view));
    mp_remote_let_go(remote, id); /* which nobody knows any more */
    mp_remote_free(remote);
}

CASE(after_a_failure_nobody_asks_for_longer_and_longer) {
    mp_remote *remote = make(100);
    int64_t now_ms = 0, expected_ms = 1000;
    uint64_t id = ask(remote, "{}", now_ms);
    mp_remote_succeed(remote, mp_remote_next(remote, 0, 0), answer(), 0);
    now_ms = options.ttl_ms;
    for (int i = 0; i < 20; i++) {
        ask(remote, "{}", now_ms);
        uint64_t other = ask_number(remote, i, now_ms);
        mp_remote_fail(remote, mp_remote_next(remote, now_ms, 0), false, "no",
                       0, now_ms);
        CHECK(!mp_remote_waits(remote)); /* the other has failed with it */
        mp_remote_view view = look(remote, other, now_ms);
        CHECK(!view.pending && !view.variants);
        CHECK(strcmp(view.failure, "no") == 0);
        CHECK(look(remote, id, now_ms).variants); /* which still serves */
        ask(remote, "{}", now_ms + expected_ms * 9 / 10 - 1);
        CHECK(!mp_remote_waits(remote));
        now_ms += expected_ms * 11 / 10 + 1;
        expected_ms = 2 * expected_ms < 60000 ? 2 * expected_ms : 60000;
    }
    uint64_t unknown = ask(remote, "{\"new\":1}", now_ms - 60000);
    CHECK(strcmp(look(remote, unknown, now_ms).failure, "no") == 0);
    ask(remote, "{}", now_ms);
    mp_remote_fail(remote, mp_remote_next(remote, now_ms, 0), false, "busy",
                   300000, now_ms);
    ask(remote, "{}", now_ms + 300000 - 1);
    CHECK(!mp_remote_waits(remote));
    ask(remote, "{}", now_ms + 300000);
    mp_remote_succeed(remote, mp_remote_next(remote, now_ms, 0), answer(),
                      now_ms + 300000);
    CHECK(look(remote, id, now_ms + 300000).fresh);
    ask_number(remote, 0, now_ms + 300000);
    CHECK(mp_remote_waits(remote));
    mp_remote_free(remote);
}

CASE(requests_that_fail_together_count_once) {
    mp_remote *remote = make(100);
    const mp_fetch *fetches[4];
    for (int i = 0; i < 4; i++)
        ask_number(remote, i, 0);
    for (int i = 0; i < 4; i++)
        fetches[i] = mp_remote_next(remote, 0, 0);
    for (int i = 0; i < 4; i++)
        mp_remote_fail(remote, fetches[i], false, "no", 0, 10 + i);
    ask_number(remote, 0, 10 + 1100);
    CHECK(mp_remote_waits(remote));
    mp_remote_free(remote);
}

CASE(a_wrong_context_fails_alone) {
    mp_remote *remote = make(100);
    uint64_t id = ask(remote, "{}", 0);
    mp_remote_fail(remote, mp_remote_next(remote, 0, 0), true, "bad", 0, 0);
    CHECK(strcmp(look(remote, id, 0).failure, "bad") == 0);
    ask(remote, "{}", 800);
    CHECK(!mp_remote_waits(remote));
    ask_number(remote, 0, 0);
    CHECK(mp_remote_waits(remote));
    mp_remote_free(remote);
}

CASE(a_child_asks_anew) {
    mp_remote *remote = make(100);
    uint64_t queued, under_way = ask_number(remote, 0, 0);
    CHECK(mp_remote_next(remote, 0, 0));
    queued = ask_number(remote, 1, 0);
    mp_remote_in_child(remote);
    CHECK(!look(remote, queued, 0).pending &&
          !look(remote, under_way, 0).pending);
    CHECK(ask_number(remote, 0, 0) == under_way && mp_remote_waits(remote));
    mp_remote_stats stats;
    mp_remote_stats_get(remote, &stats);
    CHECK(stats.contexts == 2 && stats.pending == 1 && stats.requests == 0);
    mp_remote_free(remote);
}

/* Out of memory wherever that can be: an error, and nothing leaks. */
CASE(memory_may_run_out) {
    static const char text[] =
        "{\"flags\":{\"a\":{\"variant_key\":\"on\",\"variant_value\":[1,{}]}}}";
    mp_variants_times times = {0};
    char message[MP_MESSAGE];
    bool failed = true;
    for (long i = 1; failed; i++) {
        mp_remote *remote = make(100);
        mp_variants *variants = NULL;
        uint64_t id = 0;
        failing_arm(FAILING_OWN, i, 1);
        mp_err asked = mp_remote_ask(remote, "{}", 2, 0, &id);
        mp_err err =
            mp_variants_read(text, sizeof text - 1, &times, &variants, message);
        failed = failing_disarm();
        CHECK(asked == MP_OK || (failed && asked == MP_MEMORY));
        CHECK(err == MP_OK || (failed && err == MP_MEMORY));
        CHECK((err == MP_OK) == (variants != NULL));
        const mp_fetch *fetch = mp_remote_next(remote, 0, 0);
        CHECK((asked == MP_OK) == (fetch != NULL));
        if (fetch && variants)
            mp_remote_succeed(remote, fetch, variants, 0);
        else
            mp_variants_drop(variants);
        mp_remote_free(remote);
    }
}

CASE(an_answer_that_is_none_is_refused) {
    static const char *const bad[] = {
        "",
        "no",
        "[]",
        "{}",
        "{\"flags\":[]}",
        "{\"flags\":null}",
        "{\"flags\":",
    };
    mp_variants_times times = {0};
    mp_variants *variants;
    char message[MP_MESSAGE];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(mp_variants_read(bad[i], strlen(bad[i]), &times, &variants,
                               message) == MP_INVALID);
        CHECK(strncmp(message, "/flags: ", 8) == 0);
    }
}

CASE(what_is_no_variant_is_left_out) {
    static const char text[] =
        "{\"flags\":{\"a\":1,\"b\":{},\"c\":{\"variant_key\":2},"
        "\"d\":{\"variant_key\":\"x\",\"variant_value\":9007199254740993}}}";
    mp_variants_times times = {1, 2};
    mp_variants *variants;
    char message[MP_MESSAGE];
    CHECK(mp_variants_read(text, sizeof text - 1, &times, &variants, message) ==
          MP_OK);
    CHECK(mp_variants_all(variants)->len == 1);
    CHECK(!mp_variants_find(variants, "a", 1));
    const mp_value *value = mp_value_member(mp_variants_find(variants, "d", 1),
                                            "variant_value", 13);
    CHECK(value && value->as.integer == INT64_C(9007199254740993));
    CHECK(mp_variants_when(variants).came_ms == 2);
    mp_variants_drop(variants);
}

int main(void) {
    mp_parse_set_up(1);
    RUN(equal_contexts_are_asked_for_once);
    RUN(an_answer_is_fresh_for_the_ttl_and_serves_for_a_day);
    RUN(few_requests_are_under_way_at_once);
    RUN(the_context_used_longest_ago_makes_room);
    RUN(what_is_asked_for_never_makes_room);
    RUN(what_is_waited_for_does_not_either);
    RUN(after_a_failure_nobody_asks_for_longer_and_longer);
    RUN(requests_that_fail_together_count_once);
    RUN(a_wrong_context_fails_alone);
    RUN(a_child_asks_anew);
    RUN(memory_may_run_out);
    RUN(an_answer_that_is_none_is_refused);
    RUN(what_is_no_variant_is_left_out);
    return unit_result();
}
