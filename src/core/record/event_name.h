/* What the name of an event says of how it is to be sent. */
#ifndef MP_EVENT_NAME_H
#define MP_EVENT_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* Nothing but white space. */
bool mp_event_name_is_blank(const char *name, size_t len);

/* $identify, $create_alias, $merge: events that say who somebody is. */
bool mp_event_name_is_identity(const char *name, size_t len);
bool mp_event_name_is_merge(const char *name, size_t len);

#endif
