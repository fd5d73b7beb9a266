#include "core/lane/route.h"

enum {
    WINDOW_MOST = 20,            /* as much as max_in_flight can be */
    SIZE_MOST = 2 * 1024 * 1024, /* more than there is in any batch */
    HOUR_MS = 3600 * 1000        /* whoever answered 413 may have been mended */
};

void mp_route_start(mp_route *route, const mp_endpoint *endpoint) {
    *route = (mp_route){
        .endpoint = endpoint,
        .window = 1,
        .failed_ms = INT64_MIN,
        .resume_ms = INT64_MIN,
        .limit_bytes = SIZE_MAX,
        .size_bytes = SIZE_MAX,
        .ratio = 1,
    };
}

bool mp_route_backs_off(const mp_route *route, int64_t now_ms) {
    return now_ms < route->resume_ms;
}

bool mp_route_is_open(const mp_route *route, int64_t now_ms) {
    return !mp_route_backs_off(route, now_ms) &&
           route->in_flight < route->window;
}

void mp_route_back_off(mp_route *route, int64_t until_ms) {
    if (until_ms > route->resume_ms)
        route->resume_ms = until_ms;
}

bool mp_route_is_news(const mp_route *route, int64_t sent_ms) {
    return route->failures == 0 || sent_ms > route->failed_ms;
}

void mp_route_failed(mp_route *route, int64_t sent_ms, int64_t now_ms) {
    route->failures += mp_route_is_news(route, sent_ms);
    route->failed_ms = now_ms;
    route->window = 1;
}

size_t mp_route_taken_bytes(const mp_route *route, int64_t now_ms) {
    return now_ms - route->taken_ms < HOUR_MS ? route->taken_bytes : 0;
}

bool mp_route_is_too_large(const mp_route *route, size_t bytes,
                           int64_t now_ms) {
    return bytes >= route->limit_bytes && now_ms - route->limit_ms < HOUR_MS;
}

void mp_route_refused_size(mp_route *route, size_t bytes, int64_t now_ms) {
    if (bytes <= mp_route_taken_bytes(route, now_ms)) {
        route->refuses_any = true;
        route->limit_bytes = SIZE_MAX; /* nor was size the reason before */
    } else if (!route->refuses_any &&
               !mp_route_is_too_large(route, bytes, now_ms)) {
        route->limit_bytes = bytes;
        route->limit_ms = now_ms;
    }
}

void mp_route_took_size(mp_route *route, size_t bytes, int64_t now_ms) {
    route->taken++;
    route->refuses_any = false;
    if (bytes > route->most_taken)
        route->most_taken = bytes;
    if (bytes >= mp_route_taken_bytes(route, now_ms)) {
        route->taken_bytes = bytes;
        route->taken_ms = now_ms;
    }
    if (bytes >= route->limit_bytes)
        route->limit_bytes = SIZE_MAX; /* size was not the reason */
}

/* Between what was taken and what was refused lies the limit: half of the
 * refused is tried until more is known. */
static size_t most_as_sent(const mp_route *route, int64_t now_ms) {
    size_t half = route->limit_bytes / 2,
           taken = mp_route_taken_bytes(route, now_ms);
    if (route->limit_bytes == SIZE_MAX ||
        !mp_route_is_too_large(route, route->limit_bytes, now_ms))
        return route->size_bytes;
    if (half < taken)
        half = taken;
    return half < route->size_bytes ? half : route->size_bytes;
}

size_t mp_route_most_bytes(const mp_route *route, int64_t now_ms) {
    size_t most = most_as_sent(route, now_ms);
    return most == SIZE_MAX ? most : (size_t)((double)most / route->ratio);
}

void mp_route_shrink(mp_route *route, size_t bytes) {
    if (bytes / 2 < route->size_bytes)
        route->size_bytes = bytes / 2;
}

void mp_route_grow(mp_route *route) {
    if (route->size_bytes == SIZE_MAX)
        return;
    route->size_bytes += route->size_bytes / 8 + 1;
    if (route->size_bytes > SIZE_MOST)
        route->size_bytes = SIZE_MAX;
}

void mp_route_succeeded(mp_route *route) {
    route->failures = 0;
    route->reported_pause = route->probing = false;
    if (route->proven && route->window < WINDOW_MOST)
        route->window++;
}
