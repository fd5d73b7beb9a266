#include "core/transport/http.h"

#include "core/os/socket.h"
#include "core/os/wakeup.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    REPLY_MAX = 4 * 1024 * 1024, /* 2000 refused records fit many times */
    REPLY_KEPT = 64 * 1024,      /* of a buffer, between two transfers */
    RETRY_AFTER_MAX_S = 366 * 24 * 3600, /* whoever asks clamps to far less */
    UPLOAD_BUFFER = 256 * 1024,
    POLL_MAX_MS = 60 * 60 * 1000,
    CONNECTIONS = MP_HTTP_TRANSFERS, /* kept for the next transfers */
    SOCKETS = 2 * MP_HTTP_TRANSFERS  /* those, and those of transfers */
};

typedef struct transfer {
    CURL *easy;
    struct curl_slist *headers;
    mp_settings *settings; /* what the easy handle points into */
    const mp_request *request;
    void *tag; /* NULL: free */
    mp_buf body;
    char error[CURL_ERROR_SIZE];
} transfer;

struct mp_http {
    CURLM *multi;
    transfer transfers[MP_HTTP_TRANSFERS];
    uint32_t active;
    int sockets[SOCKETS]; /* open ones; -1: none */
    int wakes;            /* a wakeup: see mp_http_wake */
};

mp_err mp_http_global_init(void) {
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? MP_OK
                                                             : MP_NETWORK;
}

mp_http *mp_http_new(void) {
    mp_http *http = calloc(1, sizeof *http);
    if (!http)
        return NULL;
    http->wakes = mp_wakeup_open();
    http->multi = curl_multi_init();
    if (!http->multi || http->wakes < 0) {
        mp_http_free(http);
        return NULL;
    }
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS);
    for (int i = 0; i < SOCKETS; i++)
        http->sockets[i] = -1;
    return http;
}

/* ---- sockets ---- */

static void replace_socket(mp_http *http, int old, int new) {
    for (int i = 0; i < SOCKETS; i++) {
        if (http->sockets[i] == old) {
            http->sockets[i] = new;
            return;
        }
    }
}

/* libcurl alone would leave them open in programs that the host executes. */
static curl_socket_t open_socket(void *user, curlsocktype purpose,
                                 struct curl_sockaddr *address) {
    (void)purpose;
    int fd =
        mp_socket_open(address->family, address->socktype, address->protocol);
    if (fd < 0)
        return CURL_SOCKET_BAD;
    replace_socket(user, -1, fd);
    return fd;
}

static int close_socket(void *user, curl_socket_t fd) {
    replace_socket(user, fd, -1);
    return mp_socket_close(fd);
}

void mp_http_abandon(mp_http *http) {
    for (int i = 0; i < SOCKETS; i++)
        if (http->sockets[i] >= 0)
            mp_socket_close(http->sockets[i]);
    mp_wakeup_close(http->wakes);
}

/* ---- transfers ---- */

static void clear(mp_http *http, transfer *t) {
    curl_multi_remove_handle(http->multi, t->easy);
    curl_slist_free_all(t->headers);
    mp_settings_release(t->settings);
    t->headers = NULL;
    t->settings = NULL;
    t->request = NULL;
    if (t->tag)
        http->active--;
    t->tag = NULL;
}

void mp_http_free(mp_http *http) {
    for (int i = 0; i < MP_HTTP_TRANSFERS; i++) {
        transfer *t = &http->transfers[i];
        curl_easy_cleanup(t->easy);
        mp_buf_free(&t->body);
    }
    curl_multi_cleanup(http->multi);
    mp_wakeup_close(http->wakes);
    free(http);
}

/* A reply longer than any that makes sense is cut, not refused. */
static size_t on_body(char *data, size_t size, size_t n, void *user) {
    mp_buf *body = user;
    size_t len = size * n;
    size_t room = REPLY_MAX - body->len;
    if (mp_buf_add(body, data, len < room ? len : room) != MP_OK)
        return 0;
    return len;
}

static bool add_header(transfer *t, const char *line) {
    struct curl_slist *list = curl_slist_append(t->headers, line);
    if (list)
        t->headers = list;
    return list != NULL;
}

static bool set_headers(transfer *t, const mp_request *request) {
    /* Without this libcurl asks before it sends a body over 1 MB, which
     * costs a pass trip. */
    bool ok = add_header(t, "Expect:");
    for (int i = 0; i < MP_HEADERS && request->headers[i].len > 0 && ok; i++)
        ok = add_header(t, request->headers[i].data);
    return ok;
}

