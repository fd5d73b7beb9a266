/* When definitions of flags are asked for, on virtual time. */
#include "core/flags/flag_poll.h"

#include "unit.h"

enum {
    INTERVAL = 60 * 1000
};

static mp_flag_poll wanted(void) {
    return (mp_flag_poll){
        .wanted = true, .interval_ms = INTERVAL, .rng = {.state = 1}};
}

static bool is_about(int64_t ms, int64_t expected) {
    return ms >= expected * 9 / 10 - 1 && ms <= expected * 11 / 10 + 1;
}

CASE(an_interval_lies_between_answers) {
    mp_flag_poll poll = wanted();
    int64_t least = INT64_MAX, most = 0;
    for (int i = 0; i < 1000; i++) {
        mp_flag_poll_succeed(&poll, 5);
        int64_t due = mp_flag_poll_due(&poll) - 5;
        CHECK(is_about(due, INTERVAL));
        least = due < least ? due : least;
        most = due > most ? due : most;
    }
    CHECK(least < INTERVAL * 92 / 100 && most > INTERVAL * 108 / 100);
}

CASE(failures_wait_longer_and_longer) {
    mp_flag_poll poll = wanted();
    int64_t expected = 1000;
    for (int i = 0; i < 100; i++) {
        mp_flag_poll_fail(&poll, 0, 7);
        CHECK(is_about(mp_flag_poll_due(&poll) - 7, expected));
        expected = 2 * expected < INTERVAL ? 2 * expected : INTERVAL;
    }
    mp_flag_poll_succeed(&poll, 0);
    mp_flag_poll_fail(&poll, 0, 0);
    CHECK(is_about(mp_flag_poll_due(&poll), 1000));
}

CASE(a_server_is_obeyed_for_an_hour) {
    mp_flag_poll poll = wanted();
    mp_flag_poll_fail(&poll, 120 * 1000, 0);
    CHECK(mp_flag_poll_due(&poll) == 120 * 1000);
    mp_flag_poll_fail(&poll, INT64_MAX, 0);
    CHECK(mp_flag_poll_due(&poll) == 60 * 60 * 1000);
    poll.failures = 10;
    mp_flag_poll_fail(&poll, 1, 0); /* less than is waited anyway */
    CHECK(is_about(mp_flag_poll_due(&poll), INTERVAL));
}

CASE(nothing_is_due_that_nobody_wants) {
    mp_flag_poll poll = wanted();
    poll.wanted = false;
    CHECK(mp_flag_poll_due(&poll) == INT64_MAX);
    poll.refresh = true;
    CHECK(mp_flag_poll_due(&poll) < 0);
    poll.under_way = true;
    CHECK(mp_flag_poll_due(&poll) == INT64_MAX);
}

int main(void) {
    RUN(an_interval_lies_between_answers);
    RUN(failures_wait_longer_and_longer);
    RUN(a_server_is_obeyed_for_an_hour);
    RUN(nothing_is_due_that_nobody_wants);
    return unit_result();
}
