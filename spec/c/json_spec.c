#include "core/base/json.h"
#include "unit.h"

#include <stdint.h>
#include <stdlib.h>

static uint64_t state = 1;

static uint64_t next_random(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static bool continues(const unsigned char *s, size_t n, size_t i) {
    return i < n && s[i] >= 0x80 && s[i] <= 0xbf;
}

/* The code point at the start of `s`, its bytes in *used; UINT32_MAX for an
 * ill-formed sequence. Written for plainness, by decoding and judging each
 * prefix by the code points it could still become. */
static uint32_t decode(const unsigned char *s, size_t n, size_t *used) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char event_prefix = s[0];
    *used = 1;
    if (event_prefix < 0x80)
        return event_prefix;
    size_t length = event_prefix >> 5 == 6    ? 2
                    : event_prefix >> 4 == 14 ? 3
                                              : 4;
    if (event_prefix < 0xc0 || event_prefix > 0xf7)
        return UINT32_MAX;
    uint32_t code = event_prefix & (0x7fu >> length);
    for (size_t i = 1; i <= length; i++) {
        unsigned open = 6 * (unsigned)(length - i);
        uint32_t lowest = code << open;
        uint32_t highest = lowest + (UINT32_C(1) << open) - 1;
        if (highest < least[length] || lowest > 0x10ffff ||
            (lowest >= 0xd800 && highest <= 0xdfff))
            return UINT32_MAX;
        *used = i;
        if (i == length)
            break;
        if (!continues(s, n, i))
            return UINT32_MAX;
        code = code << 6 | (s[i] & 0x3f);
    }
    return code;
}

/* mp_json_string once more, byte by byte. `out` has room for 6 bytes for
 * each of the input and two quotes. */
static size_t naive(char *out, const char *s, size_t len, bool *repaired) {
    static const char *const names = "\"\"\\\\\bb\ff\nn\rr\tt";
    char *p = out;
    *p++ = '"';
    for (size_t i = 0, used; i < len; i += used) {
        uint32_t code = decode((const unsigned char *)s + i, len - i, &used);
        if (code == UINT32_MAX) {
            memcpy(p, "\xef\xbf\xbd", 3);
            p += 3;
            *repaired = true;
            continue;
        }
        const char *name = NULL;
        for (const char *at = names; *at; at += 2)
            if ((uint32_t)*at == code)
                name = at + 1;
        if (name) {
            *p++ = '\\';
            *p++ = *name;
        } else if (code < 0x20) {
            p += sprintf(p, "\\u%04x", code);
        } else {
            memcpy(p, s + i, used);
            p += used;
        }
    }
    *p++ = '"';
    return (size_t)(p - out);
}

static void check(const char *s, size_t len, const char *expected,
                  bool is_repaired) {
    mp_buf out = {0};
    bool repaired = false;
    CHECK(mp_json_string(&out, s, len, &repaired) == MP_OK);
    CHECK_TEXT(out.data, out.len, expected);
    CHECK(repaired == is_repaired);
    mp_buf_free(&out);
}

/* The text of a literal, which may hold NULs, alone and between others. */
#define GOOD(text, expected)                                                   \
    do {                                                                       \
        check(text, sizeof(text) - 1, "\"" expected "\"", false);              \
        check("0123456789" text "abcdefghijklm", sizeof(text) + 22,            \
              "\"0123456789" expected "abcdefghijklm\"", false);               \
    } while (0)

#define BAD(text, expected)                                                    \
    do {                                                                       \
        check(text, sizeof(text) - 1, "\"" expected "\"", true);               \
        check("0123456789" text "zyxwvutsrqpon", sizeof(text) + 22,            \
              "\"0123456789" expected "zyxwvutsrqpon\"", true);                \
    } while (0)

#define R "\xef\xbf\xbd"

CASE(plain) {
    GOOD("", "");
    GOOD("a", "a");
    GOOD("plan", "plan");
    GOOD("/a/b", "/a/b");
    GOOD("\x7f", "\x7f");
    GOOD("!#[]^ ~", "!#[]^ ~");
    GOOD("0123456", "0123456");
    GOOD("01234567", "01234567");
    GOOD("550e8400-e29b-41d4-a716-446655440000",
         "550e8400-e29b-41d4-a716-446655440000");
}

CASE(escapes) {
    GOOD("\"", "\\\"");
    GOOD("\\", "\\\\");
    GOOD("\b\f\n\r\t", "\\b\\f\\n\\r\\t");
    GOOD("\0", "\\u0000");
    GOOD("\x01\x07\x0b\x0e\x1f", "\\u0001\\u0007\\u000b\\u000e\\u001f");
    GOOD("say \"hello\"\n", "say \\\"hello\\\"\\n");
}

