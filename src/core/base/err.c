#include "core/base/err.h"

const char *mp_err_code(mp_err err) {
    static const char *const codes[] = {
        [MP_OK] = "ok",
        [MP_INVALID] = "invalid",
        [MP_QUEUE_FULL] = "queue_full",
        [MP_CLOSED] = "closed",
        [MP_OPTED_OUT] = "opted_out",
        [MP_TIMEOUT] = "timeout",
        [MP_MEMORY] = "memory",
        [MP_UNAUTHORIZED] = "unauthorized",
        [MP_NETWORK] = "network",
        [MP_THREAD] = "thread",
        [MP_STATE] = "state",
        [MP_TOO_LARGE] = "too_large",
    };
    return codes[err];
}
