/* The option `flags` of mixpanel.new. */
#ifndef MP_OPTION_FLAGS_H
#define MP_OPTION_FLAGS_H

#include "binding/client/option.h"

/* What it says. */
typedef struct mp_flag_choice {
    bool wanted;
    mp_expose exposure;
    int64_t poll_ms;
    char *file; /* absolute, owned; NULL: none */
} mp_flag_choice;

/* "local", or { mode = "local", poll_interval =, file =, exposure = }. */
void mp_option_flags(mp_option_reader *r, const mp_option *option);

#endif
