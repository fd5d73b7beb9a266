/* Ids that Mixpanel refuses, since they name no user. */
#ifndef MP_REFUSED_ID_H
#define MP_REFUSED_ID_H

#include <stdbool.h>
#include <stddef.h>

/* Mixpanel docs, import events: disallowed values; events with them are
 * dropped, since they come from programs that had no id at hand. */
bool mp_refused_id(const char *text, size_t len);

#endif
