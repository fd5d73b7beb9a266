/* Doubles are printed with Schubfach (Raffaello Giulietti, "The Schubfach way
 * to render doubles"), which in short is this.
 *
 * A double is c * 2^q. Everything between the midpoints to its neighbours
 * reads back as it; the midpoints themselves do if c is even, since readers
 * round ties to even. That interval is 2^q wide (3/4 of that at a power of
 * two, where the neighbour below is closer). Let 10^k be the greatest power
 * of ten not above the width. Then
 *
 * - the multiples of 10^(k+1) lie further apart than the interval is wide: at
 *   most one is inside, and every shorter decimal inside is that one;
 * - the multiples of 10^k lie closer: at least one is inside, and the one
 *   closest to the value is one of the two around it.
 *
 * So it takes four comparisons and no search. Midpoints lie halfway between
 * multiples of 2^q, and ties between multiples of 10^k halfway between those,
 * so everything is scaled to quarters of 10^k and then compared with even
 * numbers of quarters, exactly, although 10^-k is only known to 128 bits: no
 * double has a value or midpoint that lies less than 2^-62.6 above or 2^-60.6
 * below such a number without being one (found with the Euclidean algorithm
 * on every 2^q / 10^k), and the products err by less than 2^-64. */
#include "core/base/num.h"

#include "core/base/byte_order.h"
#include "core/base/num_pow10.h"
#include "core/base/wide.h"

#include <stdbool.h>
#include <string.h>

/* digits * 10^exponent */
typedef struct decimal {
    uint64_t digits;
    int exponent;
} decimal;

enum {
    FRACTION_BITS = 52,
    EXPONENT_MASK = 0x7ff,
    MIN_Q = -1074, /* of subnormals and of the smallest normal doubles */
    /* The plain form is for 10^-6 up to below 10^21, in which so many digits
     * stand in front of the point. */
    PLAIN_MIN = -5,
    PLAIN_MAX = 21
};

/* floor(log10(2^q)), or floor(log10(3/4 * 2^q)); holds for every q of a
 * double. Shifts of negative numbers round down in gcc and clang. */
static int floor_log10(int q, bool three_quarters) {
    return (q * 1262611 - (three_quarters ? 524031 : 0)) >> 22;
}

/* floor(log2(10^n)), for the n of the table. */
static int floor_log2_pow10(int n) {
    return (n * 1741647) >> 19;
}

/* floor(n * power / 2^128), made odd if that cut anything off, so that it
 * compares with even numbers as the full product would. */
static uint64_t scale(const uint64_t power[2], uint64_t n) {
    mp_wide product = mp_wide_multiply(power[0], n);
    uint64_t carry = mp_wide_multiply(power[1], n).high;
    product.low += carry;
    product.high += product.low < carry;
    return product.high | (product.low != 0);
}

/* The shortest decimal that reads back as the positive double of these bits,
 * and of those the closest. Its digits may end in zeros. */
static decimal shortest(uint64_t bits) {
    uint64_t c = bits & ((UINT64_C(1) << FRACTION_BITS) - 1);
    int q = (int)(bits >> FRACTION_BITS) & EXPONENT_MASK;
    bool close_below = c == 0 && q > 1;
    if (q > 0) {
        c |= UINT64_C(1) << FRACTION_BITS;
        q--;
    }
    q += MIN_Q;

    int k = floor_log10(q, close_below);
    const uint64_t *power = pow10_bits[-k - POW10_MIN];
    int shift = q + floor_log2_pow10(-k) + 1; /* 1 to 4 */
    /* In quarters of 10^k; the ends are inside for even c only. */
    uint64_t odd = c & 1;
    uint64_t value = scale(power, (4 * c) << shift);
    uint64_t from = scale(power, (4 * c - 2 + close_below) << shift) + odd;
    uint64_t to = scale(power, (4 * c + 2) << shift) - odd;

    /* The two smallest doubles have no tens; they too come out as they
     * should, as 5e-324 and 1e-323. */
    uint64_t tens = value / 40;
    bool below = 40 * tens >= from;
    bool above = 40 * tens + 40 <= to;
    if (below != above)
        return (decimal){tens + above, k + 1};

    uint64_t ones = value / 4;
    below = 4 * ones >= from;
    above = 4 * ones + 4 <= to;
    if (below == above) {
        uint64_t middle = 4 * ones + 2;
        above = value > middle || (value == middle && (ones & 1));
    }
    return (decimal){ones + above, k};
}

static const char pairs[] = "00010203040506070809"
                            "10111213141516171819"
                            "20212223242526272829"
                            "30313233343536373839"
                            "40414243444546474849"
                            "50515253545556575859"
                            "60616263646566676869"
                            "70717273747576777879"
                            "80818283848586878889"
                            "90919293949596979899";

