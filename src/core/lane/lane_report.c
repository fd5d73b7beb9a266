/* The end of records, and what is reported of those that go on. */
#include "core/lane/lane_state.h"

#include "core/base/json.h"

#include <stdio.h>
#include <string.h>

enum {
    DROP_NOTICE_MS = 60 * 1000 /* between two reports of an overflow */
};

static const char *path_of(const mp_lane *lane, const mp_batch *batch) {
    return batch && batch->endpoint ? batch->endpoint->path
                                    : lane->endpoint->path;
}

static void show(mp_report *report, const mp_batch *batch, uint32_t i,
                 const char *field, const char *message) {
    const mp_entry *entry = mp_batch_entry(batch, i);
    mp_report_show(report, batch->segment->data + entry->offset, entry->length,
                   field, message, entry->seq);
}

/* Notes a record that was refused: one line of JSON. What finds no room, in
 * memory or in the limit of the buffer, is missing here and nowhere else. */
static void note_rejected(const mp_lane *lane, const mp_batch *batch,
                          uint32_t i, const char *field, const mp_report *why) {
    mp_buf *out = lane->rejected;
    if (!out)
        return;
    const mp_entry *entry = mp_batch_entry(batch, i);
    bool repaired;
    size_t start_len = out->len;
    char status[48];
    snprintf(status, sizeof status, ",\"status\":%d,\"message\":", why->status);
    mp_buf_puts(out, "{\"endpoint\":");
    mp_json_string(out, why->endpoint, strlen(why->endpoint), &repaired);
    mp_buf_puts(out, status);
    mp_json_string(out, why->message, strlen(why->message), &repaired);
    if (*field) {
        mp_buf_puts(out, ",\"field\":");
        mp_json_string(out, field, strlen(field), &repaired);
    }
    mp_buf_puts(out, ",\"record\":");
    mp_buf_add(out, batch->segment->data + entry->offset, entry->length);
    if (mp_buf_puts(out, "}\n") != MP_OK)
        mp_buf_rewind(out, start_len);
}

static void add(mp_lane *lane, mp_report *report) {
    if (lane->reports)
        mp_reports_add(lane->reports, report);
    else
        mp_report_free(report);
}

/* ---- the end of records ---- */

/* Every record of the batch, with the same words. */
static void show_all(mp_report *report, const mp_batch *batch) {
    for (uint32_t i = 0; i < batch->count; i++)
        show(report, batch, i, "", report->message);
}

void mp_lane_forget(mp_lane *lane, mp_batch *batch) {
    lane->stats->queued -= batch->count;
    mp_segment *segment = mp_batch_free(batch);
    if (segment)
        mp_lane_retire(lane, segment);
}

void mp_lane_end(mp_lane *lane, mp_batch *batch, mp_fate fate, int status,
                 const char *text) {
    mp_report report =
        mp_fate_report(fate, path_of(lane, batch), batch->count, status, text);
    report.whole = mp_reports_are_whole(lane->reports);
    bool rejected = report.outcome == MP_REPORT_REJECTED;
    if (rejected || report.whole)
        show_all(&report, batch);
    for (uint32_t i = 0; rejected && i < batch->count; i++)
        note_rejected(lane, batch, i, "", &report);
    add(lane, &report);
    mp_fate_count(fate, lane->stats, batch->count);
    mp_lane_forget(lane, batch);
}

static void reject_named(mp_lane *lane, const mp_batch *batch,
                         const mp_response *response) {
    mp_report report = mp_fate_report(MP_FATE_REJECTED, path_of(lane, batch),
                                      response->failed_count, response->status,
                                      response->text);
    report.whole = mp_reports_are_whole(lane->reports);
    for (uint32_t i = 0; i < response->failed_count; i++) {
        const mp_failed *failed = &response->failed[i];
        mp_report why = mp_fate_report(MP_FATE_REJECTED, report.endpoint, 1,
                                       response->status, failed->message);
        show(&report, batch, failed->index, failed->field, failed->message);
        note_rejected(lane, batch, failed->index, failed->field, &why);
    }
    add(lane, &report);
    mp_fate_count(MP_FATE_REJECTED, lane->stats, response->failed_count);
}

void mp_lane_end_delivered(mp_lane *lane, mp_batch *batch,
                           const mp_response *response) {
    uint32_t delivered = batch->count - response->failed_count;
    char message[MP_MESSAGE] = "";
    if (response->failed_count > 0)
        reject_named(lane, batch, response);
    if (response->missing > 0)
        snprintf(message, MP_MESSAGE,
                 "Mixpanel counted %u records fewer than were sent",
                 response->missing);
    mp_report report = mp_fate_report(MP_FATE_DELIVERED, path_of(lane, batch),
                                      delivered, response->status, message);
    if (delivered > 0)
        add(lane, &report);
    mp_fate_count(MP_FATE_DELIVERED, lane->stats, delivered);
    mp_lane_forget(lane, batch);
}

void mp_lane_end_unread(mp_lane *lane, mp_fate fate, uint32_t n) {
    mp_report report = mp_fate_report(fate, path_of(lane, NULL), n, 0, NULL);
    add(lane, &report);
    mp_fate_count(fate, lane->stats, n);
}

void mp_lane_count_overflow(mp_lane *lane, uint64_t n, int64_t now_ms) {
    mp_fate_count(MP_FATE_OVERFLOW, lane->stats, n);
    lane->unreported_drops += n;
    if (lane->unreported_drops == 0 || !lane->reports ||
        (lane->reported_drops_ms != INT64_MIN &&
         now_ms < lane->reported_drops_ms + DROP_NOTICE_MS))
        return;
    mp_report report = mp_fate_report(MP_FATE_OVERFLOW, path_of(lane, NULL),
                                      lane->unreported_drops, 0, NULL);
    add(lane, &report);
    lane->unreported_drops = 0;
    lane->reported_drops_ms = now_ms;
}

/* ---- reports of records that go on ---- */

void mp_lane_report(mp_lane *lane, const mp_batch *batch,
                    mp_report_outcome outcome, int status, const char *text) {
    mp_report report = {
        .outcome = outcome,
        .endpoint = path_of(lane, batch),
        .count = batch ? batch->count : 0,
        .status = status,
        .uncertain = outcome == MP_REPORT_AMBIGUOUS,
    };
    snprintf(report.message, MP_MESSAGE, "%s", text);
    if (outcome == MP_REPORT_STUCK && mp_reports_are_whole(lane->reports)) {
        report.whole = true;
        show_all(&report, batch);
    }
    add(lane, &report);
}

void mp_lane_report_ambiguous(mp_lane *lane, const mp_batch *batch, int status,
                              const char *text) {
    lane->stats->ambiguous++;
    mp_lane_report(lane, batch, MP_REPORT_AMBIGUOUS, status, text);
}

void mp_lane_report_pause(mp_lane *lane, mp_route *route, const mp_batch *batch,
                          int status, const char *text) {
    if (!route->reported_pause)
        mp_lane_report(lane, batch, MP_REPORT_PAUSED, status, text);
    route->reported_pause = true;
}
