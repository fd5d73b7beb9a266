#include "binding/encode/encode_scalar.h"

#include "binding/encode/type_hint.h"

#include "core/record/segment.h"

/* ---- errors ---- */

void mp_encode_refuse(mp_encode *e, const char *format, ...) {
    if (mp_encode_err(e))
        return;
    va_list args;
    va_start(args, format);
    mp_fault_vset(&e->fault, format, args);
    va_end(args);
    mp_buf_fail(e->out, MP_INVALID);
}

mp_err mp_encode_judge(mp_encode *e, size_t len) {
    mp_err err = mp_encode_err(e);
    bool over = err == MP_INVALID && e->fault.reason[0] == '\0';
    if (!over && (err || len <= MP_RECORD_MAX))
        return err;
    mp_fault_start(&e->fault, "");
    mp_fault_set(&e->fault,
                 "the record is %s%zu bytes of JSON; Mixpanel takes at most %d",
                 over ? "over " : "", over ? (size_t)MP_BODY_MAX : len,
                 MP_RECORD_MAX);
    return mp_buf_fail(e->out, MP_INVALID);
}

/* ---- scalars ---- */

void mp_encode_char(mp_encode *e, char c) {
    if (mp_buf_reserve(e->out, 1))
        e->out->data[e->out->len++] = c;
}

static void repair(mp_encode *e, const char *fault) {
    if (e->reject)
        mp_encode_refuse(e, "%s", fault);
    else
        e->repaired++;
}

void mp_encode_any_text(mp_encode *e, const char *text, size_t len) {
    bool repaired = false;
    mp_json_string(e->out, text, len, &repaired);
    if (repaired)
        repair(e, "the text is not valid UTF-8");
}

void mp_encode_null(mp_encode *e) {
    mp_buf_add(e->out, "null", 4);
}

void mp_encode_any_number(mp_encode *e) {
    if (!mp_buf_reserve(e->out, MP_NUM_MAX) || mp_encode_put_number(e, -1))
        return;
    repair(e, "the number is not finite");
    mp_encode_null(e);
}

void mp_encode_number(mp_encode *e) {
    mp_digits digits;
    char shown[MP_SHOWN];
    bool is_number = lua_type(e->L, -1) == LUA_TNUMBER;
    if (!mp_buf_reserve(e->out, MP_NUM_MAX) ||
        (is_number && mp_encode_put_number(e, -1)))
        return;
    if (mp_type_hint_of(e->L, -1, &digits) == MP_HINT_INTEGER)
        mp_buf_add(e->out, digits.text, digits.len);
    else
        mp_encode_refuse(e, "%s is no finite number",
                         mp_fault_show(e->L, -1, shown));
}

/* ---- brackets ---- */

void mp_encode_close(mp_encode *e, size_t start, const char brackets[2]) {
    if (e->out->len == start)
        mp_encode_char(e, brackets[0]);
    else
        e->out->data[start] = brackets[0];
    mp_encode_char(e, brackets[1]);
}