CASE(well_formed) {
    GOOD("\xc2\x80", "\xc2\x80");
    GOOD("\xdf\xbf", "\xdf\xbf");
    GOOD("\xe0\xa0\x80", "\xe0\xa0\x80");
    GOOD("\xe1\x80\x80", "\xe1\x80\x80");
    GOOD("\xec\xbf\xbf", "\xec\xbf\xbf");
    GOOD("\xed\x80\x80", "\xed\x80\x80");
    GOOD("\xed\x9f\xbf", "\xed\x9f\xbf");
    GOOD("\xee\x80\x80", "\xee\x80\x80");
    GOOD("\xef\xbf\xbf", "\xef\xbf\xbf");
    GOOD(R, R);
    GOOD("\xf0\x90\x80\x80", "\xf0\x90\x80\x80");
    GOOD("\xf1\x80\x80\x80", "\xf1\x80\x80\x80");
    GOOD("\xf3\xbf\xbf\xbf", "\xf3\xbf\xbf\xbf");
    GOOD("\xf4\x80\x80\x80", "\xf4\x80\x80\x80");
    GOOD("\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf");
    GOOD("na\xc3\xafve \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80",
         "na\xc3\xafve \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80");
}

CASE(overlong_or_out_of_range) {
    BAD("\xc0\x80", R R);
    BAD("\xc1\xbf", R R);
    BAD("\xe0\x80\x80", R R R);
    BAD("\xe0\x9f\xbf", R R R);
    BAD("\xf0\x80\x80\x80", R R R R);
    BAD("\xf0\x8f\xbf\xbf", R R R R);
    BAD("\xf4\x90\x80\x80", R R R R);
    BAD("\xf5\x80\x80\x80", R R R R);
    BAD("\xf8\x88\x80\x80\x80", R R R R R);
    BAD("\xff\xfe", R R);
}

CASE(surrogates) {
    BAD("\xed\xa0\x80", R R R);
    BAD("\xed\xbf\xbf", R R R);
    BAD("\xed\xa0\xbd\xed\xb8\x80", R R R R R R);
}

CASE(truncated_or_stray) {
    BAD("\x80", R);
    BAD("\xbf\xbf", R R);
    BAD("\xc2", R);
    BAD("\xe0", R);
    BAD("\xe0\xa0", R);
    BAD("\xe1\x80", R);
    BAD("\xed\x9f", R);
    BAD("\xf0", R);
    BAD("\xf0\x90", R);
    BAD("\xf0\x90\x80", R);
    BAD("\xf4\x8f\xbf", R);
    BAD("\xc3\xc3\xa9", R "\xc3\xa9");
    BAD("\xe6\x97\"", R "\\\"");
    BAD("\xe6\x97\xe6\x97\xa5", R "\xe6\x97\xa5");
    BAD("\xf0\x9f\x98\xf0\x9f\x98\x80", R "\xf0\x9f\x98\x80");
    /* The example of the Unicode standard, table 3-11. */
    BAD("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", R R R R "A");
}

/* Random strings of some kind, so that every path is met often. */
static void fill(char *s, size_t len) {
    uint64_t kind = next_random() % 5;
    uint64_t rarity = 1 + next_random() % 40;
    for (size_t i = 0; i < len; i++) {
        uint64_t r = next_random() >> 8;
        bool odd = kind > 0 && r % rarity == 0;
        r >>= 16;
        if (!odd)
            s[i] = (char)(' ' + r % 95);
        else if (kind == 1)
            s[i] = (char)(r % 256);
        else if (kind == 2)
            s[i] = "\"\\\n\x1f"[r % 4];
        else if (kind == 3)
            s[i] = (char)(0x80 + r % 128);
        else
            s[i] = "\xc3\xe6\x97\xa5\xf0\x9f\x98\x80\xed\xe0\xf4\xbf"[r % 12];
    }
}

