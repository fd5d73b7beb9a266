#include "core/record/endpoint.h"

enum {
    GROUP_RECORDS = 200 /* an older limit that other clients keep */
};

/* /track drops events older than five days without a word (Mixpanel docs,
 * track events); the hour is for the way there and for a wrong clock. */
#define TRACK_MAX_AGE_MS (INT64_C(3600) * 1000 * (5 * 24 - 1))

/* Profiles "do not support gzip" (Mixpanel docs, profile set). */
const mp_endpoint mp_endpoints[MP_LANES] = {
    [MP_LANE_EVENTS] =
        {
            .name = "events",
            .path = "/track",
            .query = "verbose=1",
            .max_age_ms = TRACK_MAX_AGE_MS,
            .older_lane = MP_LANE_IMPORT,
            .batch_limit = MP_ENDPOINT_RECORDS,
            .geolocates = true,
            .gzip = true,
        },
    [MP_LANE_IMPORT] =
        {
            .name = "import",
            .path = "/import",
            .query = "strict=1&verbose=1",
            .batch_limit = MP_ENDPOINT_RECORDS,
            .authenticates = true,
            .gzip = true,
            .names_records = true,
        },
    [MP_LANE_PEOPLE] =
        {
            .name = "people",
            .path = "/engage",
            .query = "verbose=1",
            .batch_limit = MP_ENDPOINT_RECORDS,
            .geolocates = true,
            .profiles = true,
            .ordered = true,
        },
    [MP_LANE_GROUPS] =
        {
            .name = "groups",
            .path = "/groups",
            .query = "verbose=1",
            .batch_limit = GROUP_RECORDS,
            .geolocates = true,
            .profiles = true,
            .ordered = true,
        },
    /* ip=0: the request comes from the collector, so Mixpanel may place an
     * event only by an address in the event itself. */
    [MP_LANE_COLLECTED] =
        {
            .name = "collected",
            .path = "/track",
            .query = "verbose=1&ip=0",
            .max_age_ms = TRACK_MAX_AGE_MS,
            .older_lane = MP_LANE_COLLECTED,
            .batch_limit = MP_ENDPOINT_RECORDS,
            .gzip = true,
        },
};
