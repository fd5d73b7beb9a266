#include "core/base/number.h"

#include <math.h>

enum {
    DIGITS = 17,          /* that tell doubles apart */
    EXACT = 22,           /* the last power of ten that a double is */
    EXPONENT_MAX = 100000 /* as good as any larger one */
};

/* 0.digits * 10^exponent, with the first DIGITS digits, of which the first is
 * not 0 unless all are. */
typedef struct decimal {
    uint64_t digits;
    int count;
    int64_t exponent;
    bool negative;
} decimal;

static const double powers[EXACT + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static int64_t read_exponent(const char *at, const char *end) {
    int64_t value = 0;
    bool negative = at < end && *at == '-';
    if (at < end && !is_digit(*at))
        at++;
    for (; at < end && value < EXPONENT_MAX; at++)
        value = 10 * value + (*at - '0');
    return negative ? -value : value;
}

static decimal read_decimal(const char *at, size_t len) {
    const char *end = at + len;
    decimal d = {.negative = *at == '-'};
    bool fraction = false;
    for (at += d.negative; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            fraction = true;
            continue;
        }
        bool leading = d.count == 0 && *at == '0';
        if (!leading && d.count < DIGITS) {
            d.digits = 10 * d.digits + (uint64_t)(*at - '0');
            d.count++;
        }
        d.exponent += leading ? -fraction : !fraction;
    }
    if (at < end)
        d.exponent += read_exponent(at + 1, end);
    return d;
}

bool mp_number_is_finite(const char *text, size_t len) {
    static const uint64_t largest = 17976931348623157; /* 0.179...e309 */
    if (len < 300) { /* no need to look closer at most */
        size_t i = 0;
        while (i < len && text[i] != 'e' && text[i] != 'E')
            i++;
        if (i == len)
            return true;
    }
    decimal d = read_decimal(text, len);
    for (int n = d.count; n > 0 && n < DIGITS; n++)
        d.digits *= 10;
    return d.digits == 0 || d.exponent < 309 ||
           (d.exponent == 309 && d.digits <= largest);
}

double mp_number_value(const char *text, size_t len) {
    decimal d = read_decimal(text, len);
    int64_t exponent = d.exponent - d.count;
    double value = (double)d.digits;
    if (d.digits == 0)
        exponent = 0;
    if (exponent < 0 && exponent >= -EXACT)
        value /= powers[-exponent];
    else if (exponent < 0 && exponent > -300)
        value /= pow(10, (double)-exponent);
    else
        value *= pow(10, (double)exponent);
    return d.negative ? -value : value;
}

bool mp_number_is_integer(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (!is_digit(text[i]) && !(i == 0 && text[i] == '-'))
            return false;
    return true;
}
