#include "core/wire/request.h"

#include "core/base/version.h"

#include <stdarg.h>
#include <stdio.h>

/* Appends the texts up to NULL and then a NUL. */
static mp_err join(mp_buf *out, ...) {
    va_list texts;
    va_start(texts, out);
    mp_err err = MP_OK;
    const char *text;
    while (err == MP_OK && (text = va_arg(texts, const char *)))
        err = mp_buf_puts(out, text);
    va_end(texts);
    return err == MP_OK ? mp_buf_add(out, "", 1) : err;
}

/* Parameters: Mixpanel docs, ingestion API. `ip` says whether the sender's
 * address is the user's. A token as credentials goes without project_id, a
 * service account never without. */
static mp_err make_url(mp_buf *url, const mp_endpoint *endpoint,
                       const mp_config *config, bool geolocate) {
    const char *parameter = "", *value = "";
    if (endpoint->geolocates) {
        parameter = "&ip=";
        value = geolocate ? "1" : "0";
    } else if (endpoint->authenticates && config->username) {
        parameter = "&project_id=";
        value = config->project_id;
    }
    return join(url, config->base_url, endpoint->path, "?", endpoint->query,
                parameter, value, NULL);
}

static mp_err add_base64(mp_buf *out, const char *text, size_t len) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        unsigned group = (unsigned)(unsigned char)text[i] << 16;
        if (i + 1 < len)
            group |= (unsigned)(unsigned char)text[i + 1] << 8;
        if (i + 2 < len)
            group |= (unsigned char)text[i + 2];
        char four[4] = {digits[group >> 18], digits[group >> 12 & 63],
                        digits[group >> 6 & 63], digits[group & 63]};
        if (i + 1 >= len)
            four[2] = '=';
        if (i + 2 >= len)
            four[3] = '=';
        mp_buf_add(out, four, 4);
    }
    return out->err;
}

/* HTTP Basic: the service account, else the token as user name with an empty
 * password (Mixpanel docs, import events, authentication). */
static mp_err make_authorization(mp_buf *header, const mp_config *config) {
    mp_buf pair = {0};
    mp_err err =
        mp_buf_puts(&pair, config->username ? config->username : config->token);
    if (err == MP_OK)
        err = mp_buf_puts(&pair, ":");
    if (err == MP_OK && config->username)
        err = mp_buf_puts(&pair, config->secret);
    if (err == MP_OK)
        err = mp_buf_puts(header, "Authorization: Basic ");
    if (err == MP_OK)
        err = add_base64(header, pair.data, pair.len);
    if (err == MP_OK)
        err = mp_buf_add(header, "", 1);
    mp_buf_free(&pair);
    return err;
}

static mp_err make_body(mp_request *request, const mp_batch *batch,
                        mp_gzip *gzip) {
    if (!gzip) {
        mp_err err = mp_batch_body(batch, &request->body);
        request->raw_bytes = request->body.len;
        return err;
    }
    mp_buf raw = {0};
    mp_err err = mp_batch_body(batch, &raw);
    request->raw_bytes = raw.len;
    if (err == MP_OK)
        err = mp_gzip_add(gzip, &request->body, raw.data, raw.len);
    mp_buf_free(&raw);
    return err;
}

static mp_err make_headers(mp_request *request, const mp_endpoint *endpoint,
                           const mp_config *config, bool gzip) {
    mp_buf *header = request->headers;
    mp_err err = join(header++, "Content-Type: application/json", NULL);
    if (err == MP_OK)
        err = join(header++, "User-Agent: mixpanel-lua/" MP_VERSION, NULL);
    if (err == MP_OK && gzip)
        err = join(header++, "Content-Encoding: gzip", NULL);
    if (err == MP_OK && endpoint->authenticates)
        err = make_authorization(header, config);
    return err;
}

mp_err mp_request_make(mp_request *request, const mp_batch *batch,
                       const mp_config *config, const mp_settings *settings,
                       mp_gzip *gzip) {
    const mp_endpoint *endpoint = batch->endpoint;
    if (!endpoint->gzip)
        gzip = NULL;
    mp_err err = make_url(&request->url, endpoint, config, settings->geolocate);
    if (err == MP_OK)
        err = make_headers(request, endpoint, config, gzip != NULL);
    request->no_resend = mp_batch_entry(batch, 0)->kind == MP_NON_IDEMPOTENT;
    return err == MP_OK ? make_body(request, batch, gzip) : err;
}

mp_err mp_request_check(mp_request *request, const mp_config *config) {
    const mp_endpoint *endpoint = &mp_endpoints[MP_LANE_IMPORT];
    mp_err err = make_url(&request->url, endpoint, config, false);
    if (err == MP_OK)
        err = make_headers(request, endpoint, config, false);
    if (err == MP_OK)
        err =
            mp_buf_puts(&request->body, "[{\"event\":\"\",\"properties\":{}}]");
    request->raw_bytes = request->body.len;
    return err;
}

void mp_request_free(mp_request *request) {
    mp_buf_free(&request->url);
    for (int i = 0; i < MP_HEADERS; i++)
        mp_buf_free(&request->headers[i]);
    mp_buf_free(&request->body);
}
