/* The debug trace: a file that gets every request and reply as text, with
 * credentials left out. One thread at a time. */
#ifndef MP_TRACE_H
#define MP_TRACE_H

#include "core/wire/exchange.h"

#include <stdint.h>

/* All zero: closed. */
typedef struct mp_trace {
    char *path; /* NULL: closed */
    int fd;
} mp_trace;

/* Sees to it that the trace goes to this path; NULL closes it. The file is
 * appended to, and made with mode 0600. False: it cannot be written. */
bool mp_trace_open(mp_trace *trace, const char *path);
void mp_trace_close(mp_trace *trace);

/* In a forked child, where the parent's worker may be changing the trace:
 * closes the file and leaves the memory. */
void mp_trace_abandon(mp_trace *trace);

/* Each does nothing while the trace is closed. `body` is the request's
 * before compression; `number` joins a reply to its request. */
void mp_trace_request(mp_trace *trace, uint64_t number,
                      const mp_request *request, const char *body, size_t len);
void mp_trace_reply(mp_trace *trace, uint64_t number, const mp_reply *reply);

#endif
