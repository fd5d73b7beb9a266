#include "core/base/gzip.h"
#include "core/ingest/base64.h"
#include "core/ingest/body.h"
#include "core/ingest/form_data.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    MOST = 100000
};

static mp_body body;

static void check_json(const char *bytes, const char *expected) {
    CHECK(mp_body_read(&body, bytes, strlen(bytes), false, MOST) == MP_OK);
    CHECK_TEXT(body.json, body.len, expected);
}

static void check_refused(const char *bytes, size_t len, bool gzip,
                          const char *reason) {
    CHECK(mp_body_read(&body, bytes, len, gzip, MOST) == MP_INVALID);
    CHECK_TEXT(body.reason, strlen(body.reason), reason);
}

static void check_too_large(const char *bytes, size_t len, bool gzip) {
    static const char reason[] = "it holds more than is taken at once";
    CHECK(mp_body_read(&body, bytes, len, gzip, MOST) == MP_TOO_LARGE);
    CHECK_TEXT(body.reason, strlen(body.reason), reason);
}

CASE(takes_json) {
    check_json("[{}]", "[{}]");
    check_json(" \r\n{\"a\":\"data=1\"}", " \r\n{\"a\":\"data=1\"}");
    CHECK(mp_body_flag(&body, "data") == '\0');
}

CASE(takes_forms) {
    check_json("data=%5B%7B%7D%5D", "[{}]");
    check_json("verbose=1&data=[{}]&ip=0", "[{}]");
    CHECK(mp_body_flag(&body, "verbose") == '1');
    CHECK(mp_body_flag(&body, "ip") == '0');
    CHECK(mp_body_flag(&body, "img") == '\0');
    CHECK(mp_body_flag(&body, "erbose") == '\0');
    check_json("xdata=1&data={\"a\":\"b+c%2Bd%zz%4\"}",
               "{\"a\":\"b c+d%zz%4\"}");
}

CASE(takes_base64_in_forms) {
    check_json("data=W3t9XQ==", "[{}]");
    check_json("data=W3t9XQ%3D%3D&verbose=1", "[{}]");
    check_json("data=eyJhIjoi8J%2BYgCJ9", "{\"a\":\"\xf0\x9f\x98\x80\"}");
    /* Not percent-encoded, so the + came in as a space. */
    check_json("data=eyJhIjoi8J+YgCJ9", "{\"a\":\"\xf0\x9f\x98\x80\"}");
    check_json("data=W3t9%0D%0AXQ==", "[{}]");
}

CASE(refuses_what_holds_nothing) {
    static const char missing[] = "data, missing or empty";
    static const char neither[] = "data is neither JSON nor padded base64";
    check_refused("", 0, false, missing);
    check_refused("hello", 5, false, missing);
    check_refused("data=", 5, false, missing);
    check_refused("data=W3t9XQ", 11, false, neither);
    check_refused("data=W3t9XQ=", 12, false, neither);
    check_refused("data=W3t9X===", 13, false, neither);
    check_refused("data=W3t9XQ==W", 14, false, neither);
    check_refused("data=W3t_XQ==", 13, false, neither);
    check_refused("data====", 8, false, neither);
}

static mp_buf gzipped(const char *bytes, size_t len) {
    mp_buf out = {0};
    mp_gzip *gzip = mp_gzip_borrow(6);
    CHECK(mp_gzip_add(gzip, &out, bytes, len) == MP_OK);
    mp_gzip_give_back(gzip);
    return out;
}

CASE(takes_gzip) {
    mp_buf json = gzipped("[{}]", 4), form = gzipped("data=W3t9XQ==", 13);
    CHECK(mp_body_read(&body, json.data, json.len, true, MOST) == MP_OK);
    CHECK_TEXT(body.json, body.len, "[{}]");
    CHECK(mp_body_read(&body, form.data, form.len, true, MOST) == MP_OK);
    CHECK_TEXT(body.json, body.len, "[{}]");
    mp_buf nothing = gzipped("", 0);
    CHECK(mp_body_read(&body, nothing.data, nothing.len, true, MOST) ==
          MP_INVALID);
    CHECK_TEXT(body.reason, strlen(body.reason), "data, missing or empty");
    mp_buf_free(&nothing);
    mp_buf_free(&json);
    mp_buf_free(&form);
}

