/* The clocks, on a machine that sleeps: the system's clock of what it slept is
 * set here. */
#include "core/os/clock.h"

#include "core/os/wait.h"
#include "unit.h"

#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    DAY_MS = 24 * 60 * 60 * 1000
};

static int64_t slept_ms, set_ms; /* what somebody set the wall clock ahead */
static bool unknown;             /* a kernel without that clock */

/* Stands in for that of the C library. */
int clock_gettime(clockid_t id, struct timespec *ts) {
    if (id == CLOCK_BOOTTIME && unknown)
        return -1;
#ifdef SYS_clock_gettime64 /* where a long is too short for the time */
    int err = (int)syscall(SYS_clock_gettime64, id, ts);
#else
    int err = (int)syscall(SYS_clock_gettime, id, ts);
#endif
    bool wall = id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE;
    int64_t ahead_ms = wall                   ? slept_ms + set_ms
                       : id == CLOCK_BOOTTIME ? slept_ms
                                              : 0;
    int64_t ns = (int64_t)ts->tv_nsec + ahead_ms % 1000 * 1000000;
    ts->tv_sec += (time_t)(ahead_ms / 1000 + ns / 1000000000);
    ts->tv_nsec = (long)(ns % 1000000000);
    return err;
}

/* From a reading to the next, the machine having slept in between. */
static int64_t pass(int64_t sleep_ms) {
    int64_t before_ms = mp_clock_mono_ms();
    slept_ms += sleep_ms;
    return mp_clock_mono_ms() - before_ms;
}

/* Comes first: what is asked first in a process. */
CASE(the_coarse_clock_knows_what_was_slept_before) {
    slept_ms = DAY_MS;
    int64_t coarse_ms = mp_clock_coarse_ms(), now_ms = mp_clock_mono_ms();
    CHECK(coarse_ms <= now_ms + 1 && coarse_ms > now_ms - DAY_MS / 2);
    CHECK(mp_clock_slept_ms() > DAY_MS / 2);
}

CASE(what_the_machine_slept_has_passed) {
    int64_t before_ms = mp_clock_slept_ms();
    CHECK(pass(6 * DAY_MS) >= 6 * DAY_MS);
    CHECK(mp_clock_slept_ms() - before_ms > 5 * DAY_MS);
    CHECK(pass(60000) >= 60000);
    CHECK(pass(0) >= 0);
}

CASE(the_coarse_clock_goes_with_it) {
    pass(DAY_MS);
    int64_t now_ms = mp_clock_mono_ms(), coarse_ms = mp_clock_coarse_ms();
    CHECK(coarse_ms <= now_ms + 1 && coarse_ms > now_ms - DAY_MS / 2);
}

/* A program that only tracks asks no other. */
CASE(the_coarse_clock_finds_a_sleep_by_itself) {
    int64_t before_ms = mp_clock_coarse_ms(), wall_ms;
    slept_ms += DAY_MS / 3 + 123;
    int64_t after_ms = mp_clock_coarse(&wall_ms);
    CHECK(after_ms >= before_ms + DAY_MS / 3 && after_ms < before_ms + DAY_MS);
    CHECK(mp_clock_wall_ms() - wall_ms < DAY_MS / 2);
    CHECK(mp_clock_coarse_ms() < before_ms + DAY_MS);
}

CASE(a_wall_clock_that_is_set_is_no_sleep) {
    static const int64_t steps_ms[] = {6 * DAY_MS, -12 * DAY_MS, 6 * DAY_MS};
    for (int i = 0; i < 3; i++) {
        int64_t before_ms = mp_clock_coarse_ms();
        set_ms += steps_ms[i];
        int64_t after_ms = mp_clock_coarse_ms();
        CHECK(after_ms >= before_ms && after_ms < before_ms + DAY_MS / 2);
    }
}

CASE(a_wait_that_is_over_ends) {
    static const int64_t deadlines_ms[] = {0, 1, -DAY_MS, INT64_MIN / 2};
    mp_wait wait;
    CHECK(mp_wait_init(&wait) == MP_OK);
    pass(DAY_MS + 7);
    mp_lock_take(&wait.lock);
    for (int i = 0; i < 4; i++) {
        int rounds = 0;
        while (rounds < 100 && mp_wait_until(&wait, deadlines_ms[i]))
            rounds++;
        CHECK(rounds < 100);
    }
    mp_lock_give(&wait.lock);
    mp_wait_destroy(&wait);
}

CASE(a_wait_ends_in_its_time_all_the_same) {
    mp_wait wait;
    CHECK(mp_wait_init(&wait) == MP_OK);
    pass(DAY_MS);
    int64_t start_ms = mp_clock_mono_ms();
    mp_lock_take(&wait.lock);
    while (mp_wait_until(&wait, start_ms + 50))
        continue;
    mp_lock_give(&wait.lock);
    int64_t took_ms = mp_clock_mono_ms() - start_ms;
    CHECK(took_ms >= 49 && took_ms < DAY_MS / 2);
    mp_wait_destroy(&wait);
}

CASE(a_machine_that_does_not_know_never_sleeps) {
    int64_t before_ms = mp_clock_mono_ms();
    unknown = true;
    int64_t after_ms = mp_clock_mono_ms();
    CHECK(after_ms >= before_ms && after_ms < before_ms + DAY_MS / 2);
    unknown = false;
}

int main(void) {
    RUN(the_coarse_clock_knows_what_was_slept_before);
    RUN(what_the_machine_slept_has_passed);
    RUN(the_coarse_clock_goes_with_it);
    RUN(the_coarse_clock_finds_a_sleep_by_itself);
    RUN(a_wall_clock_that_is_set_is_no_sleep);
    RUN(a_wait_that_is_over_ends);
    RUN(a_wait_ends_in_its_time_all_the_same);
    RUN(a_machine_that_does_not_know_never_sleeps);
    return unit_result();
}
