#include "core/transport/transfer.h"

#include "core/os/socket.h"
#include "core/transport/failure.h"
#include "core/transport/proxy.h"
#include "core/transport/tls.h"
#include "core/wire/http_head.h"

#include <errno.h>
#include <string.h>

enum {
    REPLY_MAX = 4 * 1024 * 1024, /* 2000 refused records fit many times */
    REPLY_KEPT = 64 * 1024,      /* of a buffer, between two transfers */
    RETRY_AFTER_MAX_S = 366 * 24 * 3600, /* the callers allow far less */
    UPLOAD_BUFFER = 256 * 1024
};

/* ---- sockets ---- */

void mp_sockets_init(mp_sockets *sockets) {
    for (int i = 0; i < MP_SOCKETS; i++)
        sockets->fds[i] = -1;
    sockets->drops = false;
}

void mp_sockets_close(mp_sockets *sockets) {
    for (int i = 0; i < MP_SOCKETS; i++)
        if (sockets->fds[i] >= 0)
            mp_socket_close(sockets->fds[i]);
}

static void replace_socket(mp_sockets *sockets, int old, int new) {
    for (int i = 0; i < MP_SOCKETS; i++) {
        if (sockets->fds[i] == old) {
            sockets->fds[i] = new;
            return;
        }
    }
}

/* libcurl alone would leave them open in programs that the host executes. */
static curl_socket_t open_socket(void *user, curlsocktype purpose,
                                 struct curl_sockaddr *address) {
    (void)purpose;
    mp_transfer *t = user;
    int fd =
        mp_socket_open(address->family, address->socktype, address->protocol);
    t->no_socket = fd < 0 ? errno : 0;
    if (fd < 0)
        return CURL_SOCKET_BAD;
    replace_socket(t->sockets, -1, fd);
    return fd;
}

static int close_socket(void *user, curl_socket_t fd) {
    const mp_sockets *sockets = user;
    replace_socket(user, fd, -1);
    if (sockets->drops)
        mp_socket_drop(fd);
    return mp_socket_close(fd);
}

/* ---- the request, and callbacks for the reply ---- */

/* A reply longer than any that makes sense is cut, not refused. */
static size_t on_body(char *data, size_t size, size_t n, void *user) {
    mp_transfer *t = user;
    size_t len = size * n;
    size_t most = t->request->fetch ? t->request->fetch->most : REPLY_MAX;
    size_t room = most - t->body.len;
    if (mp_buf_add(&t->body, data, len < room ? len : room) != MP_OK)
        return 0;
    return len;
}

/* Keeps the entity tag of the last reply, which a proxy's may go before; none
 * that is longer than what can be sent back. */
static size_t on_header(char *line, size_t size, size_t n, void *user) {
    mp_transfer *t = user;
    static const size_t name = sizeof "etag:" - 1;
    const char *at = line + name, *end = line + size * n;
    if (size * n < name)
        return size * n;
    if (memcmp(line, "HTTP/", name) == 0)
        t->etag[0] = '\0';
    if (!curl_strnequal(line, "etag:", name))
        return size * n;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (end > at && (unsigned char)end[-1] <= ' ')
        end--;
    if ((size_t)(end - at) < sizeof t->etag) {
        memcpy(t->etag, at, (size_t)(end - at));
        t->etag[end - at] = '\0';
    }
    return size * n;
}

static bool add_header(mp_transfer *t, const char *line) {
    struct curl_slist *list = curl_slist_append(t->headers, line);
    if (list)
        t->headers = list;
    return list != NULL;
}

static bool set_headers(mp_transfer *t, const mp_http_head *head) {
    /* Without this libcurl asks before it sends a body over 1 MB, which
     * costs a pass trip. */
    bool ok = add_header(t, "Expect:");
    for (int i = 0; i < MP_HEADERS && head->headers[i].len > 0 && ok; i++)
        ok = add_header(t, head->headers[i].data);
    return ok;
}

