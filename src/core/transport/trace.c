#include "core/transport/trace.h"

#include "core/base/date.h"
#include "core/base/text.h"
#include "core/config/settings.h"
#include "core/os/clock.h"
#include "core/os/file.h"
#include "core/os/stderr.h"
#include "core/transport/bus_head.h"
#include "core/wire/http_head.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    STDERR_MS = 100 /* that its reader may hold up a request */
};

void mp_trace_close(mp_trace *trace) {
    free(trace->path);
    mp_trace_abandon(trace);
}

void mp_trace_abandon(mp_trace *trace) {
    trace->path = NULL;
}

mp_err mp_trace_open(mp_trace *trace, const char *path) {
    if (trace->path && path && strcmp(trace->path, path) == 0)
        return MP_OK;
    mp_trace_close(trace);
    if (path)
        trace->path = mp_text_copy(path);
    return path && !trace->path ? MP_MEMORY : MP_OK;
}

/* ---- text ---- */

static void print(mp_buf *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void print(mp_buf *out, const char *format, ...) {
    char line[64];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    mp_buf_puts(out, line);
}

static void print_time(mp_buf *out, uint64_t number) {
    char text[MP_DATE_TEXT];
    int64_t ms = mp_clock_wall_ms();
    mp_date_write(ms / 1000, text);
    print(out, "%s.%03dZ #%llu ", text, (int)(ms % 1000),
          (unsigned long long)number);
}

/* How many bytes are a control character: ASCII's, or one of C1 in UTF-8. */
static size_t control_length(const unsigned char *at, size_t len) {
    if (*at < ' ' || *at == 127)
        return 1;
    return len > 1 && *at == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0 ? 2 : 0;
}

/* Text that others wrote: it cannot begin a line, nor steer a terminal. */
static void print_escaped(mp_buf *out, const char *text, size_t len) {
    const unsigned char *at = (const unsigned char *)text;
    while (len > 0) {
        size_t plain = 0, control = 0;
        while (plain < len &&
               !(control = control_length(at + plain, len - plain)))
            plain++;
        mp_buf_add(out, at, plain);
        at += plain;
        len -= plain + control;
        for (; control > 0; control--, at++)
            print(out, *at == '\n' ? "\\n" : "\\x%02x", *at);
    }
}

/* Records of this client, whose JSON has no line break inside. */
static void print_records(mp_buf *out, const char *body, size_t len) {
    while (len > 0) {
        const char *end = memchr(body, '\n', len);
        size_t n = end ? (size_t)(end - body) : len;
        print_escaped(out, body, n);
        if (end)
            mp_buf_puts(out, "\n");
        n += end != NULL;
        body += n;
        len -= n;
    }
}

static void print_header(mp_buf *out, const char *line) {
    static const char secret[] = "Authorization: ";
    mp_buf_puts(out, "  ");
    if (strncmp(line, secret, sizeof secret - 1) == 0)
        print(out, "%s(left out)", secret);
    else
        print_escaped(out, line, strlen(line));
    mp_buf_puts(out, "\n");
}

/* ---- entries ---- */

/* One write for one entry, so that processes that share the file do not mix
 * theirs. */
static int put(const mp_trace *trace, mp_buf *entry) {
    int err;
    mp_buf_puts(entry, "\n\n");
    if (entry->err)
        err = ENOMEM;
    else if (strcmp(trace->path, MP_SETTINGS_STDERR) == 0)
        err = mp_stderr_write(entry->data, entry->len, STDERR_MS);
    else
        err =
            mp_file_append(MP_FILE_HERE, trace->path, entry->data, entry->len);
    mp_buf_free(entry);
    return err;
}

/* The request but for its body. MP_MEMORY. */
static mp_err print_http(mp_buf *out, const mp_request *request) {
    mp_http_head head = {.url = {0}};
    mp_err err = mp_http_head_make(&head, request);
    if (err == MP_OK) {
        mp_buf_puts(out, head.method);
        mp_buf_puts(out, " ");
        print_escaped(out, head.url.data, strlen(head.url.data));
        mp_buf_puts(out, "\n");
        for (int i = 0; i < MP_HEADERS; i++)
            if (head.headers[i].len > 0)
                print_header(out, head.headers[i].data);
    }
    mp_http_head_free(&head);
    return err;
}

static void print_message(mp_buf *out, const mp_request *request) {
    mp_bus_head head;
    mp_bus_head_make(&head, request);
    mp_buf_puts(out, request->config->bus->name);
    mp_buf_puts(out, " ");
    mp_buf_puts(out, head.subject);
    mp_buf_puts(out, request->probe ? ", a check that stores nothing\n" : "\n");
    for (size_t i = 0; i < head.headers_count; i++) {
        mp_buf_puts(out, "  ");
        mp_buf_puts(out, head.headers[i].name);
        mp_buf_puts(out, ": ");
        mp_buf_puts(out, head.headers[i].value);
        mp_buf_puts(out, "\n");
    }
}

int mp_trace_request(const mp_trace *trace, uint64_t number,
                     const mp_request *request, const char *body, size_t len) {
    mp_buf entry = {0};
    if (!trace->path)
        return 0;
    print_time(&entry, number);
    if (request->config->bus)
        print_message(&entry, request);
    else if (print_http(&entry, request) != MP_OK)
        mp_buf_fail(&entry, MP_MEMORY);
    print_records(&entry, body, len);
    return put(trace, &entry);
}

int mp_trace_reply(const mp_trace *trace, uint64_t number,
                   const mp_reply *reply) {
    mp_buf entry = {0};
    if (!trace->path)
        return 0;
    print_time(&entry, number);
    if (reply->by_bus && reply->status > 0) {
        print(&entry, "reply %d ", reply->status);
        print_escaped(&entry, reply->failure, strlen(reply->failure));
        mp_buf_puts(&entry, "\n");
    } else if (reply->status > 0) {
        print(&entry, "HTTP %d\n", reply->status);
        print_escaped(&entry, reply->body, reply->len);
    } else {
        mp_buf_puts(&entry, "no reply: ");
        print_escaped(&entry, reply->failure, strlen(reply->failure));
        mp_buf_puts(&entry, "\n");
    }
    return put(trace, &entry);
}
