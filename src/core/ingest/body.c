#include "core/ingest/body.h"

#include "core/base/gzip.h"
#include "core/ingest/base64.h"
#include "core/ingest/form_data.h"

enum {
    KEPT = 256 * 1024 /* bytes of a buffer between two bodies */
};

static mp_err refuse(mp_body *body, const char *reason) {
    body->reason = reason;
    return MP_INVALID;
}

static mp_err refuse_size(mp_body *body) {
    body->reason = "it holds more than is taken at once";
    return MP_TOO_LARGE;
}

static void empty(mp_buf *buf) {
    if (buf->cap > KEPT)
        mp_buf_free(buf);
    mp_buf_clear(buf);
}

void mp_body_free(mp_body *body) {
    mp_buf_free(&body->inflated);
    mp_buf_free(&body->value);
    mp_buf_free(&body->decoded);
}

/* True if JSON of records begins here. A byte order mark is left to the
 * reader. */
static bool is_json(const char *text, size_t len) {
    mp_reader reader;
    mp_reader_start(&reader, text, len);
    char kind = mp_reader_peek(&reader);
    return kind == '{' || kind == '[';
}

static mp_err set_json(mp_body *body, const char *json, size_t len) {
    body->json = json;
    body->len = len;
    return MP_OK;
}

static mp_err read_base64(mp_body *body) {
    mp_err err =
        mp_base64_decode(&body->decoded, body->value.data, body->value.len);
    if (err == MP_INVALID)
        return refuse(body, "data is neither JSON nor padded base64");
    if (err == MP_OK)
        set_json(body, body->decoded.data, body->decoded.len);
    return err;
}

static mp_err read_form(mp_body *body, const char *bytes, size_t len) {
    mp_span value;
    body->form = (mp_span){bytes, len};
    if (!mp_form_data_find(bytes, len, "data", &value) || value.len == 0)
        return refuse(body, "data, missing or empty");
    mp_err err = mp_form_data_decode(&body->value, value.data, value.len);
    if (err != MP_OK)
        return err;
    return is_json(body->value.data, body->value.len)
               ? set_json(body, body->value.data, body->value.len)
               : read_base64(body);
}

static void start(mp_body *body) {
    body->reason = NULL;
    body->form = (mp_span){NULL, 0};
    empty(&body->inflated);
    empty(&body->value);
    empty(&body->decoded);
}

mp_err mp_body_inflate(mp_body *body, const char *bytes, size_t len,
                       size_t most) {
    start(body);
    mp_err err = mp_gunzip_add(&body->inflated, bytes, len, most);
    if (err == MP_TOO_LARGE)
        return refuse_size(body);
    if (err == MP_INVALID)
        return refuse(body, "the gzip is damaged");
    return err == MP_OK
               ? set_json(body, body->inflated.data, body->inflated.len)
               : err;
}

mp_err mp_body_read(mp_body *body, const char *bytes, size_t len, bool gzip,
                    size_t most) {
    if (gzip) {
        mp_err err = mp_body_inflate(body, bytes, len, most);
        if (err != MP_OK)
            return err;
        bytes = body->json;
        len = body->len;
    } else {
        start(body);
    }
    if (len > most)
        return refuse_size(body);
    return is_json(bytes, len) ? set_json(body, bytes, len)
                               : read_form(body, bytes, len);
}

char mp_body_flag(const mp_body *body, const char *name) {
    mp_span value;
    if (body->form.len == 0 ||
        !mp_form_data_find(body->form.data, body->form.len, name, &value) ||
        value.len == 0)
        return '\0';
    return *value.data;
}