static int count_digits(uint64_t n) {
    // clang-format off
    static const uint64_t powers[] = {
        0, 10U, 100U, 1000U, 10000U, 100000U, 1000000U, 10000000U, 100000000U,
        1000000000U, 10000000000U, 100000000000U, 1000000000000U,
        10000000000000U, 100000000000000U, 1000000000000000U,
        10000000000000000U, 100000000000000000U,
        1000000000000000000U, 10000000000000000000U,
    };
    // clang-format on
    /* 1233 / 4096 is log10(2), close enough for 64 bits. */
    int guess = ((64 - __builtin_clzll(n | 1)) * 1233) >> 12;
    return guess + (n >= powers[guess]);
}

/* Writes eight digits. Halves, quarters and digits of n are split off side by
 * side in one word; for numbers so small the multiplications and shifts are
 * exact divisions by 100 and 10. */
static void put_eight(char *out, uint32_t n) {
    uint64_t x = n / 10000 | (uint64_t)(n % 10000) << 32;
    uint64_t tens = x * 10486 >> 20 & UINT64_C(0x0000007f0000007f);
    x = tens | (x - tens * 100) << 16;
    tens = x * 103 >> 10 & UINT64_C(0x000f000f000f000f);
    x = tens | (x - tens * 10) << 8;
    x = mp_byte_order_little(x + UINT64_C(0x3030303030303030));
    memcpy(out, &x, 8);
}

/* Writes n, which has `count` digits. */
static char *put_digits(char *out, uint64_t n, int count) {
    const uint64_t eight = 100000000;
    char *end = out + count, *p = end;
    for (; p - out > 8; n /= eight)
        put_eight(p -= 8, (uint32_t)(n % eight));
    for (; p - out >= 2; n /= 100)
        memcpy(p -= 2, pairs + n % 100 * 2, 2);
    if (p > out)
        *out = (char)('0' + n);
    return end;
}

char *mp_num_uint64(char *out, uint64_t value) {
    if (value < 10) { /* as most numbers are */
        *out = (char)('0' + value);
        return out + 1;
    }
    if (value < 100) {
        memcpy(out, pairs + value * 2, 2);
        return out + 2;
    }
    return put_digits(out, value, count_digits(value));
}

char *mp_num_int64(char *out, int64_t value) {
    uint64_t magnitude = (uint64_t)value;
    if (value < 0) {
        *out++ = '-';
        magnitude = 0 - magnitude;
    }
    return mp_num_uint64(out, magnitude);
}

static decimal strip_zeros(decimal number) {
    if (number.digits % 100000000 == 0) {
        number.digits /= 100000000;
        number.exponent += 8;
    }
    for (; number.digits % 10 == 0; number.exponent++)
        number.digits /= 10;
    return number;
}

/* Writes n with a point behind its first `whole` digits, or without one if
 * no digits follow. */
static char *put_pointed(char *out, uint64_t n, int count, int whole) {
    char *end = put_digits(out + 1, n, count);
    memmove(out, out + 1, (size_t)whole);
    if (whole == count)
        return end - 1;
    out[whole] = '.';
    return end;
}

static char *put_decimal(char *out, decimal number) {
    int count = count_digits(number.digits);
    int point = count + number.exponent; /* digits in front of it */
    if (point >= PLAIN_MIN && point <= 0) {
        memset(out, '0', 8);
        out[1] = '.';
        return put_digits(out + 2 - point, number.digits, count);
    }
    if (point > 0 && point < count)
        return put_pointed(out, number.digits, count, point);
    if (point > 0 && point <= PLAIN_MAX) {
        out = put_digits(out, number.digits, count);
        memset(out, '0', (size_t)number.exponent);
        return out + number.exponent;
    }
    out = put_pointed(out, number.digits, count, 1);
    *out++ = 'e';
    return mp_num_int64(out, point - 1);
}

/* Writes a positive number of few digits behind the point, as prices are, at
 * half the cost of `shortest`; NULL, and nothing is written, for any other.
 * The division is exact as a test: its operands are, and it rounds as readers
 * of decimals do. These quotients lie further apart than doubles, so there is
 * no shorter decimal than the one without its last zeros. */
static char *put_short(char *out, double size) {
    enum {
        DIGITS = 4,
        POWER = 10000
    };
    if (size >= 1e9)
        return NULL;
    int64_t scaled = (int64_t)(size * POWER + 0.5);
    if ((double)scaled / POWER != size)
        return NULL;
    uint64_t whole = (uint64_t)scaled / POWER;
    uint64_t fraction = (uint64_t)scaled % POWER; /* not 0: see the caller */
    out = mp_num_uint64(out, whole);
    *out++ = '.';
    memcpy(out, pairs + fraction / 100 * 2, 2);
    memcpy(out + 2, pairs + fraction % 100 * 2, 2);
    for (out += DIGITS; out[-1] == '0'; out--)
        continue;
    return out;
}

char *mp_num_double(char *out, double value) {
    const double exact = 9007199254740992.0; /* 2^53 */
    if (value > -exact && value < exact) {
        int64_t whole = (int64_t)value;
        if ((double)whole == value)
            return mp_num_int64(out, whole);
    }
    if (value < 0) {
        *out++ = '-';
        value = -value;
    }
    char *end = put_short(out, value);
    if (end)
        return end;
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return put_decimal(out, strip_zeros(shortest(bits)));
}
