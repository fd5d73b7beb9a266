/* When events began whose duration is wanted. */
#ifndef MP_TIMERS_H
#define MP_TIMERS_H

#include "core/base/dict.h"

enum {
    MP_TIMERS_MAX = 254,        /* running at once */
    MP_TIMERS_BYTES = 64 * 1024 /* of their names together: a state is small */
};

typedef struct mp_timer {
    int64_t wall_ms;
    int64_t mono_ms; /* INT64_MIN: begun in another process */
} mp_timer;

/* All zero: none. */
typedef struct mp_timers {
    mp_dict dict;
} mp_timers;

/* Starts the timer of an event, anew if it runs. MP_QUEUE_FULL at either
 * limit, MP_MEMORY. */
mp_err mp_timers_start(mp_timers *timers, const char *event, size_t len,
                       const mp_timer *start);

/* Milliseconds since the start; -1 when there is no timer, or when the wall
 * clock, which alone spans two processes, was set back meanwhile. */
int64_t mp_timers_elapsed(const mp_timers *timers, const char *event,
                          size_t len, int64_t wall_ms, int64_t mono_ms);

/* True if there was one. */
bool mp_timers_stop(mp_timers *timers, const char *event, size_t len);

mp_timer mp_timers_get(const mp_timers *timers, uint32_t i);

#endif
