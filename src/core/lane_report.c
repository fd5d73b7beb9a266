/* What a lane tells of its records. */
#include "lane_state.h"

#include <stdio.h>

enum {
    DROP_NOTICE_MS = 60 * 1000 /* between two reports of an overflow */
};

static const char *endpoint(const mp_lane *lane, const mp_batch *batch) {
    static const char *const names[] = {
        [MP_LANE_EVENTS] = "/track",
        [MP_LANE_IMPORT] = "/import",
        [MP_LANE_PEOPLE] = "/engage",
        [MP_LANE_GROUPS] = "/groups",
    };
    return names[batch && batch->via_import ? MP_LANE_IMPORT : lane->id];
}

static void show(mp_report *report, const mp_batch *batch, uint32_t i,
                 const char *field, const char *message) {
    const mp_entry *entry = mp_batch_entry(batch, i);
    mp_report_show(report, batch->segment->data + entry->offset, entry->length,
                   field, message);
}

static mp_report start(const mp_lane *lane, const mp_batch *batch,
                       const mp_news *news, uint64_t count) {
    mp_report report = {
        .outcome = news->outcome,
        .endpoint = endpoint(lane, batch),
        .count = count,
        .status = news->status,
        .uncertain = news->uncertain,
    };
    snprintf(report.message, MP_MESSAGE, "%s",
             news->message ? news->message : "");
    return report;
}

void mp_lane_tell(mp_lane *lane, const mp_batch *batch, const mp_news *news) {
    if (!lane->reports)
        return;
    mp_report report = start(lane, batch, news, batch ? batch->count : 0);
    if (batch && news->outcome == MP_REPORT_REJECTED)
        for (uint32_t i = 0; i < batch->count; i++)
            show(&report, batch, i, "", report.message);
    mp_reports_add(lane->reports, &report);
}

void mp_lane_tell_pause(mp_lane *lane, const mp_batch *batch, int status,
                        const char *message) {
    mp_news news = {MP_REPORT_PAUSED, status, false, message};
    if (!lane->told_pause)
        mp_lane_tell(lane, batch, &news);
    lane->told_pause = true;
}

void mp_lane_tell_delivered(mp_lane *lane, const mp_batch *batch,
                            uint64_t count, const mp_answer *answer) {
    if (!lane->reports || count == 0)
        return;
    char message[MP_MESSAGE] = "";
    if (answer->missing > 0)
        snprintf(message, MP_MESSAGE,
                 "Mixpanel counted %u records fewer than were sent",
                 answer->missing);
    mp_news news = {MP_REPORT_DELIVERED, answer->status, false, message};
    mp_report report = start(lane, batch, &news, count);
    mp_reports_add(lane->reports, &report);
}

void mp_lane_tell_failed(mp_lane *lane, const mp_batch *batch,
                         const mp_answer *answer) {
    if (!lane->reports || answer->failed_count == 0)
        return;
    mp_news news = {MP_REPORT_REJECTED, answer->status, false, answer->text};
    mp_report report = start(lane, batch, &news, answer->failed_count);
    for (uint32_t i = 0; i < answer->failed_count; i++)
        show(&report, batch, answer->failed[i].index, answer->failed[i].field,
             answer->failed[i].message);
    mp_reports_add(lane->reports, &report);
}

void mp_lane_tell_dropped(mp_lane *lane, uint64_t count, int64_t now_ms) {
    lane->untold_drops += count;
    if (lane->untold_drops == 0 || !lane->reports ||
        (lane->told_drops_ms != INT64_MIN &&
         now_ms < lane->told_drops_ms + DROP_NOTICE_MS))
        return;
    mp_news news = {MP_REPORT_DROPPED, 0, false,
                    "max_queue_bytes was reached: the oldest records made "
                    "room for newer ones"};
    mp_report report = start(lane, NULL, &news, lane->untold_drops);
    mp_reports_add(lane->reports, &report);
    lane->untold_drops = 0;
    lane->told_drops_ms = now_ms;
}
