/* The options `properties` and `exclude_properties` of a client, which belong
 * to it alone and not to its project. */
#ifndef MP_CLIENT_DEFAULTS_H
#define MP_CLIENT_DEFAULTS_H

#include "binding/lua/handle.h"

/* Encodes both options of the table at argument `arg`, which mp_options_read
 * took for tables, and pushes three values for mp_client_defaults_use; raises
 * a bad argument. `self` is the stack index of the client. */
void mp_client_defaults_read(lua_State *L, int arg, int self, bool reject);

/* Puts the three values at the top, which it leaves there, in force. */
void mp_client_defaults_use(lua_State *L, int self, mp_client *client);

#endif
