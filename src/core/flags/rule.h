/* Rules in JSON logic (jsonlogic.com), with the results of json-logic-js 2 and
 * Mixpanel's semver_compare and datetime_compare: compiled once, applied to
 * many values. Different on purpose: a rule has limits, names that JavaScript's
 * prototypes have lead nowhere, integers from 2^53 on are compared exactly,
 * and log prints nothing. */
#ifndef MP_RULE_H
#define MP_RULE_H

#include "core/flags/value.h"
#include "core/record/parse.h"

typedef struct mp_rule mp_rule;

enum {
    MP_RULE_STEPS = 10000 /* that one application may take */
};

typedef enum mp_rule_result {
    MP_RULE_FALSE,
    MP_RULE_TRUE,
    MP_RULE_ERROR, /* no such operator, or operands that it has no result for */
    MP_RULE_LIMIT, /* too many steps, levels or bytes */
} mp_rule_result;

/* Compiles a rule whose texts are made lower case, into memory of the arena.
 * MP_INVALID for one of more than MP_VALUE_LEVELS levels, MP_MEMORY. An
 * unknown operator is an error only when it is applied. */
mp_err mp_rule_compile(json_t *json, mp_arena *arena, const mp_rule **out);

/* Whether the rule holds for `data`, whose keys and texts are lower case. What
 * it takes from the arena is not needed afterwards. Thread: any. */
mp_rule_result mp_rule_holds(const mp_rule *rule, const mp_value *data,
                             mp_arena *arena);

/* The value of the rule: MP_RULE_TRUE, or an error. */
mp_rule_result mp_rule_apply(const mp_rule *rule, const mp_value *data,
                             mp_arena *arena, mp_value *out);

/* Which members of the data a rule looks at. */
typedef struct mp_rule_reads {
    bool all;        /* more than can be told by name */
    mp_value *names; /* texts */
    uint32_t count, cap;
} mp_rule_reads;

/* Adds what a rule reads; the names are in memory of the arena. MP_MEMORY. */
mp_err mp_rule_add_reads(const mp_rule *rule, mp_arena *arena,
                         mp_rule_reads *reads);

#endif
