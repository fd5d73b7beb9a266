#include "core/flags/rule_number.h"

#include "core/flags/coerce.h"
#include "core/flags/numeral.h"

#include <math.h>

static bool number_at(rule_run *run, rule_args args, size_t i, double *out) {
    *out = NAN;
    return i >= args.count ||
           mp_coerce_number(&args.values[i], run->arena, out) ||
           rule_no_room(run);
}

static bool two_numbers(rule_run *run, rule_args args, double *a, double *b) {
    return number_at(run, args, 0, a) && number_at(run, args, 1, b);
}

/* parseFloat(value), which takes the text of it. */
static bool parse_float(rule_run *run, const mp_value *value, double *out) {
    mp_value text;
    if (value->kind == MP_VALUE_NUMBER) {
        *out = value->as.number + 0.0; /* -0 has the text 0 */
        return true;
    }
    if (!mp_coerce_text(value, run->arena, &text))
        return rule_no_room(run);
    *out = mp_numeral_read_start(text.as.text, text.len);
    return true;
}

bool rule_add(rule_run *run, const mp_value *data, rule_args args,
              mp_value *out) {
    (void)data;
    double sum = 0, number = 0;
    for (size_t i = 0; i < args.count; i++) {
        if (!parse_float(run, &args.values[i], &number))
            return false;
        sum += number;
    }
    *out = mp_value_number(sum);
    return true;
}

/* One operand is its own product, whatever it is; none is an error. */
bool rule_multiply(rule_run *run, const mp_value *data, rule_args args,
                   mp_value *out) {
    (void)data;
    double product = 0, number = 0;
    if (args.count == 0)
        return rule_error(run);
    *out = args.values[0];
    if (args.count == 1)
        return true;
    if (!parse_float(run, &args.values[0], &product))
        return false;
    for (size_t i = 1; i < args.count; i++) {
        if (!parse_float(run, &args.values[i], &number))
            return false;
        product = product * number + 0.0;
    }
    *out = mp_value_number(product);
    return true;
}

bool rule_subtract(rule_run *run, const mp_value *data, rule_args args,
                   mp_value *out) {
    (void)data;
    double a, b;
    if (!two_numbers(run, args, &a, &b))
        return false;
    bool one = args.count < 2 || args.values[1].kind == MP_VALUE_UNDEFINED;
    *out = mp_value_number(one ? -a : a - b);
    return true;
}

bool rule_divide(rule_run *run, const mp_value *data, rule_args args,
                 mp_value *out) {
    (void)data;
    double a, b;
    if (!two_numbers(run, args, &a, &b))
        return false;
    *out = mp_value_number(a / b);
    return true;
}

bool rule_remainder(rule_run *run, const mp_value *data, rule_args args,
                    mp_value *out) {
    (void)data;
    double a, b;
    if (!two_numbers(run, args, &a, &b))
        return false;
    *out = mp_value_number(fmod(a, b));
    return true;
}

/* The least of the operands, with `sign` -1 the greatest; NaN if one is. */
static bool extreme(rule_run *run, rule_args args, double sign, mp_value *out) {
    double least = INFINITY, number;
    for (size_t i = 0; i < args.count; i++) {
        if (!number_at(run, args, i, &number))
            return false;
        number *= sign;
        if (isnan(number) || isnan(least))
            least = NAN;
        else if (number < least || (number == least && signbit(number)))
            least = number;
    }
    *out = mp_value_number(least * sign);
    return true;
}

bool rule_min(rule_run *run, const mp_value *data, rule_args args,
              mp_value *out) {
    (void)data;
    return extreme(run, args, 1, out);
}

bool rule_max(rule_run *run, const mp_value *data, rule_args args,
              mp_value *out) {
    (void)data;
    return extreme(run, args, -1, out);
}
