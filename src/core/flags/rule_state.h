/* What the files of rule share. */
#ifndef MP_RULE_STATE_H
#define MP_RULE_STATE_H

#include "core/flags/rule.h"

/* One application of a rule. */
typedef struct rule_run {
    mp_arena *arena;
    uint32_t steps;        /* that are left */
    mp_rule_result result; /* why it failed */
} rule_run;

/* The operands of an operator, evaluated. */
typedef struct rule_args {
    const mp_value *values;
    size_t count;
} rule_args;

/* An operand; undefined if there is none of this number. */
static inline mp_value rule_arg(rule_args args, size_t i) {
    return i < args.count ? args.values[i] : mp_value_undefined();
}

/* What an operator does with its operands. False: it failed, and the run says
 * why. */
typedef bool (*rule_operation)(rule_run *run, const mp_value *data,
                               rule_args args, mp_value *out);

/* The same for one that evaluates its operands itself. */
typedef bool (*rule_control)(rule_run *run, const mp_rule *rule,
                             const mp_value *data, mp_value *out);

typedef struct rule_operator {
    const char *name;
    rule_operation operation; /* one of the two */
    rule_control control;
    bool reads;  /* looks into the data by name */
    bool scopes; /* its second operand sees other data */
} rule_operator;

typedef enum rule_kind {
    RULE_LITERAL,
    RULE_LIST,   /* an array of rules */
    RULE_PATH,   /* the var of a literal, of whose parts `literal` is the array;
                    a rule, if there is one, is for when it leads nowhere */
    RULE_APPLY,  /* `operator` to rules */
    RULE_UNKNOWN /* of an operator that there is none of */
} rule_kind;

struct mp_rule {
    rule_kind kind;
    uint32_t count;
    mp_rule *rules; /* `count` of them, side by side */
    const rule_operator *operator;
    mp_value literal;
};

/* NULL: there is none of this name. */
const rule_operator *rule_operator_find(const char *name);

bool rule_evaluate(rule_run *run, const mp_rule *rule, const mp_value *data,
                   mp_value *out);

/* Each false, for the caller to return: */
bool rule_error(rule_run *run);   /* the operands have no result */
bool rule_no_room(rule_run *run); /* the arena gave none */

/* The value that `name` leads to from the data, where dots separate its
 * parts; undefined if it leads nowhere. */
bool rule_look_up(rule_run *run, const mp_value *data, const mp_value *name,
                  mp_value *out);

/* The parts of a name, as an array. False: the arena has no room. */
bool rule_split(mp_arena *arena, const mp_value *name, mp_value *out);

/* ---- operators that evaluate their operands themselves ---- */

bool rule_if(rule_run *run, const mp_rule *rule, const mp_value *data,
             mp_value *out);
bool rule_and(rule_run *run, const mp_rule *rule, const mp_value *data,
              mp_value *out);
bool rule_or(rule_run *run, const mp_rule *rule, const mp_value *data,
             mp_value *out);
bool rule_filter(rule_run *run, const mp_rule *rule, const mp_value *data,
                 mp_value *out);
bool rule_map(rule_run *run, const mp_rule *rule, const mp_value *data,
              mp_value *out);
bool rule_reduce(rule_run *run, const mp_rule *rule, const mp_value *data,
                 mp_value *out);
bool rule_all(rule_run *run, const mp_rule *rule, const mp_value *data,
              mp_value *out);
bool rule_none(rule_run *run, const mp_rule *rule, const mp_value *data,
               mp_value *out);
bool rule_some(rule_run *run, const mp_rule *rule, const mp_value *data,
               mp_value *out);

#endif
