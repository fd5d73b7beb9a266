#include "core/wire/retry.h"

enum {
    /* Mixpanel's advice (docs, import events): start at 2 s, double up to
     * 60 s, add 1 to 5 s of jitter. */
    START_MS = 2000,
    CEILING_MS = 60000,
    JITTER_MIN_MS = 1000,
    JITTER_SPAN_MS = 4000,
    RETRY_AFTER_MAX_MS = 3600 * 1000,
    PATIENCE = 8,  /* such answers before a batch is halved */
    UNREADABLE = 3 /* in a row before the host is not believed any more */
};

/* Jitter comes on top of the ceiling, so that clients that reached it do not
 * fall into step. A lower ceiling shrinks start and jitter with it. */
static int64_t back_off(const mp_attempt *attempt, uint32_t failures) {
    double scale = attempt->max_delay_ms < CEILING_MS
                       ? (double)attempt->max_delay_ms / CEILING_MS
                       : 1.0;
    double delay = START_MS * scale;
    for (uint32_t i = 0; i < failures; i++) {
        delay *= 2;
        if (delay >= (double)attempt->max_delay_ms)
            break;
    }
    if (delay > (double)attempt->max_delay_ms)
        delay = (double)attempt->max_delay_ms;
    delay += (JITTER_MIN_MS + JITTER_SPAN_MS * attempt->random) * scale;
    return (int64_t)delay;
}

static int64_t asked_for(const mp_attempt *attempt) {
    int64_t ms = attempt->retry_after_ms;
    if (ms > RETRY_AFTER_MAX_MS)
        return RETRY_AFTER_MAX_MS;
    return ms > 0 ? ms : 0;
}

static int64_t longer(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static mp_action wait_or_part(const mp_attempt *attempt) {
    if (attempt->server_errors < PATIENCE)
        return MP_DO_RETRY;
    return attempt->records > 1 ? MP_DO_HALVE : MP_DO_DEFER;
}

static mp_action act(const mp_attempt *attempt) {
    switch (attempt->result) {
    case MP_RESULT_DELIVERED:
        return MP_DO_DELIVER;
    case MP_RESULT_PARTLY:
        return MP_DO_DELIVER_PARTLY;
    case MP_RESULT_REFUSED:
        return attempt->foreign && !attempt->proven ? MP_DO_PAUSE : MP_DO_HALVE;
    case MP_RESULT_BAD:
        return MP_DO_HALVE;
    case MP_RESULT_TOO_LARGE:
        return attempt->records > 1 || attempt->singled_out ? MP_DO_HALVE
                                                            : MP_DO_DEFER;
    case MP_RESULT_REJECTED:
        return MP_DO_REJECT;
    case MP_RESULT_UNREADABLE:
        return attempt->proven && attempt->unreadable < UNREADABLE
                   ? MP_DO_RETRY
                   : MP_DO_PAUSE;
    case MP_RESULT_UNAUTHORIZED:
        return MP_DO_PAUSE;
    case MP_RESULT_FORBIDDEN:
        if (!attempt->trusted)
            return MP_DO_PAUSE;
        return attempt->records > 1 || attempt->singled_out ? MP_DO_HALVE
                                                            : MP_DO_DEFER;
    case MP_RESULT_FOREIGN:
        if (!attempt->proven)
            return MP_DO_PAUSE;
        return wait_or_part(attempt);
    case MP_RESULT_SERVER_ERROR:
        return wait_or_part(attempt);
    case MP_RESULT_BUSY:
    case MP_RESULT_NOTHING:
    case MP_RESULT_LOST:
        break;
    }
    return MP_DO_RETRY;
}

mp_decision mp_retry(const mp_attempt *attempt) {
    mp_decision decision = {.action = act(attempt)};
    decision.ambiguous = attempt->result == MP_RESULT_SERVER_ERROR ||
                         attempt->result == MP_RESULT_LOST ||
                         attempt->result == MP_RESULT_UNREADABLE ||
                         (attempt->result == MP_RESULT_REFUSED &&
                          decision.action == MP_DO_PAUSE);
    int64_t asked_ms = asked_for(attempt);
    if (decision.action == MP_DO_PAUSE) {
        decision.delay_ms = attempt->max_delay_ms;
    } else if (attempt->result == MP_RESULT_FORBIDDEN) {
        if (decision.action == MP_DO_DEFER)
            decision.defer_ms = attempt->max_delay_ms;
    } else if (attempt->result == MP_RESULT_TOO_LARGE) {
        /* The host may say so to everything: others show whether it does. */
        if (decision.action == MP_DO_DEFER)
            decision.defer_ms = decision.delay_ms =
                longer(back_off(attempt, attempt->failures), asked_ms);
    } else if (decision.action == MP_DO_DEFER) {
        /* Its own trouble: the route goes on, unless the host said when. */
        uint32_t failures = attempt->server_errors - PATIENCE;
        decision.defer_ms = longer(back_off(attempt, failures), asked_ms);
        decision.delay_ms = asked_ms;
    } else if (decision.action == MP_DO_RETRY ||
               attempt->result == MP_RESULT_SERVER_ERROR ||
               attempt->result == MP_RESULT_FOREIGN) {
        decision.delay_ms =
            longer(back_off(attempt, attempt->failures), asked_ms);
    }
    return decision;
}
