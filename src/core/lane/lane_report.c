/* What a lane tells of its records. */
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
                   field, message);
}

static mp_report start(const mp_lane *lane, const mp_batch *batch,
                       const mp_notice *notice, uint64_t count) {
    mp_report report = {
        .outcome = notice->outcome,
        .endpoint = path_of(lane, batch),
        .count = count,
        .status = notice->status,
        .uncertain = notice->uncertain,
    };
    snprintf(report.message, MP_MESSAGE, "%s",
             notice->message ? notice->message : "");
    return report;
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

void mp_lane_report(mp_lane *lane, const mp_batch *batch,
                    const mp_notice *notice) {
    if (!lane->reports)
        return;
    mp_report report = start(lane, batch, notice, batch ? batch->count : 0);
    if (batch && notice->outcome == MP_REPORT_REJECTED)
        for (uint32_t i = 0; i < batch->count; i++) {
            show(&report, batch, i, "", report.message);
            note_rejected(lane, batch, i, "", &report);
        }
    mp_reports_add(lane->reports, &report);
}

void mp_lane_report_pause(mp_lane *lane, const mp_batch *batch, int status,
                          const char *message) {
    mp_notice notice = {MP_REPORT_PAUSED, status, false, message};
    if (!lane->reported_pause)
        mp_lane_report(lane, batch, &notice);
    lane->reported_pause = true;
}

void mp_lane_report_delivered(mp_lane *lane, const mp_batch *batch,
                              uint64_t count, const mp_response *response) {
    if (!lane->reports || count == 0)
        return;
    char message[MP_MESSAGE] = "";
    if (response->missing > 0)
        snprintf(message, MP_MESSAGE,
                 "Mixpanel counted %u records fewer than were sent",
                 response->missing);
    mp_notice notice = {MP_REPORT_DELIVERED, response->status, false, message};
    mp_report report = start(lane, batch, &notice, count);
    mp_reports_add(lane->reports, &report);
}

void mp_lane_report_failed(mp_lane *lane, const mp_batch *batch,
                           const mp_response *response) {
    if (!lane->reports || response->failed_count == 0)
        return;
    mp_notice notice = {MP_REPORT_REJECTED, response->status, false,
                        response->text};
    mp_report report = start(lane, batch, &notice, response->failed_count);
    for (uint32_t i = 0; i < response->failed_count; i++) {
        const mp_failed *failed = &response->failed[i];
        mp_report why = {.endpoint = report.endpoint,
                         .status = response->status};
        show(&report, batch, failed->index, failed->field, failed->message);
        snprintf(why.message, MP_MESSAGE, "%s", failed->message);
        note_rejected(lane, batch, failed->index, failed->field, &why);
    }
    mp_reports_add(lane->reports, &report);
}

void mp_lane_report_count(mp_lane *lane, mp_report_outcome outcome,
                          uint64_t count, const char *message) {
    mp_notice notice = {outcome, 0, false, message};
    mp_report report = start(lane, NULL, &notice, count);
    if (lane->reports)
        mp_reports_add(lane->reports, &report);
}

void mp_lane_report_dropped(mp_lane *lane, uint64_t count, int64_t now_ms) {
    lane->unreported_drops += count;
    if (lane->unreported_drops == 0 || !lane->reports ||
        (lane->reported_drops_ms != INT64_MIN &&
         now_ms < lane->reported_drops_ms + DROP_NOTICE_MS))
        return;
    mp_notice notice = {MP_REPORT_DROPPED, 0, false,
                        "max_queue_bytes was reached: the oldest records made "
                        "room for newer ones"};
    mp_report report = start(lane, NULL, &notice, lane->unreported_drops);
    mp_reports_add(lane->reports, &report);
    lane->unreported_drops = 0;
    lane->reported_drops_ms = now_ms;
}
