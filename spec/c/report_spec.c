#include "core/lane/report.h"
#include "unit.h"

#include <stdlib.h>

static mp_report report_of(mp_report_outcome outcome, const char *endpoint,
                           uint64_t count) {
    return (mp_report){
        .outcome = outcome, .endpoint = endpoint, .count = count};
}

/* Adds a report of a rejection that shows one record of `bytes` bytes. */
static void add_shown(mp_reports *reports, size_t bytes) {
    static char json[2 * MP_REPORT_BYTES];
    memset(json, 'x', sizeof json);
    mp_report report = report_of(MP_REPORT_REJECTED, "/track", 1);
    mp_report_show(&report, json, bytes, "", "", 1);
    mp_reports_add(reports, &report);
}

CASE(reports_come_in_order_and_once) {
    mp_reports *reports = mp_reports_new();
    for (uint64_t i = 1; i <= 3; i++) {
        mp_report report = report_of(MP_REPORT_REJECTED, "/track", i);
        mp_reports_add(reports, &report);
    }
    mp_report out;
    for (uint64_t i = 1; i <= 3; i++) {
        CHECK(mp_reports_take(reports, &out) && out.count == i);
        mp_report_free(&out);
    }
    CHECK(!mp_reports_take(reports, &out));
    mp_reports_free(reports);
}

CASE(levels_choose_what_is_kept) {
    static const struct {
        mp_report_level level;
        mp_report_outcome outcome;
        const char *message;
        bool kept;
    } rows[] = {
        {MP_REPORTS_FAILURES, MP_REPORT_DELIVERED, "", false},
        {MP_REPORTS_FAILURES, MP_REPORT_DELIVERED, "3 fewer", true},
        {MP_REPORTS_FAILURES, MP_REPORT_PAUSED, "", true},
        {MP_REPORTS_ALL, MP_REPORT_DELIVERED, "", true},
        {MP_REPORTS_NONE, MP_REPORT_REJECTED, "no", false},
        {MP_REPORTS_NONE, MP_REPORT_DELIVERED, "3 fewer", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        mp_reports *reports = mp_reports_new();
        mp_reports_keep(reports, rows[i].level);
        mp_report report = report_of(rows[i].outcome, "/track", 1), out;
        strcpy(report.message, rows[i].message);
        mp_reports_add(reports, &report);
        CHECK(mp_reports_take(reports, &out) == rows[i].kept);
        mp_reports_free(reports);
    }
}

CASE(a_full_ring_merges_and_loses_no_count) {
    static const char *const endpoints[] = {"/track", "/import", "/engage",
                                            "/groups"};
    mp_reports *reports = mp_reports_new();
    uint64_t added[4][MP_REPORT_STUCK + 1] = {{0}};
    for (uint64_t i = 0; i < 10000; i++) {
        int where = (int)(i * 7 % 4), what = (int)(i % (MP_REPORT_STUCK + 1));
        mp_report report =
            report_of((mp_report_outcome)what, endpoints[where], i);
        report.uncertain = i % 3 == 0;
        strcpy(report.message, "x");
        mp_report_show(&report, "{}", 2, "field", "message", 1);
        mp_reports_add(reports, &report);
        added[where][what] += i;
    }
    mp_report out;
    uint32_t n = 0;
    for (; mp_reports_take(reports, &out); n++) {
        int where = 0;
        while (strcmp(endpoints[where], out.endpoint) != 0)
            where++;
        added[where][out.outcome] -= out.count;
        mp_report_free(&out);
    }
    CHECK(n > 0 && n <= 64);
    for (int i = 0; i < 4; i++)
        for (int k = 0; k <= MP_REPORT_STUCK; k++)
            CHECK(added[i][k] == 0);
    mp_reports_free(reports);
}

CASE(a_record_is_shown_with_its_id) {
    static const char json[] =
        "{\"event\":\"A\",\"properties\":{\"$insert_id\":"
        "\"abc-1\",\"x\":\"\\\"$insert_id\\\":\"}}";
    mp_report report = report_of(MP_REPORT_REJECTED, "/track", 1);
    mp_report_show(&report, json, sizeof json - 1, "properties.x", "is wrong",
                   1);
    CHECK(report.shown == 1);
    const mp_report_record *record = &report.records[0];
    CHECK_TEXT(record->json, record->len, json);
    CHECK_TEXT(record->insert_id, strlen(record->insert_id), "abc-1");
    CHECK_TEXT(record->field, strlen(record->field), "properties.x");
    CHECK_TEXT(record->message, strlen(record->message), "is wrong");
    mp_report_free(&report);
}

CASE(an_id_is_never_read_past_the_record) {
    static const char *const wrong[] = {
        "\"$insert_id\":\"", "\"$insert_id\":\"abc", "\"$insert_id\":",
        "\"$insert_id\":\"0123456789012345678901234567890123456\""};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        size_t len = strlen(wrong[i]);
        char *exact = malloc(len);
        memcpy(exact, wrong[i], len);
        mp_report report = report_of(MP_REPORT_REJECTED, "/track", 1);
        mp_report_show(&report, exact, len, "", "", 1);
        CHECK(report.shown == 1 && report.records[0].insert_id[0] == '\0');
        mp_report_free(&report);
        free(exact);
    }
}

