#include "core/wire/request.h"

#include "core/base/version.h"

#include <stdarg.h>
#include <stdio.h>

/* Appends the texts up to NULL and then a NUL. */
static void join(mp_buf *out, ...) {
    va_list texts;
    va_start(texts, out);
    const char *text;
    while ((text = va_arg(texts, const char *)))
        mp_buf_puts(out, text);
    va_end(texts);
    mp_buf_add(out, "", 1);
}

/* Parameters: Mixpanel docs, ingestion API. `ip` says whether the sender's
 * address is the user's. A token as credentials goes without project_id, a
 * service account never without. */
static void make_url(mp_buf *url, const mp_endpoint *endpoint,
                     const mp_config *config, bool geolocate) {
    const char *parameter = "", *value = "";
    if (endpoint->geolocates) {
        parameter = "&ip=";
        value = geolocate ? "1" : "0";
    } else if (endpoint->authenticates && config->username) {
        parameter = "&project_id=";
        value = config->project_id;
    }
    join(url, config->base_url, endpoint->path, "?", endpoint->query, parameter,
         value, NULL);
}

static void add_base64(mp_buf *out, const char *text, size_t len) {
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
}

/* HTTP Basic: the service account, else the token as user name with an empty
 * password (Mixpanel docs, import events, authentication). */
static void make_authorization(mp_buf *header, const mp_config *config) {
    mp_buf pair = {0};
    mp_buf_puts(&pair, config->username ? config->username : config->token);
    mp_buf_puts(&pair, ":");
    if (config->username)
        mp_buf_puts(&pair, config->secret);
    mp_buf_puts(header, "Authorization: Basic ");
    add_base64(header, pair.data, pair.len);
    mp_buf_add(header, "", 1);
    if (pair.err)
        mp_buf_fail(header, pair.err);
    mp_buf_free(&pair);
}

static void make_body(mp_request *request, const mp_batch *batch,
                      mp_gzip *gzip) {
    mp_buf raw = {0}, *json = gzip ? &raw : &request->body;
    mp_batch_body(batch, json);
    request->raw_bytes = json->len;
    if (gzip && json->err)
        mp_buf_fail(&request->body, json->err);
    else if (gzip)
        mp_gzip_add(gzip, &request->body, raw.data, raw.len);
    mp_buf_free(&raw);
}

static void make_headers(mp_request *request, const mp_endpoint *endpoint,
                         const mp_config *config, bool gzip) {
    mp_buf *header = request->headers;
    join(header++, "Content-Type: application/json", NULL);
    join(header++, "User-Agent: mixpanel-lua/" MP_VERSION, NULL);
    if (gzip)
        join(header++, "Content-Encoding: gzip", NULL);
    if (endpoint->authenticates)
        make_authorization(header, config);
}

/* What making the request came to. */
static mp_err error_of(const mp_request *request) {
    mp_err err = request->url.err ? request->url.err : request->body.err;
    for (int i = 0; i < MP_HEADERS; i++)
        err = err ? err : request->headers[i].err;
    return err;
}

mp_err mp_request_make(mp_request *request, const mp_batch *batch,
                       const mp_config *config, const mp_settings *settings,
                       mp_gzip *gzip) {
    const mp_endpoint *endpoint = batch->endpoint;
    if (!endpoint->gzip)
        gzip = NULL;
    make_url(&request->url, endpoint, config, settings->geolocate);
    make_headers(request, endpoint, config, gzip != NULL);
    make_body(request, batch, gzip);
    request->no_resend = mp_batch_entry(batch, 0)->kind == MP_NON_IDEMPOTENT;
    return error_of(request);
}

mp_err mp_request_check(mp_request *request, const mp_config *config) {
    const mp_endpoint *endpoint = &mp_endpoints[MP_LANE_IMPORT];
    make_url(&request->url, endpoint, config, false);
    make_headers(request, endpoint, config, false);
    mp_buf_puts(&request->body, "[{\"event\":\"\",\"properties\":{}}]");
    request->raw_bytes = request->body.len;
    return error_of(request);
}

void mp_request_free(mp_request *request) {
    mp_buf_free(&request->url);
    for (int i = 0; i < MP_HEADERS; i++)
        mp_buf_free(&request->headers[i]);
    mp_buf_free(&request->body);
}
