/* A feature flag as Mixpanel defines it, compiled. Open for reading; nobody
 * changes one. */
#ifndef MP_FLAG_H
#define MP_FLAG_H

#include "core/flags/rule.h"

typedef struct mp_variant {
    mp_value key; /* a text */
    mp_value value;
    double share; /* of 1, unless the rollout says otherwise */
} mp_variant;

/* A share of the users, and which variants they get. */
typedef struct mp_rollout {
    mp_value salt;            /* text behind that of the user, for the hash */
    double percentage;        /* of 1 */
    const mp_rule *rule;      /* that has to hold; NULL: none */
    const mp_value *equals;   /* an object of texts that the properties have to
                                 equal, as definitions had it before rules;
                                 NULL: none */
    const mp_variant *always; /* the variant for all; NULL: none */
    const double *bounds;     /* where the share of each variant ends */
} mp_rollout;

/* Somebody who gets a variant whatever the rollouts say. */
typedef struct mp_test_user {
    mp_value id; /* a text */
    const mp_variant *variant;
} mp_test_user;

typedef struct mp_flag {
    mp_value key;       /* a text */
    mp_value attribute; /* name of what the hash is taken of, a text */
    /* A text and a boolean, or null, or undefined, as they were given. */
    mp_value experiment_id, is_experiment_active;
    const mp_variant *variants; /* at least one, ordered by the bytes of keys */
    const mp_rollout *rollouts; /* the first that fits decides */
    const mp_test_user *users;  /* ordered by mp_value_order */
    uint32_t variant_count, rollout_count, user_count;
    mp_value variant_salt;
    mp_rule_reads reads; /* what its rules read of the custom properties */
} mp_flag;

/* True if the rules may read the property of a name in lower case; whoever
 * evaluates the flag can leave out all others. */
bool mp_flag_reads(const mp_flag *flag, const char *name, size_t len);

/* True if the rules read no property at all. */
bool mp_flag_reads_nothing(const mp_flag *flag);

/* Compiles a flag from its JSON, into memory of the arena. MP_MEMORY; or
 * MP_INVALID, and the message says what is wrong. A rule of too many levels
 * makes a rollout for nobody: `message` says so, "" otherwise, and the flag
 * is good. */
mp_err mp_flag_compile(json_t *json, mp_arena *arena, mp_flag *flag,
                       char message[MP_MESSAGE]);

#endif
