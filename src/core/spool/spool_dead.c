/* What adopting a dead run and evicting from it have in common. */
#include "core/spool/spool_state.h"

#include "core/os/file.h"

#include <errno.h>
#include <stdio.h>

static void report(const mp_reporter *reporter, const char *message) {
    reporter->report(reporter->user, message);
}

/* ---- open segments ---- */

void mp_spool_report_damage(const mp_batch_file *open, uint32_t others,
                            const mp_reporter *reporter) {
    char name[MP_BATCH_FILE_NAME], message[MP_MESSAGE];
    mp_batch_file_name(open, name);
    snprintf(message, sizeof message,
             "spool: %.110s is damaged: %u records of it were read, %u pieces "
             "were not; it is kept as *.bad",
             name, open->count, others);
    report(reporter, message);
}

void mp_spool_remove_open(mp_batch_file *open, const mp_reporter *reporter) {
    char message[MP_MESSAGE];
    if (mp_spool_remove(open, message) != 0)
        report(reporter, message);
    mp_batch_file_free(open);
}

void mp_spool_remove_twins(mp_found *found, const mp_reporter *reporter) {
    for (mp_batch_file **at = &found->open; *at;) {
        mp_batch_file *one = *at, seen = *one;
        bool empty;
        if (mp_found_has_placed(found) && mp_spool_look_open(&seen, &empty) &&
            mp_found_has_twin(found, &seen)) {
            *at = one->next;
            mp_spool_remove_open(one, reporter);
        } else {
            at = &one->next;
        }
    }
}

/* ---- eviction ---- */

/* Finds out how many records an open segment has, by reading it, and whether
 * it has other pieces, or is none. Returns an errno value. */
static int read_open(mp_batch_file *file, const mp_reporter *reporter,
                     bool *damaged, char message[MP_MESSAGE]) {
    mp_segment *segment;
    mp_lines lines = {0};
    int err = mp_spool_recover(file, &segment, &lines, message);
    *damaged = err == EBADMSG || lines.others > 0;
    if (err == EBADMSG) {
        report(reporter, message);
        return 0;
    }
    if (err != 0)
        return err;
    mp_segment_free(segment);
    if (*damaged)
        mp_spool_report_damage(file, lines.others, reporter);
    return 0;
}

/* The same for any file; what is sealed has its number in its name. */
static int count_records(mp_batch_file *file, const mp_reporter *reporter,
                         bool *damaged, char message[MP_MESSAGE]) {
    char name[MP_BATCH_FILE_NAME];
    mp_file_info seen;
    *damaged = false;
    if (file->number > 0)
        return read_open(file, reporter, damaged, message);
    mp_batch_file_name(file, name);
    int err = mp_file_look(file->dir, name, &seen);
    return err == 0 ? 0 : mp_spool_error(message, "cannot look at", name, err);
}

void mp_spool_evict(mp_batch_file *file, const mp_reporter *reporter,
                    mp_evicted *out) {
    char message[MP_MESSAGE];
    bool damaged;
    *out = (mp_evicted){0};
    int err = count_records(file, reporter, &damaged, message);
    if (err == 0) {
        err = damaged ? mp_spool_quarantine(file, message)
                      : mp_spool_remove(file, message);
        out->records = err == 0 ? file->count : 0;
        out->quarantined = err == 0 && damaged;
    }
    out->gone = err == 0 || err == ENOENT;
    if (!out->gone && err != ENOTSUP) /* of a newer version: adoption tells */
        report(reporter, message);
    mp_batch_file_free(file);
}