CASE(what_is_too_long_to_show_is_named_all_the_same) {
    enum {
        BIG = MP_REPORT_BYTES * 3 / 4
    };
    static char json[BIG];
    memset(json, 'x', BIG);
    memcpy(json, "\"$insert_id\":\"a\"", 16);
    mp_report report = report_of(MP_REPORT_REJECTED, "/import", 30);
    for (int i = 0; i < 30; i++)
        mp_report_show(&report, json, i % 2 ? 16 : BIG, "properties.time", "x",
                       1);
    CHECK(report.shown == MP_REPORT_RECORDS);
    for (uint32_t i = 0; i < report.shown; i++) {
        const mp_report_record *record = &report.records[i];
        CHECK((record->json != NULL) == (i == 0 || i % 2));
        CHECK(record->len == (!record->json ? 0 : i % 2 ? 16 : BIG));
        CHECK_TEXT(record->insert_id, strlen(record->insert_id), "a");
        CHECK_TEXT(record->message, strlen(record->message), "x");
    }
    mp_report_free(&report);
}

CASE(all_reports_together_have_a_bound) {
    mp_reports *reports = mp_reports_new();
    for (int i = 0; i < 1000; i++)
        add_shown(reports, MP_REPORT_BYTES);
    mp_report out;
    size_t bytes = 0;
    uint64_t count = 0;
    while (mp_reports_take(reports, &out)) {
        count += out.count;
        for (uint32_t i = 0; i < out.shown; i++)
            bytes += out.records[i].len;
        mp_report_free(&out);
    }
    CHECK(count == 1000);
    CHECK(bytes <= 4 * 1024 * 1024);
    mp_reports_free(reports);
}

CASE(cleared_reports_are_gone_and_their_bytes_too) {
    mp_reports *reports = mp_reports_new();
    mp_report out;
    for (int pass = 0; pass < 3; pass++) {
        for (int i = 0; i < 63; i++)
            add_shown(reports, MP_REPORT_BYTES);
        mp_reports_clear(reports);
        CHECK(!mp_reports_take(reports, &out));
    }
    add_shown(reports, 10);
    CHECK(mp_reports_take(reports, &out) && out.shown == 1);
    mp_report_free(&out);
    mp_reports_free(reports);
}

/* Takes one report and gives back its count, the first record's number and
 * how many records it shows. */
static void check_whole(mp_reports *reports, uint64_t n) {
    mp_report out;
    bool is_there = mp_reports_take(reports, &out);
    CHECK(is_there);
    if (!is_there)
        return;
    CHECK(out.count == n && out.shown == 50);
    for (uint32_t i = 0; i < out.shown; i++)
        CHECK(out.records[i].json && out.records[i].seq == 50 * n + i);
    mp_report_free(&out);
}

CASE(a_ring_of_every_report_grows_and_keeps_all) {
    static char json[2 * MP_REPORT_BYTES];
    mp_reports *reports = mp_reports_new();
    uint64_t added = 0, taken = 0;
    memset(json, 'x', sizeof json);
    mp_reports_keep(reports, MP_REPORTS_EVERY);
    CHECK(mp_reports_are_whole(reports));
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 100; i++, added++) {
            mp_report report = report_of(MP_REPORT_REJECTED, "/import", added);
            report.whole = true;
            for (uint64_t k = 0; k < 50; k++)
                mp_report_show(&report, json, k == 7 ? sizeof json : 10, "", "",
                               50 * added + k);
            mp_reports_add(reports, &report);
        }
        for (int i = 0; i < 60; i++, taken++) /* the ring begins anywhere */
            check_whole(reports, taken);
    }
    for (; taken < added; taken++)
        check_whole(reports, taken);
    mp_report out;
    CHECK(!mp_reports_take(reports, &out));
    mp_reports_free(reports);
}

int main(void) {
    RUN(a_ring_of_every_report_grows_and_keeps_all);
    RUN(reports_come_in_order_and_once);
    RUN(levels_choose_what_is_kept);
    RUN(a_full_ring_merges_and_loses_no_count);
    RUN(a_record_is_shown_with_its_id);
    RUN(an_id_is_never_read_past_the_record);
    RUN(what_is_too_long_to_show_is_named_all_the_same);
    RUN(all_reports_together_have_a_bound);
    RUN(cleared_reports_are_gone_and_their_bytes_too);
    return unit_result();
}
