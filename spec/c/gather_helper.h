/* Processes that die and leave small batches behind, and the project that
 * adopts them. */
#ifndef MP_GATHER_HELPER_H
#define MP_GATHER_HELPER_H

#include "failing_disk.h"

#include "core/lane/lane_state.h"

static inline void begin(void) {
    enter();
    sent_n = requests_n = 0;
}

static inline void end(mp_project *project) {
    close_project(project);
    leave();
}

static inline void leave_event(mp_project *project, int n) {
    leave_sealed(project, MP_LANE_EVENTS, n);
}

static inline void leave_update(mp_project *project, int n) {
    leave_sealed(project, MP_LANE_PEOPLE, n);
}

/* Not to be sent twice. */
static inline void leave_increment(mp_project *project, int n) {
    char json[RECORD];
    snprintf(
        json, sizeof json,
        "{\"$token\":\"token\",\"$distinct_id\":\"u\",\"$add\":{\"n\":%d}}", n);
    leave_sealed_json(project, MP_LANE_PEOPLE, json, n);
}

static inline void leave_many(mp_project *project, int n) {
    for (int i = 1; i <= n; i++)
        leave_update(project, i);
}

/* By so many processes, from the first number on. */
static inline void leave_all(void (*life)(mp_project *project, int n),
                             int first, int last) {
    for (int n = first; n <= last; n++)
        die_after(life, n);
}

static inline int count_found(const char *pattern) {
    char command[256], answer[32];
    snprintf(command, sizeof command, "find %s -name '%s' | wc -l", home,
             pattern);
    FILE *pipe = popen(command, "r");
    CHECK(fgets(answer, sizeof answer, pipe) != NULL);
    pclose(pipe);
    return atoi(answer);
}

/* Sends until nothing is left, a second at a time. */
static inline void deliver(mp_project *project, int seconds) {
    int64_t now_ms = mp_clock_mono_ms();
    for (int i = 0; i < seconds; i++)
        send_all(project, now_ms + 1000 * i);
}

static inline bool rises(void) {
    for (int i = 1; i < sent_n; i++)
        if (sent[i] <= sent[i - 1])
            return false;
    return true;
}

static inline void check_all_sent(mp_project *project, int n) {
    mp_stats stats = stats_of(project);
    CHECK(sent_n == n && stats.delivered == (uint64_t)n);
    for (int i = 1; i <= n; i++)
        CHECK(was_sent(i));
    CHECK(stats.spooled == 0 && stats.spooled_bytes == 0);
    CHECK(stats.queue_bytes == 0);
}

/* Of the file names: how many are in doubt. */
static inline int in_doubt(void) {
    return count_found("*-1-2-*.json.gz");
}

static inline mp_request *send_one(mp_project *project, int64_t now_ms) {
    int64_t next_ms;
    mp_project_prepare(project, now_ms);
    return mp_project_next_request(project, MP_HOST, now_ms, &next_ms);
}

#endif
