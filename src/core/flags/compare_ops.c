#include "core/flags/compare_ops.h"

#include "core/flags/rfc3339.h"
#include "core/flags/semver.h"

#include <math.h>
#include <string.h>

enum {
    ARGS = 3
};

/* Whether a text is one of the symbols for an order that holds. */
static bool holds(int order, const mp_value *symbol) {
    static const struct {
        const char *symbol;
        bool below, same, above;
    } symbols[] = {
        {"===", false, true, false}, {"!==", true, false, true},
        {"<", true, false, false},   {"<=", true, true, false},
        {">", false, false, true},   {">=", false, true, true},
    };
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++)
        if (symbol->kind == MP_VALUE_TEXT &&
            strlen(symbols[i].symbol) == symbol->len &&
            memcmp(symbols[i].symbol, symbol->as.text, symbol->len) == 0)
            return order < 0   ? symbols[i].below
                   : order > 0 ? symbols[i].above
                               : symbols[i].same;
    return false;
}

bool mp_compare_semver(const mp_value *args, size_t count) {
    int order;
    return count == ARGS && args[0].kind == MP_VALUE_TEXT &&
           args[2].kind == MP_VALUE_TEXT &&
           mp_semver_compare(args[0].as.text, args[0].len, args[2].as.text,
                             args[2].len, &order) &&
           holds(order, &args[1]);
}

/* Milliseconds that an int64 can have, cut to seconds. */
static bool to_seconds(const mp_value *ms, int64_t *seconds) {
    static const double limit = 9223372036854775808.0;
    if (ms->kind == MP_VALUE_INTEGER) {
        *seconds = ms->as.integer / 1000;
        return true;
    }
    if (ms->kind != MP_VALUE_NUMBER || isnan(ms->as.number) ||
        fabs(ms->as.number) >= limit)
        return false;
    *seconds = (int64_t)(ms->as.number / 1000);
    return true;
}

bool mp_compare_datetime(const mp_value *args, size_t count) {
    int64_t actual, target;
    return count == ARGS && args[0].kind == MP_VALUE_TEXT &&
           mp_rfc3339_read(args[0].as.text, args[0].len, &actual) &&
           to_seconds(&args[2], &target) &&
           holds((actual > target) - (actual < target), &args[1]);
}
