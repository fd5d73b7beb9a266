#include "core/wire/post.h"

#include "core/base/version.h"

/* Appends a text and its NUL. */
static void put(mp_buf *out, const char *text) {
    mp_buf_add(out, text, strlen(text) + 1);
}

/* `ip` says whether the sender's address is the user's. A token as credentials
 * goes without project_id, a service account never without. */
static void make_url(mp_buf *url, const mp_request *request) {
    const mp_endpoint *endpoint = request->endpoint;
    const mp_config *config = request->config;
    mp_buf_puts(url, config->base_url);
    mp_buf_puts(url, endpoint->path);
    mp_buf_puts(url, "?");
    mp_buf_puts(url, endpoint->query);
    if (endpoint->geolocates)
        mp_buf_puts(url, request->settings->geolocate ? "&ip=1" : "&ip=0");
    if (endpoint->authenticates && config->username) {
        mp_buf_puts(url, "&project_id=");
        mp_buf_puts(url, config->project_id);
    }
    mp_buf_add(url, "", 1);
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

static void make_headers(mp_buf *header, const mp_request *request) {
    put(header++, "Content-Type: application/json");
    put(header++, "User-Agent: mixpanel-lua/" MP_VERSION);
    if (request->gzip)
        put(header++, "Content-Encoding: gzip");
    if (request->endpoint->authenticates)
        make_authorization(header, request->config);
}

mp_err mp_post_make(mp_post *post, const mp_request *request) {
    make_url(&post->url, request);
    make_headers(post->headers, request);
    mp_err err = post->url.err;
    for (int i = 0; i < MP_HEADERS && err == MP_OK; i++)
        err = post->headers[i].err;
    return err;
}

void mp_post_free(mp_post *post) {
    mp_buf_free(&post->url);
    for (int i = 0; i < MP_HEADERS; i++)
        mp_buf_free(&post->headers[i]);
}
