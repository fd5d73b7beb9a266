#define _GNU_SOURCE
#include "core/transport/trace.h"

#include "core/base/date.h"
#include "core/base/text.h"
#include "core/os/clock.h"
#include "core/wire/post.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* While there is a path the descriptor is open, also for a fork in between. */
void mp_trace_close(mp_trace *trace) {
    char *path = trace->path;
    mp_trace_abandon(trace);
    free(path);
}

void mp_trace_abandon(mp_trace *trace) {
    bool open = trace->path != NULL;
    trace->path = NULL;
    if (open)
        close(trace->fd);
}

bool mp_trace_open(mp_trace *trace, const char *path) {
    if (trace->path && path && strcmp(trace->path, path) == 0)
        return true;
    mp_trace_close(trace);
    if (!path)
        return true;
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    trace->fd = fd;
    trace->path = mp_text_copy(path);
    if (!trace->path)
        close(fd);
    return trace->path != NULL;
}

/* ---- text ---- */

static mp_err print(mp_buf *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static mp_err print(mp_buf *out, const char *format, ...) {
    char line[MP_MESSAGE + 64];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    return mp_buf_puts(out, line);
}

static mp_err print_time(mp_buf *out, uint64_t number) {
    char text[MP_DATE_TEXT];
    int64_t ms = mp_clock_wall_ms();
    mp_date_write(ms / 1000, text);
    return print(out, "%s.%03dZ #%llu ", text, (int)(ms % 1000),
                 (unsigned long long)number);
}

static mp_err print_header(mp_buf *out, const char *line) {
    static const char secret[] = "Authorization: ";
    mp_err err = mp_buf_puts(out, "  ");
    if (err != MP_OK)
        return err;
    if (strncmp(line, secret, sizeof secret - 1) == 0)
        return print(out, "%s(left out)\n", secret);
    err = mp_buf_puts(out, line);
    return err == MP_OK ? mp_buf_puts(out, "\n") : err;
}

/* One write for one entry, so that processes that share the file do not mix
 * theirs. What the disk refuses is missing from the trace and nowhere else. */
static void put(const mp_trace *trace, mp_err err, mp_buf *entry) {
    const char *at = entry->data;
    for (size_t left = err == MP_OK ? entry->len : 0; left > 0;) {
        ssize_t n = write(trace->fd, at, left);
        if (n <= 0)
            break;
        at += n;
        left -= (size_t)n;
    }
    mp_buf_free(entry);
}

void mp_trace_request(mp_trace *trace, uint64_t number,
                      const mp_request *request, const char *body, size_t len) {
    mp_buf entry = {0};
    mp_post post = {.url = {0}};
    if (!trace->path)
        return;
    mp_err err = mp_post_make(&post, request);
    if (err == MP_OK)
        err = print_time(&entry, number);
    if (err == MP_OK)
        err = mp_buf_puts(&entry, "POST ");
    if (err == MP_OK)
        err = mp_buf_puts(&entry, post.url.data);
    if (err == MP_OK)
        err = mp_buf_puts(&entry, "\n");
    for (int i = 0; err == MP_OK && i < MP_HEADERS; i++)
        if (post.headers[i].len > 0)
            err = print_header(&entry, post.headers[i].data);
    if (err == MP_OK)
        err = mp_buf_add(&entry, body, len);
    if (err == MP_OK)
        err = mp_buf_puts(&entry, "\n\n");
    mp_post_free(&post);
    put(trace, err, &entry);
}

void mp_trace_reply(mp_trace *trace, uint64_t number, const mp_reply *reply) {
    mp_buf entry = {0};
    if (!trace->path)
        return;
    mp_err err = print_time(&entry, number);
    if (err == MP_OK)
        err = reply->status > 0
                  ? print(&entry, "HTTP %d\n", reply->status)
                  : print(&entry, "no reply: %s\n", reply->failure);
    if (err == MP_OK)
        err = mp_buf_add(&entry, reply->body, reply->len);
    if (err == MP_OK)
        err = mp_buf_puts(&entry, "\n\n");
    put(trace, err, &entry);
}
