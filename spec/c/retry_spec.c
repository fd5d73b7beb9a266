#include "core/wire/retry.h"
#include "unit.h"

enum {
    MINUTE = 60 * 1000,
    HOUR = 60 * MINUTE
};

/* The first answer of this kind to a batch of ten. */
static mp_attempt first(mp_result result) {
    return (mp_attempt){
        .result = result,
        .records = 10,
        .server_errors = result == MP_RESULT_SERVER_ERROR,
        .unreadable = result == MP_RESULT_UNREADABLE,
        .max_delay_ms = MINUTE,
        .proven = true,
    };
}

static mp_action action(mp_result result) {
    mp_attempt attempt = first(result);
    return mp_retry(&attempt).action;
}

static int64_t delay(uint32_t failures, double random, int64_t max_ms) {
    mp_attempt attempt = first(MP_RESULT_BUSY);
    attempt.failures = failures;
    attempt.random = random;
    attempt.max_delay_ms = max_ms;
    return mp_retry(&attempt).delay_ms;
}

static int64_t delay_asked(mp_result result, int64_t retry_after_ms) {
    mp_attempt attempt = first(result);
    attempt.retry_after_ms = retry_after_ms;
    return mp_retry(&attempt).delay_ms;
}

CASE(each_outcome_has_its_action) {
    CHECK(action(MP_RESULT_DELIVERED) == MP_DO_DELIVER);
    CHECK(action(MP_RESULT_PARTLY) == MP_DO_DELIVER_PARTLY);
    CHECK(action(MP_RESULT_REFUSED) == MP_DO_HALVE);
    CHECK(action(MP_RESULT_BAD) == MP_DO_HALVE);
    CHECK(action(MP_RESULT_TOO_LARGE) == MP_DO_HALVE);
    CHECK(action(MP_RESULT_REJECTED) == MP_DO_REJECT);
    CHECK(action(MP_RESULT_UNREADABLE) == MP_DO_RETRY);
    CHECK(action(MP_RESULT_UNAUTHORIZED) == MP_DO_PAUSE);
    CHECK(action(MP_RESULT_FORBIDDEN) == MP_DO_PAUSE);
    CHECK(action(MP_RESULT_BUSY) == MP_DO_RETRY);
    CHECK(action(MP_RESULT_SERVER_ERROR) == MP_DO_RETRY);
    CHECK(action(MP_RESULT_NOTHING) == MP_DO_RETRY);
    CHECK(action(MP_RESULT_LOST) == MP_DO_RETRY);
}

CASE(what_is_too_large_alone_waits_until_others_were_taken) {
    mp_attempt attempt = first(MP_RESULT_TOO_LARGE);
    attempt.records = 1;
    mp_decision decision = mp_retry(&attempt);
    CHECK(decision.action == MP_DO_DEFER);
    CHECK(decision.delay_ms == 3000 && decision.defer_ms == 3000);
    attempt.singled_out = true;
    decision = mp_retry(&attempt);
    CHECK(decision.action == MP_DO_HALVE && decision.delay_ms == 0);
}

CASE(what_was_answered_for_good_waits_for_nothing) {
    static const mp_result outcomes[] = {
        MP_RESULT_DELIVERED, MP_RESULT_PARTLY,    MP_RESULT_REFUSED,
        MP_RESULT_BAD,       MP_RESULT_TOO_LARGE, MP_RESULT_REJECTED};
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
        CHECK(delay_asked(outcomes[i], HOUR) == 0);
}

CASE(only_what_may_have_arrived_is_ambiguous) {
    for (int i = MP_RESULT_DELIVERED; i <= MP_RESULT_LOST; i++) {
        mp_attempt attempt = first((mp_result)i);
        CHECK(mp_retry(&attempt).ambiguous ==
              (i == MP_RESULT_SERVER_ERROR || i == MP_RESULT_LOST ||
               i == MP_RESULT_UNREADABLE));
    }
}

CASE(every_failure_that_passes_waits_alike) {
    static const mp_result outcomes[] = {MP_RESULT_UNREADABLE, MP_RESULT_BUSY,
                                         MP_RESULT_SERVER_ERROR,
                                         MP_RESULT_NOTHING, MP_RESULT_LOST};
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
        CHECK(delay_asked(outcomes[i], 0) == 3000);
}

CASE(delays_double_up_to_the_ceiling) {
    static const int64_t base[] = {2000,  4000,  8000,  16000,
                                   32000, 60000, 60000, 60000};
    for (uint32_t i = 0; i < 8; i++)
        CHECK(delay(i, 0, MINUTE) == base[i] + 1000);
    CHECK(delay(63, 0, MINUTE) == 61000);
    CHECK(delay(UINT32_MAX, 0, MINUTE) == 61000);
}

