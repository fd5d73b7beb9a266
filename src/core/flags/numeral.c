#include "core/flags/numeral.h"

#include "core/flags/utf8.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* No double needs more digits to be told from its neighbours' midpoints;
     * that there are more is all that the rest can say. */
    DIGITS = 770,
    EXPONENT = 100000 /* beyond it everything is 0 or infinite */
};

static const char infinity[] = "Infinity";

static char *put(char *out, const char *text) {
    size_t len = strlen(text);
    memcpy(out, text, len + 1);
    return out + len;
}

char *mp_numeral_write(char *out, double number) {
    if (isnan(number))
        return put(out, "NaN");
    if (isinf(number))
        return put(out, number < 0 ? "-Infinity" : infinity);
    char *end = mp_num_double(out, number);
    char *e = memchr(out, 'e', (size_t)(end - out));
    if (!e || e[1] == '-')
        return end;
    memmove(e + 2, e + 1, (size_t)(end - e - 1));
    e[1] = '+';
    return end + 1;
}

/* ---- decimal ---- */

/* Digits without leading zeros, times 10^exponent. */
typedef struct decimal {
    char digits[DIGITS + 16]; /* room for the exponent as text, and a NUL */
    size_t count;
    long exponent;
} decimal;

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static void add_digit(decimal *number, char digit, bool behind_point) {
    if (number->count == 0 && digit == '0') {
        number->exponent -= behind_point;
    } else if (number->count < DIGITS) {
        number->digits[number->count++] = digit;
        number->exponent -= behind_point;
    } else {
        if (digit != '0')
            number->digits[DIGITS - 1] = '1'; /* it is no tie */
        number->exponent += !behind_point;
    }
}

/* The end of the digits at `at`. */
static const char *take_digits(decimal *number, const char *at, const char *end,
                               bool behind_point) {
    for (; at < end && is_digit(*at); at++)
        add_digit(number, *at, behind_point);
    return at;
}

/* The end of an exponent at `at`; `at` itself if there is none. */
static const char *take_exponent(decimal *number, const char *at,
                                 const char *end) {
    const char *digit = at + 1;
    if (at == end || (*at != 'e' && *at != 'E'))
        return at;
    bool negative = digit < end && *digit == '-';
    if (digit < end && (*digit == '-' || *digit == '+'))
        digit++;
    if (digit == end || !is_digit(*digit))
        return at;
    long exponent = 0;
    for (; digit < end && is_digit(*digit); digit++)
        if (exponent < EXPONENT)
            exponent = 10 * exponent + (*digit - '0');
    number->exponent += negative ? -exponent : exponent;
    return digit;
}

/* Without a point, so that strtod reads it in every locale. */
static double value_of(decimal *number) {
    if (number->count == 0)
        return 0;
    char *at = number->digits + number->count;
    long exponent = number->exponent;
    if (exponent > EXPONENT)
        exponent = EXPONENT;
    if (exponent < -EXPONENT)
        exponent = -EXPONENT;
    *at++ = 'e';
    at = mp_num_int64(at, exponent);
    *at = '\0';
    return strtod(number->digits, NULL);
}

/* The decimal number that `at` begins with; its end, or NULL if there is
 * none. */
static const char *take_decimal(const char *at, const char *end, double *out) {
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    size_t n = sizeof infinity - 1;
    if ((size_t)(end - at) >= n && memcmp(at, infinity, n) == 0) {
        *out = negative ? -INFINITY : INFINITY;
        return at + n;
    }
    decimal number;
    number.count = 0;
    number.exponent = 0;
    const char *whole_end = take_digits(&number, at, end, false);
    const char *stop = whole_end;
    bool any = whole_end > at;
    if (stop < end && *stop == '.') {
        const char *fraction = stop + 1;
        stop = take_digits(&number, fraction, end, true);
        any = any || stop > fraction;
    }
    if (!any)
        return NULL;
    stop = take_exponent(&number, stop, end);
    *out = negative ? -value_of(&number) : value_of(&number);
    return stop;
}

double mp_numeral_read_start(const char *text, size_t len) {
    double number = NAN;
    mp_utf8_trim_start(&text, &len);
    take_decimal(text, text + len, &number);
    return number;
}

/* ---- other bases ---- */

static int digit_of(char c) {
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 16;
}

/* Bits of a digit in the base that the letter behind a 0 names; 0: none. */
static int bits_of(char letter) {
    switch (letter | 0x20) {
    case 'x':
        return 4;
    case 'o':
        return 3;
    case 'b':
        return 1;
    default:
        return 0;
    }
}

/* Exact, rounded once: digits beyond 64 bits only say whether it is a tie. */
static double read_digits(const char *at, const char *end, int bits) {
    uint64_t number = 0;
    int dropped = 0;
    bool more = false;
    if (at == end)
        return NAN;
    for (; at < end; at++) {
        int digit = digit_of(*at);
        if (digit >> bits)
            return NAN;
        if (number >> (64 - bits - 1) == 0) {
            number = number << bits | (unsigned)digit;
        } else {
            more = more || digit != 0;
            dropped += dropped < EXPONENT ? bits : 0;
        }
    }
    return ldexp((double)(number | more), dropped);
}

double mp_numeral_read(const char *text, size_t len) {
    mp_utf8_trim(&text, &len);
    const char *end = text + len;
    double number = NAN;
    if (len == 0)
        return 0;
    if (len > 1 && text[0] == '0' && bits_of(text[1]) > 0)
        return read_digits(text + 2, end, bits_of(text[1]));
    return take_decimal(text, end, &number) == end ? number : NAN;
}