static bool set_tls(CURL *easy, const mp_settings *settings) {
    CURLcode err = curl_easy_setopt(easy, CURLOPT_SSLVERSION,
                                    (long)CURL_SSLVERSION_TLSv1_2);
    if (err == CURLE_OK && settings->ca_file) {
        struct curl_blob blob = {settings->ca_file, strlen(settings->ca_file),
                                 CURL_BLOB_NOCOPY};
        err = curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
    }
    if (err == CURLE_OK && settings->ca_path)
        err = curl_easy_setopt(easy, CURLOPT_CAPATH, settings->ca_path);
    return err == CURLE_OK;
}

/* Only what can run out of memory is checked: the other options are
 * constants that this libcurl is known to take. */
static bool set_options(mp_http *http, transfer *t, const mp_request *request,
                        const mp_settings *settings) {
    CURL *easy = t->easy;
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
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, http);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, http);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS,
                     (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_BUFFER);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)settings->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
                     (long)settings->request_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &t->body);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->error);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                     request->body.len > 0 ? request->body.data : "");
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     (curl_off_t)request->body.len);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
    /* "" keeps the environment's proxies out: hosts clear it at will. */
    return curl_easy_setopt(easy, CURLOPT_PROXY,
                            settings->proxy ? settings->proxy : "") ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_URL, request->url.data) == CURLE_OK &&
           set_tls(easy, settings);
}

static transfer *find_free(mp_http *http) {
    for (int i = 0; i < MP_HTTP_TRANSFERS; i++)
        if (!http->transfers[i].tag)
            return &http->transfers[i];
    return NULL;
}

mp_err mp_http_start(mp_http *http, const mp_request *request,
                     mp_settings *settings, void *tag) {
    transfer *t = find_free(http);
    if (t && !t->easy)
        t->easy = curl_easy_init();
    if (!t || !t->easy)
        return MP_MEMORY;
    if (t->body.cap > REPLY_KEPT)
        mp_buf_free(&t->body);
    mp_buf_clear(&t->body);
    t->error[0] = '\0';
    t->settings = mp_settings_retain(settings);
    t->request = request;
    t->tag = tag;
    http->active++;
    if (set_headers(t, request) && set_options(http, t, request, settings) &&
        curl_multi_add_handle(http->multi, t->easy) == CURLM_OK)
        return MP_OK;
    clear(http, t);
    return MP_MEMORY;
}

uint32_t mp_http_active(const mp_http *http) {
    return http->active;
}

bool mp_http_run(mp_http *http) {
    int running = 0;
    curl_multi_perform(http->multi, &running);
    return (uint32_t)running < http->active;
}

void mp_http_sleep(mp_http *http, int64_t timeout_ms) {
    struct curl_waitfd wakes = {.fd = http->wakes, .events = CURL_WAIT_POLLIN};
    if (timeout_ms > POLL_MAX_MS)
        timeout_ms = POLL_MAX_MS;
    curl_multi_poll(http->multi, &wakes, 1, (int)timeout_ms, NULL);
    if (wakes.revents)
        mp_wakeup_clear(http->wakes);
}

/* Not by curl_multi_wakeup, which writes to a socket: the kernel takes whoever
 * does that for about to sleep, and lets the woken thread run in its place. */
void mp_http_wake(mp_http *http) {
    mp_wakeup_set(http->wakes);
}

/* A status that says no is believed even if the connection broke behind it:
 * servers answer 413 and hang up. A yes must have come whole. */
static void read_reply(const transfer *t, CURLcode result, mp_reply *reply) {
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
    }
    if (reply->status == 0) {
        reply->sent = (size_t)uploaded >= t->request->body.len;
        snprintf(reply->failure, MP_MESSAGE, "%s",
                 t->error[0] ? t->error : curl_easy_strerror(result));
    }
}

void *mp_http_take(mp_http *http, mp_reply *reply) {
    int waiting;
    CURLMsg *message;
    while ((message = curl_multi_info_read(http->multi, &waiting))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode result = message->data.result;
        transfer *t = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
        read_reply(t, result, reply);
        void *tag = t->tag;
        clear(http, t);
        return tag;
    }
    return NULL;
}

void *mp_http_abort(mp_http *http, mp_reply *reply) {
    for (int i = 0; i < MP_HTTP_TRANSFERS; i++) {
        transfer *t = &http->transfers[i];
        if (!t->tag)
            continue;
        read_reply(t, CURLE_ABORTED_BY_CALLBACK, reply);
        void *tag = t->tag;
        clear(http, t);
        return tag;
    }
    return NULL;
}
