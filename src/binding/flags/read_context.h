/* The context of an evaluation: a Lua table, such as { distinct_id = "1",
 * custom_properties = { plan = "pro" } }, into what rules look at. Tables are
 * read raw, so no Lua code runs; only memory can make these raise. */
#ifndef MP_READ_CONTEXT_H
#define MP_READ_CONTEXT_H

#include "binding/lua/compat.h"

#include "core/base/buf.h"
#include "core/flags/context.h"
#include "core/flags/decide.h"

/* Raises a bad argument unless argument `arg` is a table whose
 * custom_properties are a table, nil or null. */
void mp_read_context_check(lua_State *L, int arg);

/* Reads what a flag needs of the context at a positive index, which was
 * checked; texts stay valid as long as the table and `context` are not
 * touched. What is no text or number where one is wanted, or cannot be looked
 * at, is MP_INVALID: its meaning depends on definitions, so it is no bad
 * argument. */
mp_err mp_read_context(lua_State *L, int index, const mp_flag *flag,
                       mp_context *context, mp_subject *subject);

/* Reads all of the custom properties, for flags to come; then, for each of
 * these, its attribute and the id. */
mp_err mp_read_context_whole(lua_State *L, int index, mp_context *context,
                             mp_subject *subject);
mp_err mp_read_context_attribute(lua_State *L, int index, const mp_flag *flag,
                                 mp_context *context, mp_subject *subject);

/* Reads the whole context as it is: an object, of which mp_context_value tells.
 * MP_MEMORY; MP_INVALID with the problem in `context`. */
mp_err mp_read_context_given(lua_State *L, int index, mp_context *context);

/* Writes the whole context as JSON, the same for the same context: members in
 * one order, ids that are numbers as texts. MP_MEMORY; MP_INVALID with the
 * problem in `context`, for what has no JSON or goes beyond the limit of
 * `out`. */
mp_err mp_read_context_json(lua_State *L, int index, mp_context *context,
                            mp_buf *out);

/* The id at `distinct_id` as a text; undefined: there is none. */
mp_err mp_read_context_id(lua_State *L, int index, mp_context *context,
                          mp_value *id);

#endif
