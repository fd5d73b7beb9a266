/* The options of mixpanel.new and set_config: a Lua table into checked plain
 * values. Every message names the option, its value and what would be right;
 * what belongs to a service account is never shown. */
#ifndef MP_OPTIONS_H
#define MP_OPTIONS_H

#include "binding/client/option_flags.h"
#include "binding/lua/compat.h"

#include "core/config/config.h"
#include "core/config/overrides.h"

/* Reads the table at argument `arg` into `overrides` and, for `new`, the
 * config, which has its token, and `flags`; these are NULL when the options of
 * the key are not allowed, and `present` is the client's config. `properties`
 * is only checked to be a table. Raises a bad argument for anything unknown or
 * wrong; the caller frees what was read even then. */
void mp_options_read(lua_State *L, int arg, mp_config *config,
                     mp_overrides *overrides, mp_flag_choice *flags,
                     const mp_config *present);

#endif