CASE(as_the_naive_writer) {
    enum {
        LEN = 100,
        ROOM = 6 * LEN + 2
    };
    char expected[ROOM];
    int wrong = 0;
    for (int i = 0; i < 300000 && wrong < 5; i++) {
        size_t len = (size_t)(next_random() % (i % 4 ? 40 : LEN + 1));
        size_t offset = next_random() % 8;
        /* Exactly as long as the string, so that a sanitizer sees reads
         * beyond it. */
        char *block = malloc(offset + len + 1);
        char *s = block + offset + 1;
        fill(s, len);
        bool theirs = false, ours = false;
        size_t n = naive(expected, s, len, &theirs);
        mp_buf out = {.limit = offset + n};
        CHECK(mp_buf_add(&out, "prefix!", offset) == MP_OK);
        CHECK(mp_json_string(&out, s, len, &ours) == MP_OK);
        bool same = out.len == offset + n && ours == theirs &&
                    memcmp(out.data + offset, expected, n) == 0;
        if (!same) {
            wrong++;
            fprintf(stderr, "got %.*s, expected %.*s\n",
                    (int)(out.len - offset), out.data + offset, (int)n,
                    expected);
        }
        mp_buf_free(&out);
        free(block);
    }
    CHECK(wrong == 0);
}

CASE(exact_limit) {
    static const char *const strings[] = {
        "", "abc", "abcdefgh", "a\"b", "\n\n\n\n", "\x80\x81", "\xc3\xa9\x01",
    };
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        char expected[64];
        bool repaired = false;
        size_t len = strlen(strings[i]);
        size_t n = naive(expected, strings[i], len, &repaired);
        for (size_t limit = 5; limit <= 5 + n; limit++) {
            mp_buf out = {.limit = limit};
            CHECK(mp_buf_puts(&out, "first") == MP_OK);
            mp_err err = mp_json_string(&out, strings[i], len, &repaired);
            CHECK(err == (limit < 5 + n ? MP_INVALID : MP_OK));
            CHECK(out.err == err && out.len <= limit);
            CHECK(err != MP_OK || out.len == limit);
            CHECK(memcmp(out.data, "first", 5) == 0);
            CHECK(out.cap <= limit);
            mp_buf_free(&out);
        }
    }
}

CASE(repaired_is_never_cleared) {
    mp_buf out = {0};
    bool repaired = true;
    CHECK(mp_json_string(&out, "fine", 4, &repaired) == MP_OK);
    CHECK(repaired);
    mp_buf_free(&out);
}

CASE(long_strings) {
    enum {
        MB = 1024 * 1024
    };
    char *s = malloc(MB);
    bool repaired = false;
    memset(s, 'x', MB);
    mp_buf out = {.limit = MB + 2};
    CHECK(mp_json_string(&out, s, MB, &repaired) == MP_OK);
    CHECK(out.len == MB + 2 && memcmp(out.data + 1, s, MB) == 0);
    CHECK(out.cap == MB + 2);
    mp_buf_free(&out);

    memset(s, 1, MB);
    out = (mp_buf){0};
    CHECK(mp_json_string(&out, s, MB, &repaired) == MP_OK);
    CHECK(out.len == 6 * (size_t)MB + 2 && !repaired);
    mp_buf_free(&out);
    free(s);
}

static bool is_own(const char *text) {
    return mp_json_is_own(text, strlen(text));
}

CASE(a_spelling_that_is_written_here_is_our_own) {
    char all[0x80];
    bool repaired = false;
    mp_buf out = {0};
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (char)i;
    CHECK(mp_json_string(&out, all, sizeof all, &repaired) == MP_OK);
    CHECK(mp_json_is_own(out.data, out.len));
    mp_buf_free(&out);
    CHECK(is_own("{\"a b\":[1,-2e3,null,\"\\\\u\",\" \\\" \"],\"\":{}}"));
    CHECK(is_own("\"\xc3\xa9 \\u0000\"") && is_own("1"));
}

CASE(another_spelling_is_not) {
    static const char *const others[] = {
        "\"\\u0041\"", "\"\\/\"",
        "\"\\u000A\"", "\"\\u000a\"",
        "\"\\u001F\"", "\"\\u00e9\"",
        "\"\\u0022\"", "\"\\\\\\u005c\"",
        "\"\\u007f\"", "\"\\ud83d\\ude00\"",
        " 1",          "1 ",
        "[1,\t2]",     "[1\r\n]",
        "{\"a\" :1}",  "[\"\\\"\", 1]",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        CHECK(!is_own(others[i]));
}

int main(void) {
    RUN(plain);
    RUN(escapes);
    RUN(well_formed);
    RUN(overlong_or_out_of_range);
    RUN(surrogates);
    RUN(truncated_or_stray);
    RUN(as_the_naive_writer);
    RUN(exact_limit);
    RUN(repaired_is_never_cleared);
    RUN(long_strings);
    RUN(a_spelling_that_is_written_here_is_our_own);
    RUN(another_spelling_is_not);
    return unit_result();
}
