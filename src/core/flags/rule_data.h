/* The operators of JSON logic that look into the data. */
#ifndef MP_RULE_DATA_H
#define MP_RULE_DATA_H

#include "core/flags/rule_state.h"

bool rule_var(rule_run *run, const mp_value *data, rule_args args,
              mp_value *out);
bool rule_missing(rule_run *run, const mp_value *data, rule_args args,
                  mp_value *out);
bool rule_missing_some(rule_run *run, const mp_value *data, rule_args args,
                       mp_value *out);

#endif
