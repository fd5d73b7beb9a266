/* What the files of the engine share and nobody else sees. */
#ifndef MP_ENGINE_STATE_H
#define MP_ENGINE_STATE_H

#include "core/engine/engine.h"

#include <stdbool.h>

/* The host carries the requests: no thread, nothing to wait for. */
static inline bool mp_engine_is_manual(const mp_project *project) {
    return mp_project_config(project)->manual;
}

/* True once the exit has begun. */
bool mp_engine_is_over(void);

/* What a call that comes with a record or a state does for it: has these
 * threads run, or else the project says so, and wakes those that have something
 * to do for it. Without a thread what was accepted stays queued, and a later
 * call tries. */
mp_err mp_engine_keep_running(mp_project *project, unsigned threads,
                              bool wakes);

/* The same for a call that can say itself, in `message`, what is wrong. */
mp_err mp_engine_start(mp_project *project, unsigned threads,
                       char message[MP_MESSAGE]);

#endif
