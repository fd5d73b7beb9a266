/* What to do after a reply: a pure function of what was said, of what went
 * before and of a random number. */
#ifndef MP_RETRY_H
#define MP_RETRY_H

#include <stdbool.h>
#include <stdint.h>

/* What a reply, or its absence, says of the records of a request. */
typedef enum mp_result {
    MP_RESULT_DELIVERED,    /* all were taken */
    MP_RESULT_PARTLY,       /* the reply names those that were refused */
    MP_RESULT_REFUSED,      /* 200, yet some or all were refused, unnamed */
    MP_RESULT_BAD,          /* 400 that does not say which */
    MP_RESULT_TOO_LARGE,    /* 413 */
    MP_RESULT_REJECTED,     /* another 4xx of Mixpanel: these, for good */
    MP_RESULT_FOREIGN,      /* another 4xx that Mixpanel did not write */
    MP_RESULT_UNREADABLE,   /* 2xx that no Mixpanel host sends */
    MP_RESULT_UNAUTHORIZED, /* 401, 407, 3xx, a certificate that does not
                             * verify: the configuration is wrong */
    MP_RESULT_FORBIDDEN,    /* 403, 404, or a 400 that Mixpanel did not write:
                             * the configuration, or one body */
    MP_RESULT_BUSY,         /* 408, 429: not taken, come back later */
    MP_RESULT_SERVER_ERROR, /* 5xx: may have been taken */
    MP_RESULT_NOTHING,      /* no reply, the request never arrived whole */
    MP_RESULT_LOST          /* no reply to a request that may have arrived */
} mp_result;

typedef enum mp_action {
    MP_DO_DELIVER,
    MP_DO_DELIVER_PARTLY, /* reject the named ones, deliver the others */
    MP_DO_HALVE,          /* find the culprits; a record alone is rejected */
    MP_DO_REJECT,
    MP_DO_RETRY, /* the same bytes after delay_ms */
    MP_DO_DEFER, /* a record alone that may be at fault: behind the others */
    MP_DO_PAUSE  /* keep the records, leave the route alone for delay_ms */
} mp_action;

typedef struct mp_attempt {
    mp_result result;
    uint32_t records;       /* in the request */
    uint32_t failures;      /* in a row before this one */
    uint32_t server_errors; /* on this batch, this one included: 5xx and
                             * MP_RESULT_FOREIGN */
    uint32_t unreadable;    /* in a row on this route, this one included */
    bool foreign;           /* Mixpanel did not write this */
    bool proven;            /* it wrote one that came by this route */
    bool trusted;           /* the route was answered 200 before */
    bool singled_out;       /* others were taken since this was last
                             * forbidden, or was too large */
    int64_t retry_after_ms; /* 0: none */
    int64_t max_delay_ms;   /* max_retry_delay */
    double random;          /* [0, 1) */
} mp_attempt;

typedef struct mp_decision {
    mp_action action;
    int64_t delay_ms; /* before the route goes on; 0: at once */
    int64_t defer_ms; /* before a deferred record is tried again; else 0 */
    bool ambiguous;   /* the records may have been taken all the same */
} mp_decision;

mp_decision mp_retry(const mp_attempt *attempt);

#endif
