/* POSTs in parallel over libcurl: the only file that knows it. Knows nothing
 * of Mixpanel. One thread owns an mp_http and makes every call but
 * mp_http_wake. */
#ifndef MP_HTTP_H
#define MP_HTTP_H

#include "core/config/settings.h"
#include "core/wire/exchange.h"

enum {
    MP_HTTP_TRANSFERS = 32
}; /* under way at once, at the most */

typedef struct mp_http mp_http;

/* Once per process, before any other thread may use libcurl. */
mp_err mp_http_global_init(void);

mp_http *mp_http_new(void); /* NULL: out of memory or descriptors */

/* Nothing may be under way: see mp_http_abort. */
void mp_http_free(mp_http *http);

/* Starts a request, which lives until it is taken. MP_MEMORY. */
mp_err mp_http_start(mp_http *http, const mp_request *request,
                     mp_settings *settings, void *tag);

uint32_t mp_http_active(const mp_http *http);

/* Moves transfers along. True: at least one ended and waits to be taken. */
bool mp_http_run(mp_http *http);

/* Sleeps up to `timeout_ms` until mp_http_run has something to do, or until
 * mp_http_wake. Takes no lock of libcurl's or the TLS library's. */
void mp_http_sleep(mp_http *http, int64_t timeout_ms);

/* Thread: any. Ends the present mp_http_sleep, or the next. */
void mp_http_wake(mp_http *http);

/* The next transfer that ended: its tag and, in *reply, what came. The body
 * is valid until the next call with this http. NULL: none ended. */
void *mp_http_take(mp_http *http, mp_reply *reply);

/* Breaks off one transfer under way, as mp_http_take would return it. NULL:
 * none is. */
void *mp_http_abort(mp_http *http, mp_reply *reply);

/* In a forked child: closes its copies of the sockets, which would keep the
 * parent's connections open. All else is abandoned: to clean it up would say
 * goodbye on those connections. */
void mp_http_abandon(mp_http *http);

#endif
