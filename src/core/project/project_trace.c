/* The debug trace of a project. */
#include "core/project/project_state.h"

#include "core/os/syserr.h"

#include <errno.h>
#include <stdio.h>

/* `err`: of the trace; 0: nothing is wrong. */
static void report_untraceable(mp_project *project, int err) {
    char message[MP_MESSAGE], text[MP_SYSERR];
    bool file = err == ELOOP || err == EINVAL || err == ENXIO;
    const char *path = project->trace.path;
    if (err == 0)
        return;
    snprintf(message, sizeof message,
             "option 'debug': cannot write to %.100s: %.64s", path,
             file ? "it is no regular file; true means standard error"
                  : mp_syserr_text(err, text));
    mp_project_lock(project);
    mp_project_note_error(project, message);
    mp_project_unlock(project);
}

void mp_project_trace_request(mp_project *project, mp_flight *under_way) {
    if (under_way->role == MP_SENDER)
        return;
    const mp_settings *settings = under_way->request.settings;
    under_way->number = ++project->flights;
    if (mp_trace_open(&project->trace, settings->debug) != MP_OK ||
        !project->trace.path)
        return;
    mp_buf body = {0};
    const mp_buf *shown = &under_way->request.body;
    if (under_way->batch && mp_batch_body(under_way->batch, &body) == MP_OK)
        shown = &body;
    report_untraceable(project,
                       mp_trace_request(&project->trace, under_way->number,
                                        &under_way->request, shown->data,
                                        shown->len));
    mp_buf_free(&body);
}

void mp_project_trace_reply(mp_project *project, const mp_flight *under_way,
                            const mp_reply *reply) {
    if (under_way->role == MP_SENDER)
        return;
    report_untraceable(
        project, mp_trace_reply(&project->trace, under_way->number, reply));
}
