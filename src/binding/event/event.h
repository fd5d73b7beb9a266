/* Events as Mixpanel takes them.
 *
 * An event is written in two pieces. The body holds the caller's properties
 * in the order of the table; the head, everything in front of them, is
 * composed after that, when it is known which of the automatic properties and
 * of the client's the caller gave. So nothing is looked up, merged or written
 * twice. */
#ifndef MP_EVENT_H
#define MP_EVENT_H

#include "binding/encode/call.h"
#include "binding/event/defaults.h"
#include "binding/event/reserved_value.h"

typedef struct mp_event {
    mp_call *call;
    const mp_defaults *defaults; /* the caller's, who keeps them alive;
                                  * NULL: none for this event */
    uint64_t default_bits;       /* of their names */
    const char *name;            /* the caller's, who keeps it alive */
    size_t name_len;
    int64_t time_ms; /* 0: as the properties say, else now */
    bool is_identity, is_merge;
    unsigned given;  /* set of mp_reserved in the body */
    bool identified; /* an id that is not empty is in the body */
    uint32_t properties;
    size_t insert_id_len; /* 0: a new one */
    char insert_id[MP_INSERT_ID_MAX];
    mp_overridden overridden;
} mp_event;

/* Appends what begins every event of a project, and returns the error. */
mp_err mp_event_prefix(mp_buf *event_prefix, const char *token);

/* Pushes values that keep the defaults of the client or user at a stack index
 * alive while an event is made: a finaliser may replace them at any
 * allocation of Lua's. */
void mp_event_anchor(lua_State *L, int index);

/* The first error stays in the call's encoder: nothing of the event is written
 * behind it, and mp_event_finish returns it. */

/* Begins an event of a call with these defaults (NULL: none), and points the
 * encoder at its body. MP_INVALID for a name that is blank, MP_CLOSED when the
 * client was closed meanwhile. */
void mp_event_begin(mp_event *event, mp_call *call, const mp_defaults *defaults,
                    const char *name, size_t len);

/* Adds the properties of the table at a positive stack index. */
void mp_event_properties(mp_event *event, int table);

/* Adds an id. */
void mp_event_id(mp_event *event, const char *name, const mp_id *id);

/* Adds a property that is neither reserved nor given yet; name and value are
 * JSON, the name without quotes. */
void mp_event_raw(mp_event *event, const char *name, const char *json,
                  size_t len);

/* Ends an event: composes the head behind what the scratch's head holds and
 * fills in the record, whose pieces point into the scratch. MP_CLOSED when a
 * finaliser collected the client meanwhile. */
mp_err mp_event_finish(mp_event *event, mp_record *record);

/* Moves the body of a record behind its head, to make room for the next event.
 * Heads may move, so of the record only their lengths stay valid until
 * mp_event_place. Returns the head's error. */
mp_err mp_event_keep(mp_scratch *scratch, mp_record *record);

/* Points the records at their heads, which lie one behind the other in the
 * scratch, once all are kept. */
void mp_event_place(const mp_scratch *scratch, mp_record *records, size_t n);

/* Ends an event as mp_event_finish does, and queues it. The fault is the
 * encoder's. */
mp_err mp_event_send(mp_event *event, mp_lane_id asked);

/* The lane that the event goes to. `asked`: the lane of events or of imports,
 * as the caller's method says. */
mp_lane_id mp_event_lane(const mp_event *event, mp_lane_id asked);

#endif
