#include "core/spool/spool_state.h"

#include "core/base/crash_point.h"
#include "core/base/text.h"
#include "core/os/file.h"
#include "core/os/syserr.h"

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
 * The same holds for a loss of power, since nothing is removed before what
 * takes its place was synced, with the names of all directories above. A sync
 * that failed proves nothing when it is tried again: what it was to bring to
 * the disk is written once more, into another file.
 *
 * The state of a batch is its name. Moving a file to another run is a rename
 * too, and so is setting it aside. */

enum {
    BLOCK = 4096 /* what a file takes up at the least */
};

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
    char *copy = mp_text_copy(path);
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

char *mp_spool_directory(const mp_spool *spool) {
    return mp_text_format("%s/%s", spool->path, spool->project);
}

void mp_spool_set_trust(mp_spool *spool, mp_trust trust) {
    atomic_store(&spool->trust, trust);
}

mp_run_place mp_spool_place(const mp_spool *spool) {
    return (mp_run_place){spool->path, spool->project,
                          (mp_trust)atomic_load(&spool->trust)};
}

void mp_spool_end(mp_spool *spool) {
    mp_run_place place = mp_spool_place(spool);
    int last = atomic_exchange(&spool->run, -1);
    spool->anchored = 0;
    for (int i = 0; i <= last; i++)
        mp_run_end(&place, &spool->runs[i]);
}

void mp_spool_free(mp_spool *spool) {
    if (!spool)
        return;
    mp_spool_end(spool);
    free(spool->path);
    free(spool);
}

void mp_spool_after_fork_child(mp_spool *spool) {
    atomic_store(&spool->run, -1);
    atomic_flag_clear(&spool->making);
    atomic_store(&spool->numbers, 0);
    spool->anchored = 0;
}

bool mp_spool_same(const mp_spool *a, const mp_spool *b) {
    return strcmp(a->project, b->project) == 0 && strcmp(a->path, b->path) == 0;
}

int mp_spool_error(char message[MP_MESSAGE], const char *what, const char *name,
                   int err) {
    char text[MP_SYSERR];
    snprintf(message, MP_MESSAGE, "spool: %s %.130s: %.64s", what, name,
             mp_syserr_text(err, text));
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
        *err =
            mp_spool_error(message, "too often removed:", spool->path, ENOENT);
        return NULL;
    }
    mp_run_place place = mp_spool_place(spool);
    mp_run fresh;
    *err = mp_run_new(&place, &fresh, message);
    if (*err != 0)
        return NULL;
    if (!publish(spool, in_use, &fresh))
        mp_run_end(&place, &fresh);
    return &spool->runs[atomic_load(&spool->run)];
}

const mp_run *mp_spool_find_run(const mp_spool *spool, int dir) {
    for (int i = atomic_load(&spool->run); i >= 0; i--)
        if (spool->runs[i].dir == dir)
            return &spool->runs[i];
    return NULL;
}

int mp_spool_anchor(mp_spool *spool, const mp_run *run,
                    char message[MP_MESSAGE]) {
    int number = (int)(run - spool->runs) + 1;
    if (number <= spool->anchored)
        return 0;
    mp_run_place place = mp_spool_place(spool);
    int err = mp_run_anchor(&place, run, message);
    if (err == 0)
        spool->anchored = number;
    return err;
}

/* ---- files ---- */

uint64_t mp_spool_bytes(uint64_t bytes) {
    return (bytes + BLOCK - 1) / BLOCK * BLOCK;
}

int mp_spool_remove(const mp_batch_file *file, char message[MP_MESSAGE]) {
    char name[MP_BATCH_FILE_NAME];
    mp_batch_file_name(file, name);
    mp_crash_point("unlink");
    int err = mp_file_unlink(file->dir, name);
    if (err == 0 || err == ENOENT)
        return 0;
    return mp_spool_error(message, "cannot remove", name, err);
}
