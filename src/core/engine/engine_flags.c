/* Feature flags of a project. */
#include "core/engine/engine_state.h"

#include "core/os/clock.h"

#include <stdio.h>

/* What must run for them. */
static unsigned threads_for(mp_project *project) {
    unsigned threads = mp_project_threads(project);
    return mp_project_keeps_flags(project) ? threads | MP_THREAD(MP_DISK)
                                           : threads;
}

static mp_err start(mp_project *project, char message[MP_MESSAGE]) {
    if (mp_engine_is_manual(project))
        return MP_OK;
    return mp_engine_start(project, threads_for(project), message);
}

void mp_engine_start_flags(mp_project *project) {
    mp_flags *flags = mp_project_flags(project);
    mp_flags_start(flags);
    /* Without a thread a later call tries. */
    if (mp_engine_is_manual(project) ||
        mp_engine_keep_running(project, threads_for(project), true) == MP_OK)
        mp_flags_attend(flags);
}

mp_err mp_engine_refresh_flags(mp_project *project, int64_t timeout_ms,
                               char message[MP_MESSAGE]) {
    mp_flags *flags = mp_project_flags(project);
    int64_t deadline_ms = mp_clock_mono_ms() + timeout_ms;
    mp_engine_start_flags(project);
    uint64_t refresh = mp_flags_refresh(flags);
    mp_err err = start(project, message);
    if (err != MP_OK || timeout_ms == 0)
        return err;
    if (mp_engine_is_manual(project))
        deadline_ms = 0; /* only the host can do something about it */
    return mp_flags_await(flags, refresh, deadline_ms, message);
}

mp_err mp_engine_await_flags(mp_project *project, int64_t timeout_ms,
                             char message[MP_MESSAGE]) {
    mp_flags *flags = mp_project_flags(project);
    int64_t deadline_ms = mp_clock_mono_ms() + timeout_ms;
    mp_engine_start_flags(project);
    mp_err err = start(project, message);
    if (err != MP_OK)
        return err;
    if (mp_flags_wait(flags, mp_engine_is_manual(project) ? 0 : deadline_ms))
        return MP_OK;
    mp_flag_stats stats;
    mp_flags_stats(flags, mp_clock_mono_ms(), &stats);
    snprintf(message, MP_MESSAGE,
             "timeout: no definitions of flags have come yet%s%.180s",
             stats.error[0] ? ": " : "", stats.error);
    return MP_TIMEOUT;
}

mp_err mp_engine_ask_flags(mp_project *project, const char *context, size_t len,
                           bool hold, uint64_t *id, char message[MP_MESSAGE]) {
    mp_flags *flags = mp_project_flags(project);
    bool wake = false;
    mp_err err = MP_CLOSED;
    snprintf(message, MP_MESSAGE, "the process ends");
    if (!mp_engine_is_over())
        err = mp_flags_ask(flags, context, len, hold, id, &wake);
    if (err == MP_QUEUE_FULL)
        snprintf(message, MP_MESSAGE,
                 "as many contexts as are remembered wait for their answers");
    else if (err == MP_MEMORY)
        snprintf(message, MP_MESSAGE, "out of memory");
    if (err != MP_OK)
        return err;
    message[0] = '\0';
    if (wake && !mp_engine_is_manual(project))
        err = mp_engine_start(project, mp_project_threads(project), message);
    if (err != MP_OK && hold)
        mp_flags_let_go(flags, *id);
    return err;
}
