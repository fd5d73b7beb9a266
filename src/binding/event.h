/* Events as Mixpanel takes them.
 *
 * An event is written in two pieces. The body holds the caller's properties
 * in the order of the table; the head, everything in front of them, is
 * composed after that, when it is known which of the automatic properties and
 * of the client's the caller gave. So nothing is looked up, merged or written
 * twice. */
#ifndef MP_EVENT_H
#define MP_EVENT_H

#include "defaults.h"
#include "encode.h"
#include "handle.h"
#include "reserved.h"

typedef struct mp_event {
    const mp_client *client;
    const mp_defaults *defaults; /* NULL: none for this event */
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

/* Serialises what begins every event of a project; MP_MEMORY. */
mp_err mp_event_lead(mp_buf *lead, const char *token);

/* Begins an event of the client at stack index 1, and points the encoder at
 * its body. Pushes values, to be kept on the stack until the event is
 * finished. MP_INVALID for a name that is blank, MP_CLOSED when a finaliser
 * collected the client. */
mp_err mp_event_begin(mp_event *event, mp_encode *e, const mp_client *client,
                      mp_scratch *scratch, const char *name, size_t len);

/* Adds the properties of the table at a positive stack index. */
mp_err mp_event_properties(mp_event *event, mp_encode *e, int table);

/* Adds an id under a name that is not among the reserved ones but
 * "distinct_id". */
mp_err mp_event_id(mp_event *event, mp_encode *e, const char *name,
                   const mp_id *id);

/* Ends an event for which all calls so far came to `err`: if that is MP_OK,
 * composes the head behind what the scratch's head holds and fills in the
 * record, whose pieces point into the scratch. MP_CLOSED when a finaliser
 * collected the client meanwhile. */
mp_err mp_event_finish(mp_event *event, mp_encode *e, mp_scratch *scratch,
                       mp_err err, mp_record *record);

/* Where the event goes. */
mp_lane_id mp_event_lane(const mp_event *event, bool import);

#endif
