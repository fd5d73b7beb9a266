/* Where requests of a lane go, and how they fare there.
 *
 * A lane has a route to its own endpoint and, if older events go elsewhere,
 * one to that. Each has a health of its own: what happens on one touches
 * nothing on the other. The project's lock is held for every call; times are
 * of mp_clock_mono_ms. */
#ifndef MP_ROUTE_H
#define MP_ROUTE_H

#include "core/record/endpoint.h"

#include <stddef.h>

typedef struct mp_route {
    const mp_endpoint *endpoint;
    bool proven;  /* Mixpanel's own words came back, whatever they said */
    bool probing; /* somebody else spoke: one record at a time */
    bool plain;   /* what is compressed was refused for it */
    bool trusted; /* it took or judged records before */
    bool reported_pause; /* since the last success */
    uint32_t in_flight;  /* requests */
    uint32_t window;     /* so many at once */
    uint32_t failures;   /* in a row */
    uint32_t unreadable; /* in a row */
    int64_t failed_ms;   /* when the last failure came in */
    int64_t resume_ms;   /* nothing is sent before */
    uint64_t taken;      /* requests */

    /* Sizes are of bodies as sent. */
    size_t limit_bytes; /* a 413 refused so many, and what was taken since is
                         * smaller; SIZE_MAX: none did */
    int64_t limit_ms;   /* when that came */
    size_t taken_bytes; /* the most that was taken, lately */
    int64_t taken_ms;   /* when that was */
    size_t most_taken;  /* ever: what is larger than all of it may be at fault,
                         * and for that nothing may be forgotten */
    size_t size_bytes;  /* at the most: what a slow link carries in time;
                         * SIZE_MAX: not tried yet */
    bool refuses_any;   /* a 413 refused what is no larger than what was taken,
                         * and nothing was taken since */
    double ratio;       /* of the last body as sent to its records' bytes */
} mp_route;

/* A route that nobody took yet. */
void mp_route_start(mp_route *route, const mp_endpoint *endpoint);

bool mp_route_backs_off(const mp_route *route, int64_t now_ms);

/* True if one more request may go out. */
bool mp_route_is_open(const mp_route *route, int64_t now_ms);

/* Nothing is sent before `until_ms`; never shortens a backoff. */
void mp_route_back_off(mp_route *route, int64_t until_ms);

/* True if a failure of a request sent then is no consequence of an earlier
 * one. Those that left before the last failure came in belong to the same
 * trouble and do not make it twice as bad. */
bool mp_route_is_news(const mp_route *route, int64_t sent_ms);

/* A request that was sent then failed: the next goes out alone. */
void mp_route_failed(mp_route *route, int64_t sent_ms, int64_t now_ms);

/* How many bytes of records the next request may have, unless it is a single
 * one, as far as the last body tells how well they compress. */
size_t mp_route_most_bytes(const mp_route *route, int64_t now_ms);

/* True if a body of so many bytes was refused within the hour, and none that
 * was as large has been taken: what is known of the route holds for an hour. */
bool mp_route_is_too_large(const mp_route *route, size_t bytes, int64_t now_ms);

/* A 413 refused a body of so many bytes; one was taken. */
void mp_route_refused_size(mp_route *route, size_t bytes, int64_t now_ms);
void mp_route_took_size(mp_route *route, size_t bytes, int64_t now_ms);

/* The most that was taken within the hour; 0: nothing was. */
size_t mp_route_taken_bytes(const mp_route *route, int64_t now_ms);

/* A request of so many did not get through in time, and another time neither:
 * the next are half as large. What gets through makes them grow again. */
void mp_route_shrink(mp_route *route, size_t bytes);
void mp_route_grow(mp_route *route);

/* A request was answered: one more may go at once. */
void mp_route_succeeded(mp_route *route);

#endif
