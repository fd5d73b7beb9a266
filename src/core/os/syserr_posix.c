#define _POSIX_C_SOURCE 200809L /* GNU's strerror_r is another */
#include "core/os/syserr.h"

#include <stdio.h>
#include <string.h>

const char *mp_syserr_text(int err, char out[MP_SYSERR]) {
    if (strerror_r(err, out, MP_SYSERR) != 0)
        snprintf(out, MP_SYSERR, "error %d", err);
    return out;
}
