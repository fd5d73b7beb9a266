/* The option `flags` of mixpanel.new. */
#ifndef MP_OPTION_FLAGS_H
#define MP_OPTION_FLAGS_H

#include "binding/client/option.h"

#include "core/flags/flags.h"

/* What it says. */
typedef struct mp_flag_choice {
    bool wanted;
    mp_expose exposure;
    mp_flag_options options; /* but for the path: */
    char *file;              /* absolute, owned; NULL: none */
} mp_flag_choice;

/* "local", "remote" or "both", or { mode =, poll_interval =, file =,
 * exposure =, ttl =, timeout =, contexts = }. */
void mp_option_flags(mp_option_reader *r, const mp_option *option);

#endif
