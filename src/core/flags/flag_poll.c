#include "core/flags/flag_poll.h"

enum {
    FIRST_MS = 1000,
    LONG_MS = 60 * 1000,
    BELIEVED_MS = 60 * 60 * 1000,
    DOUBLED = 16 /* times, at the most, so that nothing overflows */
};

int64_t mp_flag_poll_due(const mp_flag_poll *poll) {
    if (poll->under_way)
        return INT64_MAX;
    if (poll->refresh)
        return INT64_MIN;
    return poll->wanted ? poll->due_ms : INT64_MAX;
}

/* Give or take a tenth. */
static int64_t jitter(mp_flag_poll *poll, int64_t ms) {
    return (int64_t)((double)ms * (0.9 + 0.2 * mp_rng_unit(&poll->rng)));
}

void mp_flag_poll_rest(mp_flag_poll *poll, int64_t now_ms) {
    poll->due_ms = now_ms + jitter(poll, poll->interval_ms);
}

void mp_flag_poll_succeed(mp_flag_poll *poll, int64_t now_ms) {
    poll->under_way = false;
    poll->failures = 0;
    mp_flag_poll_rest(poll, now_ms);
}

void mp_flag_poll_fail(mp_flag_poll *poll, int64_t retry_after_ms,
                       int64_t now_ms) {
    uint32_t doubled = poll->failures < DOUBLED ? poll->failures : DOUBLED;
    int64_t most_ms = poll->interval_ms > LONG_MS ? poll->interval_ms : LONG_MS;
    int64_t wait_ms = (int64_t)FIRST_MS << doubled;
    wait_ms = jitter(poll, wait_ms < most_ms ? wait_ms : most_ms);
    if (retry_after_ms > BELIEVED_MS)
        retry_after_ms = BELIEVED_MS;
    poll->under_way = false;
    poll->failures++;
    poll->due_ms =
        now_ms + (wait_ms > retry_after_ms ? wait_ms : retry_after_ms);
}
