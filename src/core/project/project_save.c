/* State files: a thread that changed a user hands one over, the disk thread
 * writes it. */
#include "core/project/project_state.h"

#include "core/os/clock.h"

#include <stdio.h>
#include <string.h>

/* With the lock held. */
static void report(mp_project *project, const char *message) {
    mp_report report = {.outcome = MP_REPORT_STATE, .endpoint = ""};
    snprintf(report.message, MP_MESSAGE, "%s", message);
    mp_project_note_error(project, message);
    mp_reports_add(project->reports, &report);
}

void mp_project_report_state(mp_project *project, const char *message) {
    mp_project_lock(project);
    report(project, message);
    mp_project_unlock(project);
}

mp_err mp_project_save(mp_project *project, mp_state_file *file, bool *wake) {
    int64_t now_ms = mp_clock_mono_ms();
    mp_project_lock(project);
    int64_t before_ms = mp_saves_due(&project->saves);
    mp_err err = mp_saves_put(&project->saves, file, now_ms);
    int64_t due_ms = mp_saves_due(&project->saves);
    *wake = due_ms < before_ms;
    mp_project_unlock(project);
    return err;
}

void mp_project_flush_save(mp_project *project, const mp_state_file *file) {
    mp_project_lock(project);
    mp_save *save = mp_saves_find(&project->saves, file);
    if (save)
        save->due_ms = mp_clock_mono_ms();
    mp_project_unlock(project);
}

mp_err mp_project_await_save(mp_project *project, const mp_state_file *file,
                             int64_t deadline_ms, char message[MP_MESSAGE]) {
    mp_err err = MP_OK;
    mp_project_lock(project);
    const mp_save *save = mp_saves_find(&project->saves, file);
    uint32_t failures = save ? save->failures : 0;
    bool in_time = true;
    while (save && save->failures <= failures && in_time) {
        in_time = mp_wait_until(&project->wait, deadline_ms);
        save = mp_saves_find(&project->saves, file);
    }
    if (save && save->failures > failures) {
        err = MP_STATE;
        snprintf(message, MP_MESSAGE, "%s", save->failure);
    } else if (save) {
        err = MP_TIMEOUT;
        snprintf(message, MP_MESSAGE, "timeout: the state is not written yet");
    }
    mp_project_unlock(project);
    return err;
}

bool mp_project_flush_saves(mp_project *project) {
    mp_project_lock(project);
    mp_saves_flush(&project->saves, mp_clock_mono_ms());
    bool any = project->saves.list != NULL;
    mp_project_unlock(project);
    return any;
}

void mp_project_await_saves(mp_project *project, int64_t deadline_ms) {
    mp_project_lock(project);
    while (mp_saves_are_due(&project->saves, mp_clock_mono_ms()) &&
           mp_wait_until(&project->wait, deadline_ms))
        continue;
    mp_project_unlock(project);
}

/* The failure of the first write of a row is reported, the others are not. */
static void write_one(mp_project *project, mp_save *save) {
    char failure[MP_MESSAGE] = "";
    int err = mp_state_file_write(save->file);
    if (err != 0)
        mp_state_file_describe(save->file, "write", err, failure);
    mp_project_lock(project);
    if (err != 0 && save->failures == 0)
        report(project, failure);
    mp_saves_done(&project->saves, save, err != 0 ? failure : NULL,
                  mp_clock_mono_ms());
    mp_wait_changed(&project->wait);
    mp_project_unlock(project);
}

/* One that fails is due later, so that this ends. */
int64_t mp_project_write_saves(mp_project *project) {
    int64_t now_ms = mp_clock_mono_ms(), due_ms = INT64_MAX;
    mp_save *save;
    do {
        mp_project_lock(project);
        save = mp_saves_take(&project->saves, now_ms);
        if (!save)
            due_ms = mp_saves_due(&project->saves);
        mp_project_unlock(project);
        if (save)
            write_one(project, save);
    } while (save);
    return due_ms;
}
