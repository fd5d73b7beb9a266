#include "spool_state.h"

#include "file.h"
#include "phase.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* DESIGN
 *
 * A record is always in a file that says what is to become of it: first in
 * that of the open segment, then in that of the sealed batch. The batch's
 * file appears whole, by a rename, before the segment's goes, and is removed
 * when every record of it has ended. So whatever moment the process dies at,
 * whoever adopts the run finds each record at least once, and twice only in a
 * segment and in the batch made of it, which it can tell by their numbers.
 *
 * The state of a batch is its name. Moving a file to another run is a rename
 * too, and so is setting it aside. */

/* ---- life ---- */

/* FNV-1a with 64 bits, over texts and their NULs. */
static uint64_t hash_texts(uint64_t hash, const char *const texts[], int n) {
    for (int i = 0; i < n; i++)
        for (const char *c = texts[i];; c++) {
            hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
            if (*c == '\0')
                break;
        }
    return hash;
}

mp_spool *mp_spool_new(const char *path, const char *token, const char *host,
                       const char *name) {
    const char *const texts[] = {token, host, name};
    mp_spool *spool = calloc(1, sizeof *spool);
    char *copy = strdup(path);
    if (!spool || !copy) {
        free(spool);
        free(copy);
        return NULL;
    }
    spool->path = copy;
    atomic_init(&spool->run, -1);
    uint64_t first = hash_texts(UINT64_C(14695981039346656037), texts, 3);
    uint64_t second = hash_texts(~first, texts, 3);
    snprintf(spool->project, sizeof spool->project, "%016llx%016llx",
             (unsigned long long)first, (unsigned long long)second);
    return spool;
}

void mp_spool_end(mp_spool *spool) {
    int last = atomic_exchange(&spool->run, -1);
    for (int i = 0; i <= last; i++)
        mp_run_end(spool->path, spool->project, &spool->runs[i]);
}

void mp_spool_free(mp_spool *spool) {
    if (!spool)
        return;
    mp_spool_end(spool);
    mp_gzip_free(spool->gzip);
    free(spool->path);
    free(spool);
}

void mp_spool_reborn(mp_spool *spool) {
    atomic_store(&spool->run, -1);
    atomic_flag_clear(&spool->making);
    atomic_store(&spool->numbers, 0);
    spool->gzip = NULL; /* the parent's carrier may be changing it */
}

bool mp_spool_same(const mp_spool *a, const mp_spool *b) {
    return strcmp(a->project, b->project) == 0 && strcmp(a->path, b->path) == 0;
}

int mp_spool_say(char message[MP_MESSAGE], const char *what, const char *name,
                 int err) {
    snprintf(message, MP_MESSAGE, "spool: %s %.150s: %s", what, name,
             strerror(err));
    return err;
}

/* ---- runs ---- */

/* Puts a run in use unless another thread did so meanwhile. */
static bool publish(mp_spool *spool, int before, const mp_run *fresh) {
    while (atomic_flag_test_and_set(&spool->making))
        continue; /* for the few instructions below */
    bool mine = atomic_load(&spool->run) == before;
    if (mine) {
        spool->runs[before + 1] = *fresh;
        atomic_store(&spool->run, before + 1);
    }
    atomic_flag_clear(&spool->making);
    return mine;
}

const mp_run *mp_spool_run(mp_spool *spool, const mp_run *lost, int *err,
                           char message[MP_MESSAGE]) {
    int in_use = atomic_load(&spool->run);
    *err = 0;
    if (in_use >= 0 && (!lost || &spool->runs[in_use] != lost))
        return &spool->runs[in_use];
    if (in_use == MP_SPOOL_RENEWED) {
        *err = mp_spool_say(message, "too often removed:", spool->path, ENOENT);
        return NULL;
    }
    mp_run fresh;
    *err = mp_run_new(spool->path, spool->project, &fresh, message);
    if (*err != 0)
        return NULL;
    if (!publish(spool, in_use, &fresh))
        mp_run_end(spool->path, spool->project, &fresh);
    return &spool->runs[atomic_load(&spool->run)];
}

/* ---- open segments ---- */

static void fill_header(mp_segment_header *header, bool to_end) {
    *header = (mp_segment_header){
        .version = MP_SEGMENT_VERSION,
        .to_end = to_end,
    };
    memcpy(header->magic, MP_SEGMENT_MAGIC, sizeof header->magic);
}

/* A segment over the mapped file. */
static int make_mapped(int fd, bool warm, mp_segment **out) {
    char *map = NULL;
    int err = mp_file_allocate(fd, MP_SEGMENT_FILE);
    if (err == 0)
        err = mp_file_map(fd, MP_SEGMENT_FILE, &map);
    if (err != 0)
        return err;
    /* What is written now faults now, and not in a call that tracks. */
    if (warm)
        memset(map, 0, MP_SEGMENT_FILE);
    fill_header((mp_segment_header *)(void *)map, false);
    *out = mp_segment_over((mp_segment_header *)(void *)map);
    if (!*out) {
        mp_file_unmap(map, MP_SEGMENT_FILE);
        return ENOMEM;
    }
    mp_file_close(fd);
    return 0;
}

