/* Values and variants of flags as Lua sees them. */
#ifndef MP_FLAG_VALUE_H
#define MP_FLAG_VALUE_H

#include "binding/lua/compat.h"

#include "core/flags/decide.h"

/* Pushes a value: null as nil, and as mixpanel.null in a table; an integral
 * number as an integer where Lua has these. */
void mp_flag_value_push(lua_State *L, const mp_value *value);

/* Pushes { variant_key, variant_value, experiment_id, is_experiment_active,
 * is_qa_tester, variant_source = "local" } for what was decided of a flag. */
void mp_flag_variant_push(lua_State *L, const mp_flag *flag,
                          const mp_flag_decision *decision);

/* Pushes the same for a variant that Mixpanel decided, from a source such as
 * "remote". */
void mp_flag_answer_push(lua_State *L, const mp_value *variant,
                         const char *source);

/* Pushes the value for a flag without a variant: a copy of the table at `index`
 * (nil: an empty one) with variant_source = "fallback" and fallback_reason. */
void mp_flag_fallback_push(lua_State *L, int index, mp_flag_reason reason);

#endif
