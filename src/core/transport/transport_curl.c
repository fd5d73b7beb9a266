/* Requests in parallel over libcurl. */
#include "core/transport/transport.h"

#include "core/os/clock.h"
#include "core/os/lock.h"
#include "core/os/socket.h"
#include "core/os/wakeup.h"
#include "core/transport/failure.h"
#include "core/transport/proxy.h"
#include "core/transport/tls.h"
#include "core/wire/http_head.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TRANSFERS = 32,              /* under way at once, at the most */
    REPLY_MAX = 4 * 1024 * 1024, /* 2000 refused records fit many times */
    REPLY_KEPT = 64 * 1024,      /* of a buffer, between two transfers */
    RETRY_AFTER_MAX_S = 366 * 24 * 3600, /* the callers allow far less */
    UPLOAD_BUFFER = 256 * 1024,
    POLL_MAX_MS = 60 * 60 * 1000,
    CONNECTIONS = TRANSFERS, /* kept for the next transfers */
    SOCKETS = 2 * TRANSFERS, /* those, and those of transfers */
    FORK_WAIT_MS = 1000,
    LOCK_OUT_MS = 5000 /* a handshake on a starved machine takes seconds */
};

typedef struct http http;

typedef struct transfer {
    http *home;
    CURL *easy;
    struct curl_slist *headers;
    const mp_request *request; /* what the easy handle points into */
    void *tag;                 /* NULL: free */
    mp_buf body;
    char etag[MP_ETAG];
    char error[CURL_ERROR_SIZE];
    int no_socket; /* why the last socket was refused; 0: it was not */
} transfer;

struct http {
    mp_transport base; /* comes first: its address is the transport's */
    CURLM *multi;
    transfer transfers[TRANSFERS];
    uint32_t active;
    int sockets[SOCKETS]; /* open ones; -1: none */
    int wakes;            /* a wakeup: see wake */
    /* Held by the sending thread whenever it is inside libcurl but for its
     * sleep, and by nobody else but a fork and the end of the process. */
    mp_lock inside;
    bool outside; /* during a fork: the fork holds it */
};

static http *http_of(mp_transport *transport) {
    return (http *)transport;
}

/* ---- sockets ---- */

static void replace_socket(http *self, int old, int new) {
    for (int i = 0; i < SOCKETS; i++) {
        if (self->sockets[i] == old) {
            self->sockets[i] = new;
            return;
        }
    }
}

/* libcurl alone would leave them open in programs that the host executes. */
static curl_socket_t open_socket(void *user, curlsocktype purpose,
                                 struct curl_sockaddr *address) {
    (void)purpose;
    transfer *t = user;
    int fd =
        mp_socket_open(address->family, address->socktype, address->protocol);
    t->no_socket = fd < 0 ? errno : 0;
    if (fd < 0)
        return CURL_SOCKET_BAD;
    replace_socket(t->home, -1, fd);
    return fd;
}

static int close_socket(void *user, curl_socket_t fd) {
    replace_socket(user, fd, -1);
    return mp_socket_close(fd);
}

/* ---- transfers ---- */

static void clear(http *self, transfer *t) {
    curl_multi_remove_handle(self->multi, t->easy);
    curl_slist_free_all(t->headers);
    t->headers = NULL;
    t->request = NULL;
    if (t->tag)
        self->active--;
    t->tag = NULL;
}

