#include "core/lane/report.h"

#include "core/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* More than there are pairs of outcome and endpoint, so that a full ring
     * always holds two reports that can be merged. */
    RING = 64,
    FIRST = 4,                   /* what it begins with: most never get any */
    RING_BYTES = 4 * 1024 * 1024 /* of shown records, all reports together */
};

struct mp_reports {
    mp_report *ring;
    uint32_t cap, first, count;
    size_t bytes;
    mp_report_level level;
};

const char *mp_report_outcome_name(mp_report_outcome outcome) {
    static const char *const names[] = {
        [MP_REPORT_DELIVERED] = "delivered",
        [MP_REPORT_REJECTED] = "rejected",
        [MP_REPORT_DROPPED] = "dropped",
        [MP_REPORT_AMBIGUOUS] = "ambiguous",
        [MP_REPORT_PAUSED] = "paused",
        [MP_REPORT_STUCK] = "stuck",
        [MP_REPORT_SPOOL] = "spool",
        [MP_REPORT_STATE] = "state",
        [MP_REPORT_PROPERTIES] = "properties",
    };
    return names[outcome];
}

static size_t shown_bytes(const mp_report *report) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < report->shown; i++)
        bytes += report->records[i].len;
    return bytes;
}

/* The encoder writes the id before any property of the caller, and a quote
 * inside a string is escaped, so the first match is the id. */
static void find_insert_id(mp_report_record *record, const char *json,
                           size_t len) {
    static const char key[] = "\"$insert_id\":\"";
    const char *at = mp_text_find(json, len, key, sizeof key - 1);
    if (!at)
        return;
    at += sizeof key - 1;
    const char *end = memchr(at, '"', len - (size_t)(at - json));
    if (end && (size_t)(end - at) < sizeof record->insert_id)
        memcpy(record->insert_id, at, (size_t)(end - at));
}

/* Where the JSON does not fit, what is wrong with the record is still told. */
static void keep_json(mp_report *report, mp_report_record *record,
                      const char *json, size_t len) {
    if (!report->whole && shown_bytes(report) + len > MP_REPORT_BYTES)
        return;
    record->json = malloc(len + 1);
    if (!record->json)
        return;
    memcpy(record->json, json, len);
    record->json[len] = '\0';
    record->len = len;
}

/* Room for one more record; NULL: there is none. */
static mp_report_record *add_record(mp_report *report) {
    uint32_t n = report->shown;
    if (n == report->room) {
        if (n > 0 && !report->whole)
            return NULL;
        uint32_t room = n > 0 ? 2 * n : MP_REPORT_RECORDS;
        mp_report_record *records =
            realloc(report->records, room * sizeof *records);
        if (!records)
            return NULL;
        report->records = records;
        report->room = room;
    }
    memset(&report->records[n], 0, sizeof *report->records);
    return &report->records[n];
}

void mp_report_show(mp_report *report, const char *json, size_t len,
                    const char *field, const char *message, uint64_t seq) {
    mp_report_record *record = add_record(report);
    if (!record)
        return;
    record->seq = seq;
    keep_json(report, record, json, len);
    find_insert_id(record, json, len);
    snprintf(record->field, sizeof record->field, "%s", field);
    snprintf(record->message, sizeof record->message, "%s", message);
    report->shown++;
}

void mp_report_free(mp_report *report) {
    for (uint32_t i = 0; i < report->shown; i++)
        free(report->records[i].json);
    free(report->records);
    report->records = NULL;
    report->shown = report->room = 0;
}

mp_reports *mp_reports_new(void) {
    return calloc(1, sizeof(mp_reports));
}

mp_err mp_reports_prepare(mp_reports *reports) {
    if (reports->ring)
        return MP_OK;
    reports->ring = malloc(FIRST * sizeof *reports->ring);
    reports->cap = reports->ring ? FIRST : 0;
    return reports->ring ? MP_OK : MP_MEMORY;
}

void mp_reports_clear(mp_reports *reports) {
    mp_report report;
    while (mp_reports_take(reports, &report))
        mp_report_free(&report);
}

void mp_reports_abandon(mp_reports *reports) {
    *reports = (mp_reports){.level = reports->level};
}

void mp_reports_free(mp_reports *reports) {
    if (!reports)
        return;
    mp_reports_clear(reports);
    free(reports->ring);
    free(reports);
}

static mp_report *at(mp_reports *reports, uint32_t i) {
    return &reports->ring[(reports->first + i) % reports->cap];
}

static void drop_details(mp_reports *reports, mp_report *report) {
    reports->bytes -= shown_bytes(report);
    mp_report_free(report);
}

static bool is_alike(const mp_report *a, const mp_report *b) {
    return a->outcome == b->outcome && a->uncertain == b->uncertain &&
           strcmp(a->endpoint, b->endpoint) == 0;
}

static void remove_at(mp_reports *reports, uint32_t i) {
    for (; i + 1 < reports->count; i++)
        *at(reports, i) = *at(reports, i + 1);
    reports->count--;
}

/* Adds the count of the oldest report that has a later one of its kind to
 * that later one, and removes it. */
static void make_place(mp_reports *reports) {
    for (uint32_t i = 0; i < reports->count; i++) {
        for (uint32_t k = i + 1; k < reports->count; k++) {
            if (!is_alike(at(reports, i), at(reports, k)))
                continue;
            at(reports, k)->count += at(reports, i)->count;
            drop_details(reports, at(reports, i));
            remove_at(reports, i);
            return;
        }
    }
}

/* Twice the room; false: out of memory. */
static bool grow(mp_reports *reports) {
    mp_report *ring = calloc((size_t)2 * reports->cap, sizeof *ring);
    if (!ring)
        return false;
    for (uint32_t i = 0; i < reports->count; i++)
        ring[i] = *at(reports, i);
    free(reports->ring);
    reports->ring = ring;
    reports->cap *= 2;
    reports->first = 0;
    return true;
}

bool mp_reports_are_whole(const mp_reports *reports) {
    return reports && reports->level == MP_REPORTS_EVERY;
}

void mp_reports_keep(mp_reports *reports, mp_report_level level) {
    reports->level = level;
}

static bool is_wanted(const mp_reports *reports, const mp_report *report) {
    bool success =
        report->outcome == MP_REPORT_DELIVERED && report->message[0] == '\0';
    return reports->level == MP_REPORTS_ALL ||
           (reports->level != MP_REPORTS_NONE && !success);
}

void mp_reports_add(mp_reports *reports, mp_report *report) {
    if (!is_wanted(reports, report) || mp_reports_prepare(reports) != MP_OK) {
        mp_report_free(report);
        return;
    }
    bool whole = mp_reports_are_whole(reports);
    bool may_grow = whole || reports->cap < RING;
    if (reports->count == reports->cap && !(may_grow && grow(reports)))
        make_place(reports);
    if (reports->count == reports->cap) { /* memory is short */
        mp_report_free(report);
        return;
    }
    if (!whole && reports->bytes + shown_bytes(report) > RING_BYTES)
        mp_report_free(report);
    reports->bytes += shown_bytes(report);
    *at(reports, reports->count++) = *report;
    report->records = NULL;
    report->shown = report->room = 0;
}

bool mp_reports_take(mp_reports *reports, mp_report *report) {
    if (reports->count == 0)
        return false;
    *report = *at(reports, 0);
    reports->bytes -= shown_bytes(report);
    reports->first = (reports->first + 1) % reports->cap;
    reports->count--;
    return true;
}