CASE(refuses_gzip_that_is_damaged_or_a_bomb) {
    static const char damaged[] = "the gzip is damaged";
    check_refused("[{}]", 4, true, damaged);
    char *zeros = calloc(1, MOST + 1);
    mp_buf bomb = gzipped(zeros, MOST + 1);
    check_too_large(bomb.data, bomb.len, true);
    memset(bomb.data + bomb.len - 4, 0, 4); /* what it says of its size */
    check_too_large(bomb.data, bomb.len, true);
    check_refused(bomb.data, bomb.len / 2, true, damaged);
    mp_buf_free(&bomb);
    mp_buf most = gzipped(zeros, MOST);
    CHECK(mp_body_inflate(&body, most.data, most.len, MOST) == MP_OK);
    CHECK(body.len == MOST && body.json[MOST - 1] == '\0');
    memset(most.data + most.len - 4, 0xff, 4);
    check_refused(most.data, most.len, true, damaged);
    memset(most.data + most.len - 4, 0, 4);
    check_refused(most.data, most.len, true, damaged);
    mp_buf_free(&most);
    check_too_large(zeros, MOST + 1, false);
    free(zeros);
}

CASE(reads_back_what_base64_wrote) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
                                 "qrstuvwxyz0123456789+/";
    mp_buf out = {0};
    for (unsigned n = 0; n < 256 * 256; n++) {
        unsigned char in[2] = {(unsigned char)(n >> 8), (unsigned char)n};
        char text[4] = {digits[in[0] >> 2],
                        digits[(in[0] & 3) << 4 | in[1] >> 4],
                        digits[(in[1] & 15) << 2], '='};
        out.len = 0;
        bool same = mp_base64_decode(&out, text, 4) == MP_OK && out.len == 2 &&
                    memcmp(out.data, in, 2) == 0;
        CHECK(same);
    }
    out.len = 0;
    CHECK(mp_base64_decode(&out, "", 0) == MP_OK && out.len == 0);
    mp_buf_free(&out);
}

/* Bytes of all kinds, of which every `often`th or so is percent-encoded. */
static void check_form(const unsigned char *in, size_t n, unsigned often) {
    static char text[3 * 100 + 1];
    static unsigned turn;
    mp_buf out = {0};
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        if (in[i] == '%' || in[i] == '+' || turn++ % often == 0)
            len += (size_t)sprintf(text + len, "%%%02x", in[i]);
        else if (in[i] == ' ')
            text[len++] = '+';
        else
            text[len++] = (char)in[i];
    }
    CHECK(mp_form_data_decode(&out, text, len) == MP_OK);
    CHECK_TEXT(out.data, out.len, (const char *)in);
    mp_buf_free(&out);
}

CASE(reads_back_forms_of_every_length) {
    unsigned char in[101];
    for (size_t n = 1; n <= 100; n++)
        for (unsigned often = 1; often < 40; often++) {
            for (size_t i = 0; i < n; i++)
                in[i] = (unsigned char)(1 + (i * 7 + n * often) % 255);
            in[n] = '\0';
            check_form(in, n, often);
        }
}

/* Whatever stands between the digits, and wherever. */
CASE(reads_base64_of_every_length) {
    static const char digits[] = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNk";
    static const char meant[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcd";
    mp_buf out = {0};
    char text[64];
    for (size_t n = 4; n < sizeof digits; n += 4)
        for (size_t at = 0; at <= n; at++)
            for (const char *c = "\n\r\x80\xff=-"; *c; c++) {
                memcpy(text, digits, at);
                text[at] = *c;
                memcpy(text + at + 1, digits + at, n - at);
                out.len = 0;
                bool skipped = *c == '\n' || *c == '\r';
                mp_err err = mp_base64_decode(&out, text, n + 1);
                CHECK(err == (skipped ? MP_OK : MP_INVALID));
                bool same = out.len == n / 4 * 3 &&
                            memcmp(out.data, meant, out.len) == 0;
                CHECK(!skipped || same);
            }
    mp_buf_free(&out);
}

int main(void) {
    RUN(takes_json);
    RUN(takes_forms);
    RUN(takes_base64_in_forms);
    RUN(refuses_what_holds_nothing);
    RUN(takes_gzip);
    RUN(refuses_gzip_that_is_damaged_or_a_bomb);
    RUN(reads_back_what_base64_wrote);
    RUN(reads_back_forms_of_every_length);
    RUN(reads_base64_of_every_length);
    mp_body_free(&body);
    return unit_result();
}
