/* The options `properties` and `exclude_properties` of a client, which belong
 * to it alone and not to its project. */
#ifndef MP_CLIENT_DEFAULTS_H
#define MP_CLIENT_DEFAULTS_H

#include "binding/event/event.h"
#include "binding/lua/handle.h"

/* Encodes both options of the table at argument `arg`, which mp_options_read
 * checked, and pushes three values for mp_client_defaults_use; raises
 * a bad argument. `self` is the stack index of the client. */
void mp_client_defaults_read(lua_State *L, int arg, int self, bool reject);

/* Puts the three values at the top, which it leaves there, in force. */
void mp_client_defaults_use(lua_State *L, int self, mp_client *client);

/* ---- a function ----
 *
 * `properties` may be a function, which is called for each event before it is
 * encoded: it may do anything a finaliser may, and close the client. */

/* Calls the function of the client at a stack index, and pushes what it
 * returned, encoded. NULL, and nothing of use is pushed: it returned nothing,
 * is running already, has no say in an event of this name, or failed, which is
 * counted. */
const mp_defaults *mp_client_defaults_compute(lua_State *L, int self,
                                              const char *name, size_t len);

/* mp_client_defaults_begin with a function. */
void mp_client_defaults_begin_computed(mp_event *event, mp_call *call, int self,
                                       const char *name, size_t len);

/* Begins an event of the client at a stack index, as mp_event_begin does, with
 * what its events carry. What it pushes is to be kept on the stack until the
 * event is finished. */
static inline void mp_client_defaults_begin(mp_event *event, mp_call *call,
                                            int self, const char *name,
                                            size_t len) {
    const mp_client *client = call->client;
    if (client->computes) {
        mp_client_defaults_begin_computed(event, call, self, name, len);
        return;
    }
    if (client->defaults)
        mp_event_anchor(call->e.L, self);
    mp_event_begin(event, call, client->defaults, name, len);
}

#endif
