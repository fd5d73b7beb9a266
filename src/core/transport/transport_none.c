/* A build without libcurl: the host carries all. */
#include "core/transport/transport.h"

mp_err mp_transport_set_up(void) {
    return MP_OK;
}

mp_transport *mp_transport_new(void) {
    return NULL;
}
