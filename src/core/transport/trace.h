/* The debug trace: a file that gets every request and reply as text, with
 * credentials left out. Thread: one at a time, which is the project's while
 * that is in use, and never the one that sends. */
#ifndef MP_TRACE_H
#define MP_TRACE_H

#include "core/wire/exchange.h"

#include <stdint.h>

/* All zero: closed. */
typedef struct mp_trace {
    char *path; /* NULL: closed */
} mp_trace;

/* Has the trace go to this path, which is absolute, or to the standard error
 * of the process for MP_SETTINGS_STDERR; NULL closes it. MP_MEMORY, and then
 * it is closed. */
mp_err mp_trace_open(mp_trace *trace, const char *path);
void mp_trace_close(mp_trace *trace);

/* In a forked child, where the parent's thread may be changing the trace:
 * closes it and leaves the memory. */
void mp_trace_abandon(mp_trace *trace);

/* Each does nothing while the trace is closed. The file is opened for each
 * entry, made with mode 0600 if need be and appended to; it may be moved away
 * at any time. Neither a link nor a pipe is followed or waited for. `body` is
 * the request's before compression; `number` joins a reply to its request.
 * Each returns 0 or an errno value. */
int mp_trace_request(const mp_trace *trace, uint64_t number,
                     const mp_request *request, const char *body, size_t len);
int mp_trace_reply(const mp_trace *trace, uint64_t number,
                   const mp_reply *reply);

#endif
