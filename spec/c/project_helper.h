/* A project with a spool in a directory of the test's own, driven without a
 * thread: the test sends what is asked for and says what the reply is. */
#ifndef MP_PROJECT_HELPER_H
#define MP_PROJECT_HELPER_H

#include "core/base/gzip.h"
#include "core/os/clock.h"
#include "core/os/file.h"
#include "core/project/project_state.h"
#include "core/record/line.h"
#include "remove_tree.h"
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char home[64];

static inline void enter(void) {
    strcpy(home, "/tmp/mp_project_XXXXXX");
    CHECK(mkdtemp(home) != NULL);
}

static inline void leave(void) {
    mp_file_use(&mp_file_system);
    remove_tree(home);
}

static inline mp_project *open_project(void) {
    mp_config config = {.token = strdup("token"),
                        .base_url = strdup("https://host"),
                        .name = strdup(""),
                        .spool = strdup(home)};
    mp_project *project = mp_project_new(&config);
    CHECK(project != NULL);
    mp_project_adopts(project, true);
    return project;
}

/* Settings that the test may change, before anybody else has them. */
static inline mp_settings *own_settings(mp_project *project) {
    mp_settings_release(project->settings);
    project->settings = mp_settings_new(MP_SPOOLED);
    CHECK(project->settings != NULL);
    return project->settings;
}

static inline void close_project(mp_project *project) {
    mp_project_finish(project);
    mp_project_release(project);
}

/* Accepts a record. */
static inline void push_json(mp_project *project, mp_lane_id lane,
                             const char *json) {
    bool wake;
    mp_record record = {.head = json, .head_len = strlen(json)};
    CHECK(mp_project_push(project, lane, &record, 1, &wake) == MP_OK);
}

enum {
    RECORD = 256
};

/* The JSON of record number n. */
static inline void write_record(mp_lane_id lane, int n, char json[RECORD]) {
    if (mp_endpoints[lane].profiles)
        snprintf(json, RECORD,
                 "{\"$token\":\"token\",\"$distinct_id\":\"u\",\"$set\":{\"n\":"
                 "%d}}",
                 n);
    else
        snprintf(json, RECORD,
                 "{\"event\":\"E\",\"properties\":{\"token\":\"token\","
                 "\"$insert_id\":\"%d\"}}",
                 n);
}

/* Accepts one record, number n. */
static inline void push(mp_project *project, mp_lane_id lane, int n) {
    char json[RECORD];
    write_record(lane, n, json);
    push_json(project, lane, json);
}

/* Leaves a sealed batch of this record, whose number within the project is n.
 */
static inline void leave_sealed_json(mp_project *project, mp_lane_id lane,
                                     const char *json, int n) {
    char message[MP_MESSAGE];
    mp_segment *segment;
    mp_batch_file *file;
    mp_record record;
    bool foreign;
    CHECK(mp_line_read(json, strlen(json), &mp_endpoints[lane], NULL, &record,
                       &foreign) == MP_OK);
    CHECK(mp_spool_segment(project->spool, lane, &segment, message) == 0);
    mp_segment_add(segment, &record, project->base + (uint64_t)n);
    CHECK(mp_spool_seal(project->spool, lane, segment, NULL, mp_clock_wall_ms(),
                        &file, message) == 0);
    mp_segment_free(segment);
    free(file);
}

static inline void leave_sealed(mp_project *project, mp_lane_id lane, int n) {
    char json[RECORD];
    write_record(lane, n, json);
    leave_sealed_json(project, lane, json, n);
}

/* In a process that dies: whatever `life` does. */
static inline void die_after(void (*life)(mp_project *project, int n), int n) {
    pid_t pid = fork();
    if (pid == 0) {
        life(open_project(), n);
        fflush(stderr);
        _exit(unit_bad);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

/* What was sent so far: the numbers of the records, in order. */
enum {
    SENT = 4096
};
static int sent[SENT], sent_n;
static int requests_n; /* that sent them */

static inline int number_of(const mp_batch *batch, uint32_t i) {
    const mp_entry *entry = mp_batch_entry(batch, i);
    const char *json = batch->segment->data + entry->offset;
    const char *at = memmem(json, entry->length, "rt_id\":\"", 8);
    if (!at)
        at = memmem(json, entry->length, "{\"n\":", 5);
    CHECK(at != NULL);
    return at ? atoi(at + strcspn(at, "0123456789")) : 0;
}

static inline void note_sent(const mp_batch *batch) {
    for (uint32_t i = 0; i < batch->count && sent_n < SENT; i++)
        sent[sent_n++] = number_of(batch, i);
}

static inline bool was_sent(int n) {
    int times = 0;
    for (int i = 0; i < sent_n; i++)
        times += sent[i] == n;
    return times == 1;
}

/* What goes out is what the batch says, wherever its bytes come from. */
static inline void check_body(const mp_flight *under_way) {
    const mp_request *request = &under_way->request;
    mp_buf json = {0}, body = {0};
    CHECK(mp_batch_body(under_way->batch, &json) == MP_OK);
    if (request->gzip)
        CHECK(mp_gunzip_add(&body, request->body.data, request->body.len,
                            MP_SEGMENT_BYTES) == MP_OK);
    else
        mp_buf_add(&body, request->body.data, request->body.len);
    CHECK(body.len == json.len && memcmp(body.data, json.data, json.len) == 0);
    CHECK(request->raw_bytes == json.len);
    mp_buf_free(&json);
    mp_buf_free(&body);
}

/* Sends all that wants to be sent at that time; every request succeeds. */
static inline void send_all(mp_project *project, int64_t now_ms) {
    static const char ok[] = "{\"status\":1,\"error\":null}";
    mp_reply reply = {.status = 200, .body = ok, .len = sizeof ok - 1};
    int64_t next_ms;
    mp_request *request;
    mp_project_prepare(project, now_ms);
    while ((request =
                mp_project_next_request(project, MP_HOST, now_ms, &next_ms))) {
        check_body((mp_flight *)request);
        note_sent(((mp_flight *)request)->batch);
        requests_n++;
        mp_project_handle_reply(project, request, &reply, now_ms);
    }
    mp_project_maintain(project, now_ms);
}

static inline mp_stats stats_of(mp_project *project) {
    mp_stats stats;
    mp_project_stats(project, &stats);
    CHECK(stats.accepted + stats.adopted ==
          stats.delivered + stats.rejected + stats.dropped_expired +
              stats.dropped_overflow + stats.dropped_evicted +
              stats.dropped_quarantined + stats.queued + stats.in_flight +
              stats.spooled);
    return stats;
}

/* True if a report of the project says that, and drops what came before. */
static inline bool was_told(mp_project *project, const char *text) {
    mp_report report;
    bool told = false;
    while (!told && mp_project_take_report(project, &report)) {
        told = strstr(report.message, text) != NULL;
        mp_report_free(&report);
    }
    return told;
}

#endif
