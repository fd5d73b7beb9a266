/* The comparisons that Mixpanel adds to JSON logic: of versions and of
 * dates. */
#ifndef MP_COMPARE_OPS_H
#define MP_COMPARE_OPS_H

#include "core/flags/value.h"

/* {"semver_compare": [actual, symbol, target]}: semantic versions 2.0.0, of
 * which the first may begin with a v and have less than three numbers. False
 * for anything else than two versions and a symbol. */
bool mp_compare_semver(const mp_value *args, size_t count);

/* {"datetime_compare": [actual, symbol, target]}: an RFC 3339 date with time
 * and zone, and milliseconds since 1970, both cut to seconds. */
bool mp_compare_datetime(const mp_value *args, size_t count);

#endif
