/* The operators of JSON logic that compute. */
#ifndef MP_RULE_NUMBER_H
#define MP_RULE_NUMBER_H

#include "core/flags/rule_state.h"

bool rule_add(rule_run *run, const mp_value *data, rule_args args,
              mp_value *out);
bool rule_multiply(rule_run *run, const mp_value *data, rule_args args,
                   mp_value *out);
bool rule_subtract(rule_run *run, const mp_value *data, rule_args args,
                   mp_value *out);
bool rule_divide(rule_run *run, const mp_value *data, rule_args args,
                 mp_value *out);
bool rule_remainder(rule_run *run, const mp_value *data, rule_args args,
                    mp_value *out);
bool rule_min(rule_run *run, const mp_value *data, rule_args args,
              mp_value *out);
bool rule_max(rule_run *run, const mp_value *data, rule_args args,
              mp_value *out);

#endif
