/* The endpoints of Mixpanel's ingestion API (Mixpanel docs, ingestion API):
 * what tells one from the others stands in this table and nowhere else. */
#ifndef MP_ENDPOINT_H
#define MP_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

enum {
    MP_ENDPOINT_RECORDS = 2000 /* Mixpanel's limit for one request */
};

/* A project has a lane for each endpoint, and they are numbered alike. */
typedef enum mp_lane_id {
    MP_LANE_EVENTS,
    MP_LANE_IMPORT,
    MP_LANE_PEOPLE,
    MP_LANE_GROUPS,
    MP_LANE_COLLECTED /* events of others, who have no rights but their own */
} mp_lane_id;

enum {
    MP_LANES = 5
};

typedef struct mp_endpoint {
    const char *name;      /* of its lane in names of files of a spool */
    const char *path;      /* also how reports name it */
    const char *query;     /* "verbose=1" */
    int64_t max_age_ms;    /* of an event; 0: any */
    mp_lane_id older_lane; /* whose endpoint takes older ones; its own: none */
    uint32_t batch_limit;  /* records in one request, at the most */
    bool geolocates;       /* takes "ip": whether to place the sender */
    bool authenticates;    /* wants HTTP Basic; all records bear the token */
    bool gzip;             /* reads bodies with Content-Encoding: gzip */
    bool names_records;    /* a reply may name those that it refused */
    bool profiles;         /* records are updates of profiles, not events */
    bool ordered;          /* one request at a time, records in order */
} mp_endpoint;

extern const mp_endpoint mp_endpoints[MP_LANES];

#endif
