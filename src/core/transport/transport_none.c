/* A build without libcurl: the host carries all. */
#include "core/transport/transport.h"

#include <errno.h>

mp_err mp_transport_set_up(void) {
    return MP_OK;
}

int mp_transport_new(mp_transport **out) {
    *out = NULL;
    return ENOTSUP;
}
