#include "core/spool/batch_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RANDOM_BITS = 20 /* of a run's number; the others are its start in ms */
};

void mp_batch_file_name(const mp_batch_file *file,
                        char out[MP_BATCH_FILE_NAME]) {
    if (file->number > 0) {
        mp_batch_file_open_name(file->lane, file->run, file->number, out);
        return;
    }
    snprintf(out, MP_BATCH_FILE_NAME,
             "%s-%016" PRIx64 "-%012" PRIu64 "-%" PRIu32 "-%" PRIu32
             "-%d-%" PRId64 ".v1.json.gz",
             mp_endpoints[file->lane].name, file->run, file->seq, file->count,
             file->attempt, (int)file->in_doubt, file->wall_ms);
}

void mp_batch_file_open_name(mp_lane_id lane, uint64_t run, uint64_t number,
                             char out[MP_BATCH_FILE_NAME]) {
    snprintf(out, MP_BATCH_FILE_NAME,
             "%s-%016" PRIx64 "-%012" PRIu64 ".v1.open",
             mp_endpoints[lane].name, run, number);
}

void mp_batch_file_run_name(uint64_t run, char out[MP_BATCH_FILE_NAME]) {
    snprintf(out, MP_BATCH_FILE_NAME, "%016" PRIx64, run);
}

uint64_t mp_batch_file_new_run(int64_t wall_ms, uint64_t random,
                               uint64_t last) {
    uint64_t ms = (uint64_t)wall_ms;
    uint64_t next = (last >> RANDOM_BITS) + 1;
    if (ms < next && next <= UINT64_MAX >> RANDOM_BITS)
        ms = next;
    return ms << RANDOM_BITS | (random & ((UINT64_C(1) << RANDOM_BITS) - 1));
}

int64_t mp_batch_file_run_ms(uint64_t run) {
    return (int64_t)(run >> RANDOM_BITS);
}

/* Reads the lane and its dash; NULL: there is none. */
static const char *parse_lane(const char *name, mp_lane_id *lane) {
    for (int i = 0; i < MP_LANES; i++) {
        size_t n = strlen(mp_endpoints[i].name);
        *lane = (mp_lane_id)i;
        if (strncmp(name, mp_endpoints[i].name, n) == 0 && name[n] == '-')
            return name + n + 1;
    }
    return NULL;
}

/* Reads a number up to `end`, which is passed. NULL: there is none. */
static const char *parse_number(const char *at, int base, char end,
                                uint64_t *out) {
    char *rest;
    if (!at)
        return NULL;
    errno = 0;
    *out = strtoull(at, &rest, base);
    return errno == 0 && rest != at && *rest == end ? rest + 1 : NULL;
}

/* A name is only taken if it is what would be written: no sign, no blank and
 * no second spelling. */
bool mp_batch_file_parse(const char *name, mp_batch_file *out) {
    char again[MP_BATCH_FILE_NAME];
    uint64_t count, attempt, in_doubt, ms;
    *out = (mp_batch_file){0};
    const char *at = parse_lane(name, &out->lane);
    at = parse_number(at, 16, '-', &out->run);
    at = parse_number(at, 10, '-', &out->seq);
    at = parse_number(at, 10, '-', &count);
    at = parse_number(at, 10, '-', &attempt);
    at = parse_number(at, 10, '-', &in_doubt);
    at = parse_number(at, 10, '.', &ms);
    if (!at || in_doubt > MP_IN_DOUBT_NON_IDEMPOTENT || count == 0 ||
        count > MP_ENDPOINT_RECORDS || attempt > UINT32_MAX || ms > INT64_MAX)
        return false;
    out->count = (uint32_t)count;
    out->attempt = (uint32_t)attempt;
    out->in_doubt = (mp_in_doubt)in_doubt;
    out->wall_ms = (int64_t)ms;
    mp_batch_file_name(out, again);
    return strcmp(name, again) == 0;
}

bool mp_batch_file_parse_open(const char *name, mp_batch_file *out) {
    char again[MP_BATCH_FILE_NAME];
    *out = (mp_batch_file){0};
    const char *at = parse_lane(name, &out->lane);
    at = parse_number(at, 16, '-', &out->run);
    at = parse_number(at, 10, '.', &out->number);
    if (!at || out->number == 0)
        return false;
    mp_batch_file_name(out, again);
    return strcmp(name, again) == 0;
}

bool mp_batch_file_parse_run(const char *name, uint64_t *run) {
    char again[MP_BATCH_FILE_NAME];
    if (!parse_number(name, 16, '\0', run))
        return false;
    mp_batch_file_run_name(*run, again);
    return strcmp(name, again) == 0;
}

bool mp_batch_file_before(const mp_batch_file *a, const mp_batch_file *b) {
    return a->run != b->run ? a->run < b->run : a->seq < b->seq;
}
