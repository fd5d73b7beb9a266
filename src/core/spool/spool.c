#include "core/spool/spool_state.h"

#include "core/base/crash_point.h"
#include "core/base/gzip.h"
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
 * The state of a batch is its name; setting it aside is a rename too. What a
 * dead process left stays in its directory, where whoever holds the lock reads
 * it, marks it and makes batches of its open segments, as its process would. So
 * it makes no difference how often in a row adopters die. */

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
    if (!spool)
        return NULL;
    spool->profiles = -1;
    atomic_init(&spool->gzip, MP_GZIP_MIN);
    spool->path = mp_text_copy(path);
    spool->token = mp_text_copy(token);
    if (!spool->path || !spool->token) {
        mp_spool_free(spool);
        return NULL;
    }
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

void mp_spool_set_gzip(mp_spool *spool, int level) {
    atomic_store(&spool->gzip, level);
}

void mp_spool_set_written(mp_spool *spool, bool written) {
    atomic_store(&spool->written, written);
}

bool mp_spool_is_written(const mp_spool *spool) {
    return atomic_load(&spool->written);
}

mp_run_place mp_spool_place(const mp_spool *spool) {
    return (mp_run_place){spool->path, spool->project,
                          (mp_trust)atomic_load(&spool->trust)};
}

void mp_spool_end(mp_spool *spool) {
    mp_run_place place = mp_spool_place(spool);
    mp_spool_drop_found(spool);
    mp_spool_stop_looking(spool);
    mp_held_release(&spool->held, &place, NULL, true);
    mp_run_unlock_profiles(&place, &spool->profiles);
    mp_own_run *own = atomic_exchange(&spool->run, NULL);
    while (own) {
        mp_own_run *before = own->before;
        mp_run_end(&place, &own->run);
        free(own);
        own = before;
    }
}

void mp_spool_free(mp_spool *spool) {
    if (!spool)
        return;
    mp_spool_end(spool);
    free(spool->path);
    free(spool->token);
    free(spool);
}

void mp_spool_after_fork_child(mp_spool *spool) {
    mp_own_run *own = atomic_exchange(&spool->run, NULL);
    while (own) {
        mp_own_run *before = own->before;
        free(own);
        own = before;
    }
    atomic_store(&spool->numbers, 0);
    mp_held_after_fork_child(&spool->held);
    spool->found = (mp_found){0}; /* the parent may have been changing them */
    spool->survey = (mp_survey){0};
    spool->profiles = -1;
    atomic_init(&spool->gzip, MP_GZIP_MIN);
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

bool mp_spool_is_shortage(int err) {
    return err == ENOMEM || err == EMFILE || err == ENFILE;
}

/* ---- runs ---- */

const mp_run *mp_spool_run(mp_spool *spool, const mp_run *lost, int *err,
                           char message[MP_MESSAGE]) {
    mp_own_run *in_use = atomic_load(&spool->run);
    *err = 0;
    if (in_use && &in_use->run != lost)
        return &in_use->run;
    mp_run_place place = mp_spool_place(spool);
    mp_own_run *fresh = malloc(sizeof *fresh);
    if (fresh)
        *err = mp_run_new(&place, &fresh->run, message);
    else
        *err = mp_spool_error(message, "cannot use", spool->path, ENOMEM);
    if (*err != 0) {
        free(fresh);
        return NULL;
    }
    fresh->before = in_use;
    fresh->anchored = false;
    if (atomic_compare_exchange_strong(&spool->run, &in_use, fresh))
        return &fresh->run;
    mp_run_end(&place, &fresh->run); /* another thread was first */
    free(fresh);
    return &in_use->run;
}

const mp_run *mp_spool_find_run(const mp_spool *spool, int dir) {
    const mp_own_run *own = atomic_load(&spool->run);
    while (own && own->run.dir != dir)
        own = own->before;
    return own ? &own->run : NULL;
}

static mp_own_run *find_own(const mp_spool *spool, uint64_t id) {
    mp_own_run *own = atomic_load(&spool->run);
    while (own && own->run.id != id)
        own = own->before;
    return own;
}

bool mp_spool_is_own(const mp_spool *spool, uint64_t id) {
    return find_own(spool, id) != NULL;
}

int mp_spool_anchor(mp_spool *spool, const mp_run *run,
                    char message[MP_MESSAGE]) {
    mp_held *held = mp_held_find(&spool->held, run->dir);
    mp_own_run *own = held ? NULL : find_own(spool, run->id);
    bool unknown = false; /* a run that is neither is anchored each time */
    bool *anchored = held ? &held->anchored : own ? &own->anchored : &unknown;
    if (*anchored)
        return 0;
    mp_run_place place = mp_spool_place(spool);
    int err = mp_run_anchor(&place, run, message);
    *anchored = err == 0;
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
    mp_spool_keep_lock(file);
    return mp_spool_error(message, "cannot remove", name, err);
}

void mp_spool_keep_lock(const mp_batch_file *file) {
    if (file->users)
        ++*file->users; /* for good */
}

void mp_spool_drop_found(mp_spool *spool) {
    mp_found_clear(&spool->found);
}

void mp_spool_stop_looking(mp_spool *spool) {
    mp_survey *survey = &spool->survey;
    for (mp_node *node; (node = mp_tree_first(&survey->oldest));) {
        mp_tree_remove(&survey->oldest, node);
        mp_batch_file_free(MP_TREE_THING(node, mp_batch_file, age));
    }
    mp_found_clear(&survey->waiting);
    free(survey->runs);
    free(survey->ordered);
    *survey = (mp_survey){0};
}

void mp_spool_release_adopted(mp_spool *spool) {
    mp_run_place place = mp_spool_place(spool);
    mp_held_release(&spool->held, &place, spool->found.run, false);
    if (!mp_held_is_ordered(&spool->held))
        mp_run_unlock_profiles(&place, &spool->profiles);
}
