#include "core/lane/fate.h"

#include <stdio.h>

#define COUNTER(field) offsetof(mp_stats, field)

static const struct {
    size_t counter; /* a uint64_t of mp_stats */
    mp_report_outcome outcome;
    bool uncertain;
    const char *text;
} fates[MP_FATES] = {
    [MP_FATE_DELIVERED] = {COUNTER(delivered), MP_REPORT_DELIVERED, false, ""},
    [MP_FATE_REJECTED] = {COUNTER(rejected), MP_REPORT_REJECTED, false, ""},
    [MP_FATE_UNCERTAIN] = {COUNTER(rejected), MP_REPORT_REJECTED, true, ""},
    [MP_FATE_EXPIRED] = {COUNTER(dropped_expired), MP_REPORT_DROPPED, false,
                         "older than max_age"},
    [MP_FATE_NO_IMPORT] = {COUNTER(dropped_expired), MP_REPORT_DROPPED, false,
                           "older than five days, and the api_host has no "
                           "/import"},
    [MP_FATE_OVERFLOW] = {COUNTER(dropped_overflow), MP_REPORT_DROPPED, false,
                          "max_queue_bytes was reached: the oldest records "
                          "made room for newer ones"},
    [MP_FATE_EVICTED] = {COUNTER(dropped_evicted), MP_REPORT_DROPPED, false,
                         "spool_max_bytes was reached: the oldest batches "
                         "made room for newer ones"},
    [MP_FATE_LEFT_OVER] = {COUNTER(dropped_evicted), MP_REPORT_DROPPED, false,
                           "spool_total_bytes was reached: the oldest batches "
                           "that dead processes left made room for newer ones"},
    [MP_FATE_REMOVED] = {COUNTER(dropped_evicted), MP_REPORT_DROPPED, false,
                         "somebody else removed their file from the spool"},
    [MP_FATE_QUARANTINED] = {COUNTER(dropped_quarantined), MP_REPORT_DROPPED,
                             false,
                             "their file in the spool is damaged, or they "
                             "name the token of another project; they are "
                             "kept as *.bad"},
};

void mp_fate_count(mp_fate fate, mp_stats *stats, uint64_t n) {
    *(uint64_t *)(void *)((char *)stats + fates[fate].counter) += n;
}

mp_report mp_fate_report(mp_fate fate, const char *endpoint, uint64_t n,
                         int status, const char *text) {
    mp_report report = {
        .outcome = fates[fate].outcome,
        .endpoint = endpoint,
        .count = n,
        .status = status,
        .uncertain = fates[fate].uncertain,
    };
    snprintf(report.message, MP_MESSAGE, "%s", text ? text : fates[fate].text);
    return report;
}
