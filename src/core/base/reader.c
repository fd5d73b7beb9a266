#include "core/base/reader.h"

#include "core/base/json.h"

#include <stdint.h>
#include <string.h>

void mp_reader_start(mp_reader *r, const char *text, size_t len) {
    static const char mark[] = "\xef\xbb\xbf";
    *r = (mp_reader){.start = text, .at = text, .end = text + len};
    if (len >= 3 && memcmp(text, mark, 3) == 0)
        r->at += 3;
}

bool mp_reader_fail(mp_reader *r, const char *error) {
    r->error = error;
    return false;
}

static bool is_space(char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

char mp_reader_peek_behind_space(mp_reader *r) {
    while (r->at < r->end && is_space(*r->at))
        r->at++;
    if (r->at == r->end)
        return '\0';
    return *r->at;
}

/* ---- objects and lists ---- */

void mp_reader_open(mp_reader *r, bool *first) {
    r->at++;
    *first = true;
}

bool mp_reader_more(mp_reader *r, char close, bool *first) {
    char c = mp_reader_peek(r);
    if (c == close) {
        r->at++;
        return false;
    }
    if (*first) {
        *first = false;
        return true;
    }
    if (c != ',')
        return mp_reader_fail(r, close == '}' ? "expected , or }"
                                              : "expected , or ]");
    r->at++;
    return true;
}

/* ---- strings ---- */

static bool is_hex(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* The length of the escape at `at`; 0: it is none. */
static size_t escape_length(const char *at, const char *end) {
    if (end - at < 2 || at[1] == '\0' || !strchr("\"\\/bfnrtu", at[1]))
        return 0;
    if (at[1] != 'u')
        return 2;
    if (end - at < 6)
        return 0;
    for (int i = 2; i < 6; i++)
        if (!is_hex(at[i]))
            return 0;
    return 6;
}

/* Reads on from the first byte that is not plain, in a string whose quote
 * stands in front of `from`. */
static bool read_string(mp_reader *r, const char *from, mp_span *text,
                        bool *clean) {
    *clean = true;
    for (;;) {
        r->at += mp_json_clean(r->at, (size_t)(r->end - r->at));
        if (r->at == r->end)
            return mp_reader_fail(r, "the string does not end");
        if (*r->at == '"')
            break;
        *clean = false;
        size_t step = 1; /* over a byte of ill-formed UTF-8 */
        if (*r->at == '\\')
            step = escape_length(r->at, r->end);
        else if ((unsigned char)*r->at < 0x20)
            return mp_reader_fail(r, "a control character in a string");
        else
            r->ill_formed = true;
        if (step == 0)
            return mp_reader_fail(r, "a backslash that begins no escape");
        r->at += step;
    }
    *text = (mp_span){from, (size_t)(r->at - from)};
    r->at++;
    return true;
}

/* The first byte that is not plain; or one less than eight bytes in front of
 * the end, with all before it plain. */
static inline const char *skip_words(const char *at, const char *end) {
    for (; MP_WORD_LITTLE && end - at >= 8; at += 8) {
        uint64_t found = mp_json_marks(mp_word_load(at));
        if (found)
            return at + mp_word_first(found);
    }
    return at;
}

static inline bool read_any(mp_reader *r, mp_span *text, bool *clean) {
    if (mp_reader_peek(r) != '"')
        return mp_reader_fail(r, "expected a string");
    const char *from = r->at + 1;
    r->at = skip_words(from, r->end);
    if (r->at == r->end || *r->at != '"')
        return read_string(r, from, text, clean);
    *text = (mp_span){from, (size_t)(r->at - from)};
    *clean = true;
    r->at++;
    return true;
}

bool mp_reader_string(mp_reader *r, mp_span *text, bool *clean) {
    return read_any(r, text, clean);
}

bool mp_reader_name(mp_reader *r, mp_span *text, bool *clean) {
    if (!read_any(r, text, clean))
        return false;
    if (mp_reader_peek(r) != ':')
        return mp_reader_fail(r, "expected :");
    r->at++;
    return true;
}

/* ---- scalars ---- */

/* Reads at least one digit. */
static bool read_digits(mp_reader *r) {
    const char *from = r->at;
    while (r->at < r->end && is_digit(*r->at))
        r->at++;
    return r->at > from || mp_reader_fail(r, "expected a digit");
}

bool mp_reader_number(mp_reader *r, mp_span *text) {
    char c = mp_reader_peek(r);
    const char *from = r->at;
    if (c != '-' && !is_digit(c))
        return mp_reader_fail(r, "expected a value");
    if (c == '-')
        r->at++;
    if (r->at < r->end && *r->at == '0')
        r->at++; /* what follows is not of the number */
    else if (!read_digits(r))
        return false;
    if (r->at < r->end && *r->at == '.') {
        r->at++;
        if (!read_digits(r))
            return false;
    }
    if (r->at < r->end && (*r->at == 'e' || *r->at == 'E')) {
        r->at++;
        if (r->at < r->end && (*r->at == '+' || *r->at == '-'))
            r->at++;
        if (!read_digits(r))
            return false;
    }
    *text = (mp_span){from, (size_t)(r->at - from)};
    return true;
}

bool mp_reader_literal(mp_reader *r, mp_span *text) {
    char c = mp_reader_peek(r);
    const char *word = c == 't' ? "true" : c == 'f' ? "false" : "null";
    size_t len = strlen(word);
    if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0)
        return mp_reader_fail(r, "expected a value");
    *text = (mp_span){r->at, len};
    r->at += len;
    return true;
}

/* ---- skipping ---- */

static bool skip_scalar(mp_reader *r) {
    mp_span text;
    bool clean;
    char c = mp_reader_peek(r);
    if (c == '"')
        return mp_reader_string(r, &text, &clean);
    if (c == '-' || is_digit(c))
        return mp_reader_number(r, &text);
    return mp_reader_literal(r, &text);
}

/* The kinds of the objects and lists around a value, a bit for each. */
typedef struct nesting {
    size_t depth;
    uint64_t objects[MP_READER_DEPTH / 64];
} nesting;

static bool in_object(const nesting *n) {
    size_t i = n->depth - 1;
    return n->objects[i / 64] >> (i % 64) & 1;
}

static bool enter(mp_reader *r, nesting *n, bool object) {
    size_t i = n->depth;
    uint64_t bit = UINT64_C(1) << (i % 64);
    if (i == MP_READER_DEPTH)
        return mp_reader_fail(r, "nested deeper than 1024 levels");
    if (object)
        n->objects[i / 64] |= bit;
    else
        n->objects[i / 64] &= ~bit;
    n->depth++;
    return true;
}

/* Reads up to the next value inside of what surrounds it, leaving all that
 * closes here; with a depth of 0 there is none. */
static bool next_value(mp_reader *r, nesting *n, bool *first) {
    mp_span name;
    bool clean;
    while (n->depth > 0) {
        bool object = in_object(n);
        if (mp_reader_more(r, object ? '}' : ']', first))
            return !object || mp_reader_name(r, &name, &clean);
        if (r->error)
            return false;
        n->depth--;
        *first = false;
    }
    return true;
}

bool mp_reader_skip(mp_reader *r) {
    nesting n = {0};
    bool first = false;
    do {
        char c = mp_reader_peek(r);
        if (c == '{' || c == '[') {
            if (!enter(r, &n, c == '{'))
                return false;
            mp_reader_open(r, &first);
        } else if (!skip_scalar(r)) {
            return false;
        }
        if (!next_value(r, &n, &first))
            return false;
    } while (n.depth > 0);
    return true;
}
