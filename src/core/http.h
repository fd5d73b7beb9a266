/* POSTs in parallel over libcurl: the only file that knows it. Knows nothing
 * of Mixpanel. One thread owns an mp_http and makes every call but
 * mp_http_wake. */
#ifndef MP_HTTP_H
#define MP_HTTP_H

#include "config.h"
#include "exchange.h"

enum {
    MP_HTTP_TRANSFERS = 32
}; /* under way at once, at the most */

typedef struct mp_http mp_http;

/* Once per process, before any other thread may use libcurl. */
mp_err mp_http_global_init(void);

mp_http *mp_http_new(void); /* NULL: out of memory */

/* Nothing may be under way: see mp_http_abort. */
void mp_http_free(mp_http *http);

/* Starts a request, which lives until it is taken. MP_MEMORY. */
mp_err mp_http_start(mp_http *http, const mp_request *request,
                     mp_settings *settings, void *tag);

uint32_t mp_http_active(const mp_http *http);

/* Moves transfers along; sleeps up to `timeout_ms` while there is nothing to
 * do, or until mp_http_wake. */
void mp_http_poll(mp_http *http, int64_t timeout_ms);

/* Thread: any. Ends the present mp_http_poll, or the next. */
void mp_http_wake(mp_http *http);

/* The next transfer that ended: its tag and, in *reply, what came. The body
 * is valid until the next call with this http. NULL: none ended. */
void *mp_http_take(mp_http *http, mp_reply *reply);

/* Breaks off one transfer under way, as mp_http_take would return it. NULL:
 * none is. */
void *mp_http_abort(mp_http *http, mp_reply *reply);

#endif
