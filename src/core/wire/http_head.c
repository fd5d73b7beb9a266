#include "core/wire/http_head.h"

#include "core/base/version.h"

/* Appends a text and its NUL. */
static void put(mp_buf *out, const char *text) {
    mp_buf_add(out, text, strlen(text) + 1);
}

/* `ip` says whether the sender's address is the user's. */
static void add_endpoint(mp_buf *url, const mp_request *request) {
    const mp_endpoint *endpoint = request->endpoint;
    mp_buf_puts(url, endpoint->path);
    mp_buf_puts(url, "?");
    mp_buf_puts(url, endpoint->query);
    if (endpoint->geolocates)
        mp_buf_puts(url, request->settings->geolocate ? "&ip=1" : "&ip=0");
}

/* Appends a text with all but RFC 3986's unreserved characters escaped. */
static void add_escaped(mp_buf *url, const char *text) {
    static const char digits[] = "0123456789ABCDEF";
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                     (c >= 'a' && c <= 'z') || c == '-' || c == '.' ||
                     c == '_' || c == '~';
        char escaped[3] = {'%', digits[c >> 4], digits[c & 15]};
        if (plain)
            mp_buf_add(url, text, 1);
        else
            mp_buf_add(url, escaped, sizeof escaped);
    }
}

/* What Mixpanel's SDKs for servers ask of /flags/definitions and of /flags. A
 * token has nothing to escape: config.c. */
static void add_fetch(mp_buf *url, const mp_request *request) {
    mp_buf_puts(url, request->fetch->path);
    mp_buf_puts(url, "?token=");
    mp_buf_puts(url, request->config->token);
    mp_buf_puts(url, "&mp_lib=lua&lib_version=" MP_VERSION);
    if (request->fetch->context) {
        mp_buf_puts(url, "&context=");
        add_escaped(url, request->fetch->context);
    }
}

static bool authenticates(const mp_request *request) {
    return request->fetch || request->endpoint->authenticates;
}

/* A token as credentials goes without project_id, a service account never
 * without. */
static void make_url(mp_buf *url, const mp_request *request) {
    const mp_config *config = request->config;
    mp_buf_puts(url, config->base_url);
    if (request->fetch)
        add_fetch(url, request);
    else
        add_endpoint(url, request);
    if (authenticates(request) && config->username) {
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
    if (authenticates(request))
        make_authorization(header++, request->config);
    if (request->fetch && request->fetch->etag && request->fetch->etag[0]) {
        mp_buf_puts(header, "If-None-Match: ");
        put(header, request->fetch->etag);
    }
}

mp_err mp_http_head_make(mp_http_head *head, const mp_request *request) {
    head->method = request->fetch ? "GET" : "POST";
    make_url(&head->url, request);
    make_headers(head->headers, request);
    for (int i = 0; i < MP_HEADERS; i++)
        if (head->headers[i].err)
            return head->headers[i].err;
    return head->url.err;
}

void mp_http_head_free(mp_http_head *head) {
    mp_buf_free(&head->url);
    for (int i = 0; i < MP_HEADERS; i++)
        mp_buf_free(&head->headers[i]);
}
