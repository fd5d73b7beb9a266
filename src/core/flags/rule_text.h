/* The operators of JSON logic for texts and arrays. */
#ifndef MP_RULE_TEXT_H
#define MP_RULE_TEXT_H

#include "core/flags/rule_state.h"

bool rule_in(rule_run *run, const mp_value *data, rule_args args,
             mp_value *out);
bool rule_cat(rule_run *run, const mp_value *data, rule_args args,
              mp_value *out);
bool rule_substr(rule_run *run, const mp_value *data, rule_args args,
                 mp_value *out);
bool rule_merge(rule_run *run, const mp_value *data, rule_args args,
                mp_value *out);

#endif