/* Credentials go apart from the URL, which libcurl shows in its messages. */
static bool set_proxy(CURL *easy, const char *url) {
    mp_proxy proxy = {0};
    char message[MP_MESSAGE];
    bool ok = !url || mp_proxy_read(&proxy, url, message) == MP_OK;
    /* "" keeps the environment's proxies out: hosts clear it at will. */
    ok =
        ok &&
        curl_easy_setopt(easy, CURLOPT_PROXY, url ? proxy.url : "") ==
            CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "") == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_PROXYUSERNAME, proxy.user) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_PROXYPASSWORD, proxy.password) ==
            CURLE_OK;
    mp_proxy_free(&proxy);
    return ok;
}

static void set_body(const mp_transfer *t) {
    const mp_buf *body = &t->request->body;
    curl_easy_setopt(t->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS,
                     body->len > 0 ? body->data : "");
    curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     (curl_off_t)body->len);
}

/* A libcurl that cannot unpack gzip does not ask for it. */
static void set_fetch(mp_transfer *t) {
    curl_easy_setopt(t->easy, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(t->easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
}

static int64_t timeout_ms(const mp_request *request) {
    int64_t ms = request->settings->request_timeout_ms;
    int64_t own_ms = request->fetch ? request->fetch->timeout_ms : 0;
    return own_ms > 0 && own_ms < ms ? own_ms : ms;
}

/* Only what can run out of memory is checked: the other options are
 * constants that this libcurl is known to take. */
static bool set_options(mp_transfer *t, const char *url) {
    CURL *easy = t->easy;
    const mp_request *request = t->request;
    const mp_settings *settings = request->settings;
    curl_easy_reset(easy); /* keeps connections and DNS, which the multi has */
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Or a resolver that never answers holds the thread for seconds. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    /* libcurl repeats a request by itself, and tells nobody, when a kept
     * connection breaks before the reply; never on a new one. */
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, (long)request->no_resend);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, (long)request->no_resend);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, t);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, t->sockets);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS,
                     (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_BUFFER);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)settings->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms(request));
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->error);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
    if (request->fetch)
        set_fetch(t);
    else
        set_body(t);
    return set_proxy(easy, settings->proxy) &&
           curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK &&
           mp_tls_set(easy, settings);
}

bool mp_transfer_begin(mp_transfer *t, const mp_request *request,
                       mp_sockets *sockets) {
    mp_http_head head = {.url = {0}};
    if (!t->easy)
        t->easy = curl_easy_init();
    if (t->body.cap > REPLY_KEPT)
        mp_buf_free(&t->body);
    mp_buf_rewind(&t->body, 0);
    t->error[0] = '\0';
    t->no_socket = 0;
    t->etag[0] = '\0';
    t->sockets = sockets;
    t->request = request;
    bool ok = t->easy && mp_http_head_make(&head, request) == MP_OK &&
              set_headers(t, &head) && set_options(t, head.url.data);
    mp_http_head_free(&head);
    return ok;
}

/* ---- the reply ---- */

/* A status that says no is believed even if the connection broke behind it:
 * servers answer 413 and hang up. A yes must have come whole. */
void mp_transfer_read(const mp_transfer *t, CURLcode result, mp_reply *reply) {
    long status = 0;
    curl_off_t retry_after = 0, uploaded = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &retry_after);
    curl_easy_getinfo(t->easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
    *reply = (mp_reply){0};
    if (result == CURLE_OK || status >= 300) {
        reply->status = (int)status;
        if (retry_after > RETRY_AFTER_MAX_S)
            retry_after = RETRY_AFTER_MAX_S;
        reply->retry_after_ms = (int64_t)retry_after * 1000;
        reply->body = t->body.data;
        reply->len = t->body.len;
        reply->etag = t->etag[0] ? t->etag : NULL;
    }
    if (reply->status == 0) {
        reply->begun = uploaded > 0;
        reply->sent = (size_t)uploaded >= t->request->body.len;
        reply->misconfigured = mp_failure_needs_people(t->easy, result);
        mp_failure_describe(t->easy, result, t->error,
                            t->request->settings->proxy != NULL, t->no_socket,
                            reply->failure);
    }
}

void mp_transfer_end(mp_transfer *t) {
    curl_slist_free_all(t->headers);
    t->headers = NULL;
    t->request = NULL;
}

void mp_transfer_free(mp_transfer *t) {
    mp_transfer_end(t);
    curl_easy_cleanup(t->easy);
    mp_buf_free(&t->body);
}
