/* Which variant of a flag somebody gets: the algorithm of all of Mixpanel's
 * server SDKs. */
#ifndef MP_DECIDE_H
#define MP_DECIDE_H

#include "core/flags/flag.h"

/* Whom the decision is about. */
typedef struct mp_subject {
    mp_value attribute;   /* text of what the flag names; undefined: none */
    mp_value distinct_id; /* a text; undefined: none */
    /* The custom properties, keys and texts in lower case; NULL: there are
     * none, and no rule holds. */
    const mp_value *properties;
} mp_subject;

/* Why there is no variant. */
typedef enum mp_flag_reason {
    MP_FLAG_DECIDED,
    MP_FLAG_NOT_READY, /* no definitions yet */
    MP_FLAG_NOT_FOUND,
    MP_FLAG_NO_ATTRIBUTE, /* the context has not what the flag names */
    MP_FLAG_NO_ROLLOUT,
    MP_FLAG_BAD_CONTEXT, /* it holds what no rule could look at, or what
                            Mixpanel is not asked with */
    MP_FLAG_NO_ANSWER,   /* Mixpanel, who decides, said nothing of use */
    MP_FLAG_REASONS
} mp_flag_reason;

typedef struct mp_flag_decision {
    mp_flag_reason reason;
    const mp_variant *variant; /* of the flag; NULL: none */
    bool is_test_user;
    /* MP_RULE_ERROR or MP_RULE_LIMIT if that was the result of a rule, which
     * counts as false. */
    mp_rule_result rule_fault;
} mp_flag_decision;

/* What the rules take from the arena is not needed afterwards. Allocates
 * nothing else. Thread: any. */
mp_flag_decision mp_decide(const mp_flag *flag, const mp_subject *subject,
                           mp_arena *arena);

/* The share of 1 that a text and its salt fall on: 0, 0.01, … 0.99. */
double mp_decide_share(const mp_value *text, const mp_value *salt);

/* The name of a reason as the SDKs have it, such as "FLAG_NOT_FOUND". */
const char *mp_flag_reason_name(mp_flag_reason reason);

#endif
