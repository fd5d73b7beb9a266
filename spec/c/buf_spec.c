#include "core/base/buf.h"
#include "unit.h"

#include <stdint.h>

CASE(grows) {
    mp_buf buf = {0};
    for (int i = 0; i < 1000; i++)
        CHECK(mp_buf_puts(&buf, "0123456789") == MP_OK);
    CHECK(buf.len == 10000 && buf.cap >= buf.len && buf.err == MP_OK);
    CHECK(memcmp(buf.data + 9990, "0123456789", 10) == 0);
    mp_buf_free(&buf);
    CHECK(!buf.data && buf.len == 0 && buf.cap == 0);
}

CASE(stays_failed) {
    mp_buf buf = {.limit = 8};
    CHECK(mp_buf_puts(&buf, "1234") == MP_OK);
    CHECK(mp_buf_puts(&buf, "56789") == MP_INVALID);
    /* What would have found room before does not any more. */
    CHECK(mp_buf_puts(&buf, "5") == MP_INVALID);
    CHECK(mp_buf_add(&buf, "", 0) == MP_INVALID);
    CHECK(!mp_buf_reserve(&buf, 1));
    CHECK(buf.len == 4 && buf.cap == 4 && buf.err == MP_INVALID);
    mp_buf_free(&buf);
    CHECK(buf.err == MP_OK && buf.limit == 8);
}

CASE(keeps_the_first_error) {
    mp_buf buf = {0};
    CHECK(mp_buf_fail(&buf, MP_CLOSED) == MP_CLOSED);
    CHECK(mp_buf_fail(&buf, MP_INVALID) == MP_CLOSED);
    CHECK(!mp_buf_reserve(&buf, SIZE_MAX));
    CHECK(buf.err == MP_CLOSED && !buf.data);
}

CASE(more_than_memory_holds) {
    mp_buf buf = {0};
    CHECK(mp_buf_puts(&buf, "x") == MP_OK);
    CHECK(!mp_buf_reserve(&buf, SIZE_MAX));
    CHECK(buf.err == MP_MEMORY);
    mp_buf_free(&buf);
}

CASE(clears) {
    mp_buf buf = {.limit = 8};
    mp_buf_puts(&buf, "12345678");
    const char *data = buf.data;
    mp_buf_clear(&buf);
    CHECK(buf.len == 0 && buf.data == data && buf.cap == 8);
    CHECK(mp_buf_puts(&buf, "123456789") == MP_INVALID);
    mp_buf_clear(&buf);
    CHECK(buf.len == 0 && buf.err == MP_OK && buf.limit == 8);
    CHECK(mp_buf_puts(&buf, "12345678") == MP_OK);
    mp_buf_free(&buf);
}

CASE(rewinds) {
    mp_buf buf = {.limit = 8};
    mp_buf_puts(&buf, "1234");
    CHECK(mp_buf_puts(&buf, "56789") == MP_INVALID);
    mp_buf_rewind(&buf, 4);
    CHECK(mp_buf_puts(&buf, "5678") == MP_OK);
    CHECK_TEXT(buf.data, buf.len, "12345678");
    mp_buf_rewind(&buf, 2);
    CHECK_TEXT(buf.data, buf.len, "12");
    mp_buf_free(&buf);
}

int main(void) {
    RUN(grows);
    RUN(stays_failed);
    RUN(keeps_the_first_error);
    RUN(more_than_memory_holds);
    RUN(clears);
    RUN(rewinds);
    return unit_result();
}
