/* The two clocks. Code that can take the time as a parameter does so instead,
 * so that tests run on virtual time. Thread: any. */
#ifndef MP_CLOCK_H
#define MP_CLOCK_H

#include <stdint.h>

/* Milliseconds since the Unix epoch, UTC. */
int64_t mp_clock_wall_ms(void);

/* Milliseconds on a clock that never goes back and counts what the machine
 * slept; its zero means nothing. */
int64_t mp_clock_mono_ms(void);

/* How far it is ahead of the system's clock for waits, which stands still while
 * the machine sleeps; as mp_clock_mono_ms saw it last. */
int64_t mp_clock_slept_ms(void);

/* mp_clock_mono_ms, behind by up to a tick of the scheduler (10 ms), at a
 * fraction of the price. */
int64_t mp_clock_coarse_ms(void);

/* The same, and *wall_ms is mp_clock_wall_ms as of then. */
int64_t mp_clock_coarse(int64_t *wall_ms);

static inline int64_t mp_clock_earlier(int64_t a_ms, int64_t b_ms) {
    return a_ms < b_ms ? a_ms : b_ms;
}

#endif
