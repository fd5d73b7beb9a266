#include "core/record/batch_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RANDOM_BITS = 20 /* of a run's number; the others are its start in ms */
};

void mp_batch_file_free(mp_batch_file *file) {
    if (file && file->users)
        --*file->users;
    free(file);
}

void mp_batch_file_free_all(mp_batch_file **list) {
    while (*list) {
        mp_batch_file *next = (*list)->next;
        mp_batch_file_free(*list);
        *list = next;
    }
}

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

bool mp_batch_file_is_newer(const char *name) {
    for (const char *at = name; (at = strstr(at, ".v")); at += 2) {
        size_t digits = strspn(at + 2, "0123456789");
        char end = at[2 + digits];
        if (digits > 0 && (end == '.' || end == '\0') &&
            strtoul(at + 2, NULL, 10) > MP_BATCH_FILE_VERSION)
            return true;
    }
    return false;
}

bool mp_batch_file_is_ordered(const char *name) {
    mp_batch_file file; /* most names are told by their beginning */
    return parse_lane(name, &file.lane) && mp_endpoints[file.lane].ordered &&
           (mp_batch_file_parse(name, &file) ||
            mp_batch_file_parse_open(name, &file));
}

bool mp_batch_file_before(const mp_batch_file *a, const mp_batch_file *b) {
    return a->run != b->run ? a->run < b->run : a->seq < b->seq;
}

static int by_acceptance(const void *a, const void *b) {
    const mp_batch_file *x = *(mp_batch_file *const *)a,
                        *y = *(mp_batch_file *const *)b;
    if (x->run == y->run && x->seq == y->seq) /* not known yet of open ones */
        return (x->number > y->number) - (x->number < y->number);
    return mp_batch_file_before(x, y) ? -1 : 1;
}

void mp_batch_file_sort(mp_batch_file **list) {
    size_t n = 0, i = 0;
    for (const mp_batch_file *s = *list; s; s = s->next)
        n++;
    mp_batch_file **all = n > 1 ? malloc(n * sizeof(mp_batch_file *)) : NULL;
    if (!all)
        return;
    for (mp_batch_file *s = *list; s; s = s->next)
        all[i++] = s;
    qsort(all, n, sizeof(mp_batch_file *), by_acceptance);
    for (i = 0; i < n; i++)
        all[i]->next = i + 1 < n ? all[i + 1] : NULL;
    *list = all[0];
    free(all);
}
