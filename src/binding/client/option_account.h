/* The option `service_account`: a table with username, secret and project_id
 * into the config. None of its values is ever shown. */
#ifndef MP_OPTION_ACCOUNT_H
#define MP_OPTION_ACCOUNT_H

#include "binding/client/option.h"

void mp_option_account(mp_option_reader *r, const mp_option *option);

#endif