/* A segment in memory whose records are written to the file one by one. */
static int make_written(int fd, mp_segment **out) {
    char page[MP_SEGMENT_HEADER] = {0};
    fill_header((mp_segment_header *)(void *)page, true);
    int err = mp_file_write(fd, page, sizeof page, 0);
    if (err != 0)
        return err;
    *out = mp_file_hold(fd) ? mp_segment_new() : NULL;
    if (!*out)
        return ENOMEM;
    (*out)->place.fd = fd;
    return 0;
}

static void note_place(mp_segment *segment, const mp_run *run, unsigned lane,
                       uint64_t number) {
    segment->place.open = true;
    segment->place.dir = run->dir;
    segment->place.lane = lane;
    segment->place.run = run->id;
    segment->place.number = number;
}

/* The file has another name until its header is whole. */
static int make_segment(const mp_run *run, unsigned lane, uint64_t number,
                        bool warm, mp_segment **out) {
    char name[MP_STORED_NAME], fresh[MP_STORED_NAME + 4];
    mp_stored_open_name(lane, run->id, number, name);
    snprintf(fresh, sizeof fresh, "%s.new", name);
    int fd, err = mp_file_create(run->dir, fresh, &fd);
    if (err != 0)
        return err;
    err = mp_file_reserves(fd) ? make_mapped(fd, warm, out)
                               : make_written(fd, out);
    if (err != 0) {
        mp_file_close(fd);
    } else {
        err = mp_file_rename(run->dir, fresh, run->dir, name);
        if (err == 0)
            note_place(*out, run, lane, number);
        else
            mp_segment_free(*out);
    }
    if (err != 0) {
        mp_file_unlink(run->dir, fresh);
        *out = NULL;
    }
    return err;
}

int mp_spool_segment(mp_spool *spool, unsigned lane, bool warm,
                     mp_segment **out, char message[MP_MESSAGE]) {
    int err;
    const mp_run *run = mp_spool_run(spool, NULL, &err, message);
    if (err != 0)
        return err;
    uint64_t number = atomic_fetch_add(&spool->numbers, 1) + 1;
    err = make_segment(run, lane, number, warm, out);
    if (err == ENOENT) { /* somebody removed the directory */
        run = mp_spool_run(spool, run, &err, message);
        if (err != 0)
            return err;
        err = make_segment(run, lane, number, warm, out);
    }
    return err == 0 ? 0
                    : mp_spool_say(message, "cannot make a file in",
                                   spool->path, err);
}

static int write_header(int fd, uint64_t ticket) {
    mp_segment_header header;
    fill_header(&header, true);
    header.seq = ticket & MP_SEGMENT_SEQ;
    return mp_file_write(fd, &header, sizeof header, 0);
}

int mp_spool_write(const mp_segment *segment, size_t from, size_t to,
                   char message[MP_MESSAGE]) {
    const mp_place *place = &segment->place;
    int err = 0;
    mp_phase("track");
    if (from == 0)
        err = write_header(place->fd, segment->entries[0].ticket);
    if (err == 0)
        err = mp_file_write(place->fd, segment->data + from, to - from,
                            (int64_t)(MP_SEGMENT_HEADER + from));
    if (err == 0)
        return 0;
    return mp_spool_say(message, "cannot write to", "an open segment", err);
}

int mp_spool_sync(const mp_segment *segment, char message[MP_MESSAGE]) {
    const mp_place *place = &segment->place;
    int err = 0;
    if (place->header)
        err = mp_file_sync_map((char *)place->header, MP_SEGMENT_FILE);
    else if (place->fd >= 0)
        err = mp_file_sync(place->fd);
    if (err == 0)
        return 0;
    return mp_spool_say(message, "cannot sync", "an open segment", err);
}

/* Makes sure that nobody adopts the records of a file that cannot be
 * removed. */
static int empty_file(const mp_place *place) {
    if (place->header) {
        atomic_store(&place->header->used, 0);
        return 0;
    }
    mp_segment_header header;
    fill_header(&header, false);
    return place->fd >= 0 ? mp_file_write(place->fd, &header, sizeof header, 0)
                          : EBADF;
}

/* Removes the file of the open segment, whose records ended or stand in
 * another file. */
static int discard_open(mp_segment *segment, char message[MP_MESSAGE]) {
    char name[MP_STORED_NAME];
    mp_place *place = &segment->place;
    if (!place->open)
        return 0;
    mp_stored_open_name(place->lane, place->run, place->number, name);
    int err = mp_file_unlink(place->dir, name);
    place->open = false;
    if (err == 0 || err == ENOENT)
        return 0;
    empty_file(place);
    return mp_spool_say(message, "cannot remove", name, err);
}

int mp_spool_discard(mp_segment *segment, char message[MP_MESSAGE]) {
    int err = discard_open(segment, message);
    mp_stored *sealed = segment->place.sealed;
    segment->place.sealed = NULL;
    if (!sealed)
        return err;
    int other = mp_spool_remove(sealed, message);
    free(sealed);
    return err != 0 ? err : other;
}
