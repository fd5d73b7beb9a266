#include "core/wire/request.h"

static void start(mp_request *request, const mp_endpoint *endpoint,
                  const mp_config *config, mp_settings *settings) {
    request->endpoint = endpoint;
    request->config = config;
    request->settings = mp_settings_retain(settings);
}

/* What came from a file is compressed already. */
static bool take_compressed(mp_request *request, const mp_batch *batch) {
    const mp_buf *kept = &batch->segment->gzip;
    if (kept->len == 0 || !mp_batch_is_whole(batch))
        return false;
    mp_buf_add(&request->body, kept->data, kept->len);
    request->raw_bytes = mp_batch_bytes(batch);
    return true;
}

static void make_body(mp_request *request, const mp_batch *batch,
                      mp_gzip *gzip) {
    if (gzip && take_compressed(request, batch))
        return;
    mp_buf *json = gzip ? mp_gzip_input(gzip) : &request->body;
    mp_batch_body(batch, json);
    request->raw_bytes = json->len;
    if (gzip && json->err)
        mp_buf_fail(&request->body, json->err);
    else if (gzip)
        mp_gzip_add(gzip, &request->body, json->data, json->len);
}

mp_err mp_request_make(mp_request *request, const mp_batch *batch,
                       const mp_config *config, mp_settings *settings,
                       mp_gzip *gzip) {
    start(request, batch->endpoint, config, settings);
    request->gzip =
        gzip && (config->bus || (batch->endpoint->gzip && !batch->plain));
    if (config->bus && !gzip)
        return MP_MEMORY;
    make_body(request, batch, request->gzip ? gzip : NULL);
    request->records = batch->count;
    request->no_resend = mp_batch_has_non_idempotent(batch);
    return request->body.err;
}

mp_err mp_request_check(mp_request *request, const mp_config *config,
                        mp_settings *settings) {
    request->probe = config->bus != NULL;
    start(request,
          &mp_endpoints[request->probe ? MP_LANE_EVENTS : MP_LANE_IMPORT],
          config, settings);
    if (request->probe)
        return MP_OK;
    mp_buf_puts(&request->body, "[{\"event\":\"\",\"properties\":{}}]");
    request->raw_bytes = request->body.len;
    return request->body.err;
}

void mp_request_fetch(mp_request *request, const mp_fetch *fetch,
                      const mp_config *config, mp_settings *settings) {
    start(request, NULL, config, settings);
    request->fetch = fetch;
}

void mp_request_free(mp_request *request) {
    mp_buf_free(&request->body);
    mp_settings_release(request->settings);
}