CASE(jitter_is_one_to_five_seconds_always) {
    for (uint32_t failures = 0; failures < 12; failures++) {
        int64_t least = delay(failures, 0, MINUTE);
        int64_t most = delay(failures, 0.999999, MINUTE);
        CHECK(delay(failures, 0.5, MINUTE) == least + 2000);
        CHECK(most - least >= 3999 && most - least <= 4000);
    }
}

CASE(a_ceiling_above_a_minute_is_reached) {
    CHECK(delay(0, 0, 10 * MINUTE) == 3000);
    CHECK(delay(5, 0, 10 * MINUTE) == 65000);
    CHECK(delay(8, 0, 10 * MINUTE) == 513000);
    CHECK(delay(9, 0, 10 * MINUTE) == 601000);
    CHECK(delay(UINT32_MAX, 0, 10 * MINUTE) == 601000);
}

CASE(a_ceiling_below_a_minute_shrinks_start_and_jitter) {
    CHECK(delay(0, 0, MINUTE / 2) == 1500);
    CHECK(delay(0, 0.5, MINUTE / 2) == 2500);
    CHECK(delay(1, 0, MINUTE / 2) == 2500);
    CHECK(delay(9, 0, MINUTE / 2) == 30500);
    CHECK(delay(9, 0.5, MINUTE / 2) == 31500);
    CHECK(delay(0, 0, 600) == 30);
    CHECK(delay(9, 0, 600) == 610);
    CHECK(delay(9, 0.5, 600) == 630);
}

CASE(retry_after_wins_when_longer) {
    CHECK(delay_asked(MP_RESULT_BUSY, 1000) == 3000);
    CHECK(delay_asked(MP_RESULT_BUSY, 2999) == 3000);
    CHECK(delay_asked(MP_RESULT_BUSY, 3001) == 3001);
    CHECK(delay_asked(MP_RESULT_SERVER_ERROR, 2 * MINUTE) == 2 * MINUTE);
}

CASE(retry_after_is_clamped_to_an_hour) {
    CHECK(delay_asked(MP_RESULT_BUSY, HOUR - 1) == HOUR - 1);
    CHECK(delay_asked(MP_RESULT_BUSY, HOUR + 1) == HOUR);
    CHECK(delay_asked(MP_RESULT_BUSY, INT64_MAX) == HOUR);
    CHECK(delay_asked(MP_RESULT_BUSY, -1) == 3000);
}

CASE(a_short_ceiling_does_not_shorten_retry_after) {
    mp_attempt attempt = first(MP_RESULT_BUSY);
    attempt.max_delay_ms = 1000;
    attempt.retry_after_ms = MINUTE;
    CHECK(mp_retry(&attempt).delay_ms == MINUTE);
}

CASE(eight_server_errors_halve_a_batch) {
    mp_attempt attempt = first(MP_RESULT_SERVER_ERROR);
    for (attempt.server_errors = 1; attempt.server_errors < 8;
         attempt.server_errors++)
        CHECK(mp_retry(&attempt).action == MP_DO_RETRY);
    mp_decision decision = mp_retry(&attempt);
    CHECK(decision.action == MP_DO_HALVE);
    CHECK(decision.delay_ms == 3000);
    CHECK(decision.ambiguous);
}

CASE(eight_server_errors_defer_a_single_record) {
    mp_attempt attempt = first(MP_RESULT_SERVER_ERROR);
    attempt.records = 1;
    attempt.server_errors = 7;
    CHECK(mp_retry(&attempt).action == MP_DO_RETRY);
    attempt.server_errors = 8;
    attempt.retry_after_ms = MINUTE;
    CHECK(mp_retry(&attempt).action == MP_DO_DEFER);
    CHECK(mp_retry(&attempt).defer_ms == MINUTE);
    CHECK(mp_retry(&attempt).delay_ms == MINUTE);
    attempt.server_errors = 80;
    CHECK(mp_retry(&attempt).action == MP_DO_DEFER);
}

CASE(a_deferred_record_waits_longer_each_time_but_not_the_lane) {
    static const int64_t aside[] = {3000,  5000,  9000, 17000,
                                    33000, 61000, 61000};
    mp_attempt attempt = first(MP_RESULT_SERVER_ERROR);
    attempt.records = 1;
    for (uint32_t i = 0; i < 7; i++) {
        attempt.server_errors = 8 + i;
        CHECK(mp_retry(&attempt).defer_ms == aside[i]);
        CHECK(mp_retry(&attempt).delay_ms == 0);
    }
}