/* A reply longer than any that makes sense is cut, not refused. */
static size_t on_body(char *data, size_t size, size_t n, void *user) {
    transfer *t = user;
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
    transfer *t = user;
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

static bool add_header(transfer *t, const char *line) {
    struct curl_slist *list = curl_slist_append(t->headers, line);
    if (list)
        t->headers = list;
    return list != NULL;
}

static bool set_headers(transfer *t, const mp_http_head *head) {
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

static void set_body(const transfer *t) {
    const mp_buf *body = &t->request->body;
    curl_easy_setopt(t->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS,
                     body->len > 0 ? body->data : "");
    curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     (curl_off_t)body->len);
}

/* A libcurl that cannot unpack gzip does not ask for it. */
static void set_fetch(transfer *t) {
    curl_easy_setopt(t->easy, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(t->easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
}

/* Only what can run out of memory is checked: the other options are
 * constants that this libcurl is known to take. */
static bool set_options(http *self, transfer *t, const char *url) {
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
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, self);
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

static transfer *find_free(http *self) {
    for (int i = 0; i < TRANSFERS; i++)
        if (!self->transfers[i].tag)
            return &self->transfers[i];
    return NULL;
}

/* True if libcurl has it now. */
static bool start(http *self, transfer *t) {
    mp_http_head head = {.url = {0}};
    bool ok = mp_http_head_make(&head, t->request) == MP_OK &&
              set_headers(t, &head) && set_options(self, t, head.url.data) &&
              curl_multi_add_handle(self->multi, t->easy) == CURLM_OK;
    mp_http_head_free(&head);
    return ok;
}

static mp_err submit(mp_transport *transport, const mp_request *request,
                     void *tag) {
    http *self = http_of(transport);
    mp_lock_take(&self->inside);
    transfer *t = find_free(self);
    if (t && !t->easy)
        t->easy = curl_easy_init();
    bool started = t && t->easy;
    if (started) {
        if (t->body.cap > REPLY_KEPT)
            mp_buf_free(&t->body);
        mp_buf_rewind(&t->body, 0);
        t->error[0] = '\0';
        t->no_socket = 0;
        t->home = self;
        t->etag[0] = '\0';
        t->request = request;
        t->tag = tag;
        self->active++;
        started = start(self, t);
        if (!started)
            clear(self, t);
    }
    mp_lock_give(&self->inside);
    return started ? MP_OK : MP_MEMORY;
}

static bool is_full(const mp_transport *transport) {
    return ((const http *)transport)->active == TRANSFERS;
}

static bool run(mp_transport *transport) {
    http *self = http_of(transport);
    int running = 0;
    mp_lock_take(&self->inside);
    curl_multi_perform(self->multi, &running);
    mp_lock_give(&self->inside);
    return (uint32_t)running < self->active;
}

static void sleep_for(mp_transport *transport, int64_t timeout_ms) {
    http *self = http_of(transport);
    struct curl_waitfd wakes = {.fd = self->wakes, .events = CURL_WAIT_POLLIN};
    if (timeout_ms > POLL_MAX_MS)
        timeout_ms = POLL_MAX_MS;
    curl_multi_poll(self->multi, &wakes, 1, (int)timeout_ms, NULL);
    if (wakes.revents)
        mp_wakeup_clear(self->wakes);
}

/* Not by curl_multi_wakeup, which writes to a socket: the kernel takes whoever
 * does that for about to sleep, and lets the woken thread run in its place. */
static void wake(mp_transport *transport) {
    mp_wakeup_set(http_of(transport)->wakes);
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
        reply->etag = t->etag[0] ? t->etag : NULL;
    }
    if (reply->status == 0) {
        reply->sent = (size_t)uploaded >= t->request->body.len;
        mp_failure_describe(t->easy, result, t->error,
                            t->request->settings->proxy != NULL, t->no_socket,
                            reply->failure);
    }
}

/* Ends a transfer, and returns its tag. */
static void *finish(http *self, transfer *t, CURLcode result, mp_reply *reply) {
    void *tag = t->tag;
    read_reply(t, result, reply);
    clear(self, t);
    return tag;
}

static transfer *next_ended(http *self, CURLcode *result) {
    int waiting;
    CURLMsg *message;
    transfer *t = NULL;
    while (!t && (message = curl_multi_info_read(self->multi, &waiting))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        *result = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
    }
    return t;
}

static void *take(mp_transport *transport, mp_reply *reply) {
    http *self = http_of(transport);
    CURLcode result = CURLE_OK;
    mp_lock_take(&self->inside);
    transfer *t = next_ended(self, &result);
    void *tag = t ? finish(self, t, result, reply) : NULL;
    mp_lock_give(&self->inside);
    return tag;
}

static void *break_off(mp_transport *transport, mp_reply *reply) {
    http *self = http_of(transport);
    void *tag = NULL;
    mp_lock_take(&self->inside);
    for (int i = 0; i < TRANSFERS && !tag; i++) {
        transfer *t = &self->transfers[i];
        if (t->tag)
            tag = finish(self, t, CURLE_ABORTED_BY_CALLBACK, reply);
    }
    mp_lock_give(&self->inside);
    return tag;
}

/* ---- life ---- */

static void clean_up(http *self) {
    for (int i = 0; i < TRANSFERS; i++) {
        transfer *t = &self->transfers[i];
        curl_easy_cleanup(t->easy);
        mp_buf_free(&t->body);
    }
    curl_multi_cleanup(self->multi);
}

static void end(mp_transport *transport) {
    http *self = http_of(transport);
    mp_lock_take(&self->inside);
    clean_up(self);
    mp_lock_give(&self->inside);
}

static void free_struct(mp_transport *transport) {
    http *self = http_of(transport);
    mp_lock_destroy(&self->inside);
    mp_wakeup_close(self->wakes);
    free(self);
}

/* Waits until the sending thread is outside of libcurl and keeps it there. */
static bool hold(http *self, int64_t wait_ms) {
    return mp_lock_take_until(&self->inside, mp_clock_mono_ms() + wait_ms);
}

static void lock_out(mp_transport *transport) {
    hold(http_of(transport), LOCK_OUT_MS);
}

static void before_fork(mp_transport *transport) {
    http *self = http_of(transport);
    self->outside = hold(self, FORK_WAIT_MS);
}

static void in_parent(mp_transport *transport) {
    http *self = http_of(transport);
    if (self->outside)
        mp_lock_give(&self->inside);
}

/* To clean up what libcurl holds would say goodbye on the parent's
 * connections. */
static void in_child(mp_transport *transport) {
    http *self = http_of(transport);
    if (!self->outside)
        return;
    for (int i = 0; i < SOCKETS; i++)
        if (self->sockets[i] >= 0)
            mp_socket_close(self->sockets[i]);
    mp_wakeup_close(self->wakes);
}

mp_err mp_transport_set_up(void) {
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? MP_OK
                                                             : MP_NETWORK;
}

int mp_transport_new(mp_transport **out) {
    static const mp_transport verbs = {
        .submit = submit,
        .is_full = is_full,
        .run = run,
        .sleep = sleep_for,
        .wake = wake,
        .take = take,
        .abort = break_off,
        .close = end,
        .free = free_struct,
        .lock_out = lock_out,
        .before_fork = before_fork,
        .in_parent = in_parent,
        .in_child = in_child,
    };
    *out = NULL;
    http *self = calloc(1, sizeof *self);
    if (!self)
        return ENOMEM;
    self->base = verbs;
    self->wakes = mp_wakeup_open();
    int err = self->wakes < 0 ? errno : 0;
    if (err == 0 && mp_lock_init(&self->inside) != MP_OK)
        err = ENOMEM;
    if (err != 0) {
        mp_wakeup_close(self->wakes);
        free(self);
        return err;
    }
    self->multi = curl_multi_init();
    if (!self->multi) {
        free_struct(&self->base);
        return ENOMEM;
    }
    curl_multi_setopt(self->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS);
    for (int i = 0; i < SOCKETS; i++)
        self->sockets[i] = -1;
    *out = &self->base;
    return 0;
}
