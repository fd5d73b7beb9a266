#include "core/base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *mp_text_copy(const char *text) {
    size_t bytes = strlen(text) + 1;
    char *copy = malloc(bytes);
    return copy ? memcpy(copy, text, bytes) : NULL;
}

char *mp_text_format(const char *format, ...) {
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = len < 0 ? NULL : malloc((size_t)len + 1);
    if (!text)
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return text;
}

const char *mp_text_find(const char *text, size_t len, const char *part,
                         size_t part_len) {
    const char *end = text + len;
    while ((size_t)(end - text) >= part_len) {
        const char *at =
            memchr(text, part[0], (size_t)(end - text) - part_len + 1);
        if (!at || memcmp(at, part, part_len) == 0)
            return at;
        text = at + 1;
    }
    return NULL;
}

static int to_lower(char c) {
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

bool mp_text_begins(const char *text, const char *start) {
    while (*start && to_lower(*text) == to_lower(*start)) {
        text++;
        start++;
    }
    return *start == '\0';
}

bool mp_text_same(const char *a, const char *b) {
    return mp_text_begins(a, b) && mp_text_begins(b, a);
}

bool mp_text_ends(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}