CASE(other_failures_never_halve) {
    mp_attempt attempt = first(MP_RESULT_LOST);
    attempt.server_errors = 100;
    attempt.failures = 100;
    CHECK(mp_retry(&attempt).action == MP_DO_RETRY);
    attempt.result = MP_RESULT_BUSY;
    CHECK(mp_retry(&attempt).action == MP_DO_RETRY);
}

CASE(trust_decides_what_403_and_404_mean) {
    mp_attempt attempt = first(MP_RESULT_FORBIDDEN);
    CHECK(mp_retry(&attempt).action == MP_DO_PAUSE);
    CHECK(mp_retry(&attempt).delay_ms == MINUTE);
    attempt.trusted = true;
    CHECK(mp_retry(&attempt).action == MP_DO_HALVE);
    CHECK(mp_retry(&attempt).delay_ms == 0);
    attempt.records = 1;
    CHECK(mp_retry(&attempt).action == MP_DO_DEFER);
    CHECK(mp_retry(&attempt).delay_ms == 0);
    CHECK(mp_retry(&attempt).defer_ms == MINUTE);
    attempt.singled_out = true;
    CHECK(mp_retry(&attempt).action == MP_DO_HALVE);
    attempt.result = MP_RESULT_UNAUTHORIZED;
    CHECK(mp_retry(&attempt).action == MP_DO_PAUSE);
}

CASE(on_an_unproven_route_foreign_answers_pause) {
    static const mp_result outcomes[] = {MP_RESULT_UNREADABLE,
                                         MP_RESULT_FOREIGN, MP_RESULT_REFUSED};
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
        mp_attempt attempt = first(outcomes[i]);
        attempt.foreign = true;
        CHECK(mp_retry(&attempt).action != MP_DO_PAUSE);
        attempt.proven = false;
        CHECK(mp_retry(&attempt).action == MP_DO_PAUSE);
        CHECK(mp_retry(&attempt).delay_ms == MINUTE);
    }
}

CASE(eight_foreign_answers_halve_a_batch_and_defer_a_record) {
    mp_attempt attempt = first(MP_RESULT_FOREIGN);
    attempt.foreign = true;
    attempt.server_errors = 7;
    CHECK(mp_retry(&attempt).action == MP_DO_RETRY);
    CHECK(!mp_retry(&attempt).ambiguous);
    attempt.server_errors = 8;
    CHECK(mp_retry(&attempt).action == MP_DO_HALVE);
    CHECK(mp_retry(&attempt).delay_ms == 3000);
    attempt.records = 1;
    CHECK(mp_retry(&attempt).action == MP_DO_DEFER);
}

CASE(the_third_unreadable_response_pauses) {
    mp_attempt attempt = first(MP_RESULT_UNREADABLE);
    attempt.unreadable = 2;
    CHECK(mp_retry(&attempt).action == MP_DO_RETRY);
    attempt.unreadable = 3;
    CHECK(mp_retry(&attempt).action == MP_DO_PAUSE);
    CHECK(mp_retry(&attempt).delay_ms == MINUTE);
    attempt.unreadable = 4;
    CHECK(mp_retry(&attempt).action == MP_DO_PAUSE);
}

CASE(a_pause_lasts_max_retry_delay) {
    mp_attempt attempt = first(MP_RESULT_UNAUTHORIZED);
    attempt.max_delay_ms = 7000;
    attempt.random = 0.9;
    attempt.failures = 5;
    CHECK(mp_retry(&attempt).delay_ms == 7000);
}

int main(void) {
    RUN(each_outcome_has_its_action);
    RUN(what_is_too_large_alone_waits_until_others_were_taken);
    RUN(what_was_answered_for_good_waits_for_nothing);
    RUN(only_what_may_have_arrived_is_ambiguous);
    RUN(every_failure_that_passes_waits_alike);
    RUN(delays_double_up_to_the_ceiling);
    RUN(jitter_is_one_to_five_seconds_always);
    RUN(a_ceiling_above_a_minute_is_reached);
    RUN(a_ceiling_below_a_minute_shrinks_start_and_jitter);
    RUN(retry_after_wins_when_longer);
    RUN(retry_after_is_clamped_to_an_hour);
    RUN(a_short_ceiling_does_not_shorten_retry_after);
    RUN(eight_server_errors_halve_a_batch);
    RUN(eight_server_errors_defer_a_single_record);
    RUN(a_deferred_record_waits_longer_each_time_but_not_the_lane);
    RUN(other_failures_never_halve);
    RUN(trust_decides_what_403_and_404_mean);
    RUN(on_an_unproven_route_foreign_answers_pause);
    RUN(eight_foreign_answers_halve_a_batch_and_defer_a_record);
    RUN(the_third_unreadable_response_pauses);
    RUN(a_pause_lasts_max_retry_delay);
    return unit_result();
}
