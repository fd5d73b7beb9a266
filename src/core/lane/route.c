#include "core/lane/route.h"

enum {
    WINDOW_MOST = 20,           /* as much as max_in_flight can be */
    SIZE_MOST = 2 * 1024 * 1024 /* more than there is in any batch */
};

void mp_route_start(mp_route *route, const mp_endpoint *endpoint) {
    *route = (mp_route){
        .endpoint = endpoint,
        .window = 1,
        .failed_ms = INT64_MIN,
        .resume_ms = INT64_MIN,
        .limit_bytes = SIZE_MAX,
        .size_bytes = SIZE_MAX,
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

size_t mp_route_most_bytes(const mp_route *route) {
    return route->size_bytes < route->limit_bytes ? route->size_bytes
                                                  : route->limit_bytes;
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
