/* What was sent when, and the most of it in any window of a minute. */
#ifndef MP_WINDOW_HELPER_H
#define MP_WINDOW_HELPER_H

#include "unit.h"

#include <stdint.h>

enum {
    MINUTE_MS = 60 * 1000,
    TAKEN = 200000
};

typedef struct taken {
    int64_t ms;
    double n;
} taken;

typedef struct history {
    taken list[TAKEN]; /* by time */
    int count;
} history;

static inline void note(history *h, int64_t ms, double n) {
    CHECK(h->count < TAKEN);
    CHECK(h->count == 0 || h->list[h->count - 1].ms <= ms);
    if (h->count < TAKEN)
        h->list[h->count++] = (taken){ms, n};
}

/* The most in any window, both ends included, that begins at `from_ms` or
 * later. */
static inline double most_in_a_minute(const history *h, int64_t from_ms) {
    double sum = 0, most = 0;
    for (int first = 0, end = 0; first < h->count; first++) {
        if (end < first)
            end = first;
        for (;
             end < h->count && h->list[end].ms <= h->list[first].ms + MINUTE_MS;
             end++)
            sum += h->list[end].n;
        if (h->list[first].ms >= from_ms && sum > most)
            most = sum;
        sum -= h->list[first].n;
    }
    return most;
}

static inline double sum_between(const history *h, int64_t from_ms,
                                 int64_t to_ms) {
    double sum = 0;
    for (int i = 0; i < h->count; i++)
        if (h->list[i].ms >= from_ms && h->list[i].ms < to_ms)
            sum += h->list[i].n;
    return sum;
}

#endif
