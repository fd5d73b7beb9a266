/* A spool in a directory of the test's own, whose process can die. */
#ifndef MP_SPOOL_HELPER_H
#define MP_SPOOL_HELPER_H

#include "core/os/file.h"
#include "core/spool/spool_state.h"
#include "remove_tree.h"
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static char home[64];
static char why[MP_MESSAGE]; /* of the last failure */
static char reported[MP_MESSAGE];
static int reports;

static inline void note(void *user, const char *message) {
    (void)user;
    snprintf(reported, sizeof reported, "%s", message);
    reports++;
}

static uint64_t newer;
static const mp_reporter reporter = {note, NULL, &newer};

static inline mp_spool *open_spool(void) {
    mp_spool *spool = mp_spool_new(home, "token", "https://host", "");
    CHECK(spool != NULL);
    return spool;
}

static inline mp_spool *enter(void) {
    strcpy(home, "/tmp/mp_spool_XXXXXX");
    CHECK(mkdtemp(home) != NULL);
    reported[0] = '\0';
    reports = 0;
    newer = 0;
    return open_spool();
}

static inline void leave(mp_spool *spool) {
    mp_spool_free(spool);
    remove_tree(home);
}

/* The process of the spool dies, and another one opens it. */
static inline void die(mp_spool *spool) {
    mp_file_in_child(); /* closes its locks and nothing else */
    mp_spool_after_fork_child(spool);
}

/* Writes the path of the first entry of a directory, by its name, to `out`. */
static inline void first_entry(const char *path, char out[4096]) {
    char first[256] = "";
    DIR *list = opendir(path);
    for (struct dirent *e; list && (e = readdir(list));)
        if (e->d_name[0] != '.' && (!*first || strcmp(e->d_name, first) < 0))
            snprintf(first, sizeof first, "%.255s", e->d_name);
    if (list)
        closedir(list);
    CHECK(*first != '\0');
    snprintf(out, 4096, "%.3800s/%.255s", path, first);
}

/* The directory of the only project. */
static inline const char *project_path(void) {
    static char project[4096];
    first_entry(home, project);
    return project;
}

/* The directory of the oldest run. */
static inline const char *run_path(void) {
    static char run[4096];
    first_entry(project_path(), run);
    return run;
}

static inline bool ends_so(const char *name, const char *ending) {
    size_t len = strlen(name), m = strlen(ending);
    return name[0] != '.' && len >= m && strcmp(name + len - m, ending) == 0;
}

static inline int files_of(const char *run, const char *ending,
                           char name[MP_BATCH_FILE_NAME]) {
    DIR *list = opendir(run);
    int n = 0;
    for (struct dirent *e; list && (e = readdir(list));)
        if (ends_so(e->d_name, ending)) {
            snprintf(name, MP_BATCH_FILE_NAME, "%.127s", e->d_name);
            n++;
        }
    if (list)
        closedir(list);
    return n;
}

/* The names of the files of all runs whose ends match, and how many. */
static inline int files(const char *ending, char name[MP_BATCH_FILE_NAME]) {
    char run[4400];
    const char *project = project_path();
    DIR *list = opendir(project);
    int n = 0;
    for (struct dirent *e; list && (e = readdir(list));)
        if (e->d_name[0] != '.') {
            snprintf(run, sizeof run, "%.3800s/%.255s", project, e->d_name);
            n += files_of(run, ending, name);
        }
    if (list)
        closedir(list);
    return n;
}

static inline int count_files(const char *ending) {
    char name[MP_BATCH_FILE_NAME];
    return files(ending, name);
}

static const uint64_t base = UINT64_C(1) << 40;
static uint64_t seqs;

static inline void add(mp_segment *segment, const char *json) {
    mp_record record = {.head = json, .head_len = strlen(json)};
    mp_segment_add(segment, &record, base + ++seqs);
    if (segment->place.fd >= 0) {
        const mp_entry *entry = &segment->entries[segment->count - 1];
        CHECK(mp_spool_write(segment, entry->offset,
                             entry->offset + mp_entry_bytes(entry), why) == 0);
    }
}

static inline const char *event(int n) {
    static char json[128];
    snprintf(json, sizeof json,
             "{\"event\":\"E\",\"properties\":{\"time\":1795460000123,"
             "\"$insert_id\":\"%d\"}}",
             n);
    return json;
}

static inline mp_segment *make(mp_spool *spool, unsigned lane) {
    mp_segment *segment = NULL;
    CHECK(mp_spool_segment(spool, lane, &segment, why) == 0);
    return segment;
}

/* A segment with the events from..to. */
static inline mp_segment *with_events(mp_spool *spool, int from, int to) {
    mp_segment *segment = make(spool, 0);
    for (int i = from; i <= to; i++)
        add(segment, event(i));
    return segment;
}

static inline mp_batch_file *seal(mp_spool *spool, mp_segment *segment) {
    mp_batch_file *file = NULL;
    CHECK(mp_spool_seal(spool, segment->place.lane, segment, NULL,
                        1795460000123, &file, why) == 0);
    return file;
}

static inline int length(const mp_batch_file *list) {
    int n = 0;
    for (; list; list = list->next)
        n++;
    return n;
}

/* Adopts, and takes the first of the batches out of the list. */
static inline mp_batch_file *adopt(mp_spool *spool, mp_adopted *got) {
    CHECK(mp_spool_adopt(spool, UINT64_MAX, &reporter, got, why) == 0);
    return got->list;
}

static inline void free_list(mp_batch_file *list) {
    while (list) {
        mp_batch_file *next = list->next;
        free(list);
        list = next;
    }
}

/* Instead of a write: the disk is full. */
static inline int64_t no_space(int fd, const void *bytes, size_t n,
                               int64_t at) {
    (void)fd, (void)bytes, (void)n, (void)at;
    errno = ENOSPC;
    return -1;
}

#endif
