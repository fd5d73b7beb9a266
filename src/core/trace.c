#include "trace.h"

#include "clock.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void mp_trace_close(mp_trace *trace) {
    if (trace->file)
        fclose(trace->file);
    free(trace->path);
    *trace = (mp_trace){0};
}

bool mp_trace_open(mp_trace *trace, const char *path) {
    if (trace->file && path && strcmp(trace->path, path) == 0)
        return true;
    mp_trace_close(trace);
    if (!path)
        return true;
    trace->path = strdup(path);
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    trace->file = trace->path && fd >= 0 ? fdopen(fd, "a") : NULL;
    if (trace->file)
        return true;
    if (fd >= 0)
        close(fd);
    mp_trace_close(trace);
    return false;
}

static void print_time(FILE *file) {
    char text[32];
    int64_t ms = mp_clock_wall_ms();
    time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    fprintf(file, "%s.%03dZ", text, (int)(ms % 1000));
}

static void print_header(FILE *file, const char *line) {
    static const char secret[] = "Authorization: ";
    if (strncmp(line, secret, sizeof secret - 1) == 0)
        fprintf(file, "  %s(left out)\n", secret);
    else
        fprintf(file, "  %s\n", line);
}

void mp_trace_request(mp_trace *trace, uint64_t number,
                      const mp_request *request, const char *body, size_t len) {
    FILE *file = trace->file;
    if (!file)
        return;
    print_time(file);
    fprintf(file, " #%llu POST %s\n", (unsigned long long)number,
            request->url.data);
    for (int i = 0; i < MP_HEADERS && request->headers[i].len > 0; i++)
        print_header(file, request->headers[i].data);
    if (len > 0)
        fwrite(body, 1, len, file);
    fprintf(file, "\n\n");
    fflush(file);
}

void mp_trace_reply(mp_trace *trace, uint64_t number, const mp_reply *reply) {
    FILE *file = trace->file;
    if (!file)
        return;
    print_time(file);
    fprintf(file, " #%llu ", (unsigned long long)number);
    if (reply->status > 0)
        fprintf(file, "HTTP %d\n", reply->status);
    else
        fprintf(file, "no reply: %s\n", reply->failure);
    if (reply->len > 0)
        fwrite(reply->body, 1, reply->len, file);
    fprintf(file, "\n\n");
    fflush(file);
}
