/* A unit test in C: a program that runs its cases in order, prints each
 * check that failed, then one line "N passed, N failed" that counts cases.
 *
 *     CASE(adds) { CHECK(1 + 1 == 2); }
 *     int main(void) { RUN(adds); return unit_result(); }
 */
#ifndef MP_UNIT_H
#define MP_UNIT_H

#include <stdio.h>
#include <string.h>

static int unit_passed, unit_failed, unit_bad;

#define CASE(name) static void case_##name(void)

#define RUN(name)                                                              \
    do {                                                                       \
        unit_bad = 0;                                                          \
        case_##name();                                                         \
        unit_bad ? unit_failed++ : unit_passed++;                              \
        if (unit_bad)                                                          \
            fprintf(stderr, "FAILED %s: %s\n", __FILE__, #name);               \
    } while (0)

#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition)) {                                                    \
            unit_bad = 1;                                                      \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);    \
        }                                                                      \
    } while (0)

/* Compares bytes of known length with a NUL-terminated text. */
#define CHECK_TEXT(bytes, len, text)                                           \
    do {                                                                       \
        size_t unit_n = strlen(text);                                          \
        if ((size_t)(len) != unit_n || memcmp((bytes), (text), unit_n) != 0) { \
            unit_bad = 1;                                                      \
            fprintf(stderr, "%s:%d: got %.*s, expected %s\n", __FILE__,        \
                    __LINE__, (int)(len), (const char *)(bytes), (text));      \
        }                                                                      \
    } while (0)

static int unit_result(void) {
    printf("%d passed, %d failed\n", unit_passed, unit_failed);
    return unit_failed > 0;
}

#endif
