/* The n-th call of each kind fails, for every n until nothing fails any
 * more: what was accepted onto the disk is found again, and what went wrong
 * was told. */
#include "failing_files.h"
#include "spool_helper.h"

static int left[CALLS]; /* before one fails; below 0: none does any more */
static int error;
static bool failed;

static bool fails(call which) {
    if (which == RMDIR)
        which = UNLINK;
    if (left[which]-- != 0)
        return false;
    errno = error;
    failed = true;
    return true;
}

static int do_unlock(int fd) {
    return fails(LOCK) ? -1 : mp_file_system.unlock(fd);
}

static void arm(call which, int n, bool mapped) {
    for (int i = 0; i < CALLS; i++)
        left[i] = -1;
    left[which] = n;
    failed = false;
    use_failing_files(mapped);
    faulty.unlock = do_unlock;
}

/* ---- the book of records ---- */

enum {
    RECORDS = 12
};

static bool durable[RECORDS + 1]; /* on disk for sure, and not removed */
static int found[RECORDS + 1];
static bool removal_failed;

/* What went wrong must have a message. */
static bool fine(int err) {
    if (err != 0)
        CHECK(strncmp(why, "spool: ", 7) == 0);
    why[0] = '\0';
    return err == 0;
}

static mp_segment *accept_records(mp_spool *spool, int from, int to) {
    mp_segment *segment = NULL;
    bool on_disk = fine(mp_spool_segment(spool, 0, &segment, why));
    CHECK(on_disk == (segment != NULL));
    if (!segment)
        segment = mp_segment_new(); /* as the project does */
    segment->place.lane = 0;
    for (int i = from; i <= to; i++) {
        bool written = on_disk;
        const char *json = event(i);
        mp_record record = {.head = json, .head_len = strlen(json)};
        mp_segment_add(segment, &record, base + (uint64_t)i);
        if (segment->place.fd >= 0) {
            const mp_entry *e = &segment->entries[segment->count - 1];
            written = fine(mp_spool_write(segment, e->offset,
                                          e->offset + mp_entry_bytes(e), why));
        }
        durable[i] = written;
    }
    return segment;
}

/* Seals; on failure the segment's own file must still do. */
static mp_batch_file *seal_records(mp_spool *spool, mp_segment *segment,
                                   int from, int to) {
    mp_batch_file *file = NULL;
    bool good =
        fine(mp_spool_seal(spool, 0, segment, NULL, 1795460000123, &file, why));
    CHECK(!good || file);
    removal_failed |= !good && file;
    for (int i = from; i <= to && file; i++)
        durable[i] = true;
    return file;
}

static void end_records(mp_segment *segment, int from, int to) {
    if (!fine(mp_spool_discard(segment, why)))
        removal_failed = true;
    else
        for (int i = from; i <= to; i++)
            durable[i] = false; /* delivered and gone */
    mp_segment_free(segment);
}

static void note_found(const mp_segment *segment) {
    for (uint32_t i = 0; i < segment->count; i++) {
        const mp_entry *entry = &segment->entries[i];
        const char *at = memmem(segment->data + entry->offset, entry->length,
                                "insert_id\":\"", 12);
        int n = at ? atoi(at + 12) : 0;
        CHECK(n >= 1 && n <= RECORDS);
        if (n >= 1 && n <= RECORDS)
            found[n]++;
    }
}

/* A life with every kind of access; then the process dies. */
static void live(mp_spool *spool) {
    mp_adopted got;
    mp_segment *delivered = accept_records(spool, 1, 3);
    mp_segment *waiting = accept_records(spool, 4, 6);
    mp_segment *open = accept_records(spool, 7, 9);
    if (open->place.open)
        fine(mp_spool_sync(spool, open, why));
    delivered->place.sealed = seal_records(spool, delivered, 1, 3);
    fine(mp_spool_mark_start(delivered, MP_IN_DOUBT_IDEMPOTENT, true, why));
    fine(mp_spool_mark_end(delivered, MP_IN_DOUBT_NONE, why));
    end_records(delivered, 1, 3);
    mp_batch_file *file = seal_records(spool, waiting, 4, 6);
    if (file) {
        mp_segment *read = NULL;
        if (fine(mp_spool_load(spool, file, &read, why))) {
            CHECK(read->count == 3);
            read->place.sealed = NULL;
            mp_segment_free(read);
        }
        free(file);
    }
    fine(mp_spool_adopt(spool, UINT64_MAX, &reporter, &got, why));
    CHECK(got.list == NULL);
    mp_segment_free(waiting);
    mp_segment_free(open);
    die(spool);
}

/* The next process adopts, and ends half of what it finds. */
static void inherit(mp_spool *spool) {
    mp_adopted got;
    fine(mp_spool_adopt(spool, UINT64_MAX, &reporter, &got, why));
    for (mp_batch_file *s = got.list, *next; s; s = next) {
        next = s->next;
        s->next = NULL;
        s->first = 1;
        s->last = 9;
        mp_segment *read = NULL;
        if (!fine(mp_spool_load(spool, s, &read, why))) {
            free(s);
            continue;
        }
        fine(mp_spool_mark_start(read, MP_IN_DOUBT_IDEMPOTENT, false, why));
        if (!read->place.sealed)
            free(s);
        mp_segment_free(read);
    }
    mp_segment *more = accept_records(spool, 10, 12);
    mp_segment_free(more);
    die(spool);
}

/* With a sound disk everything is found. */
static void collect(mp_spool *spool) {
    mp_adopted got;
    memset(found, 0, sizeof found);
    reports = 0;
    CHECK(mp_spool_adopt(spool, UINT64_MAX, &reporter, &got, why) == 0);
    CHECK(reports == 0 && got.quarantined == 0);
    for (mp_batch_file *s = got.list, *next; s; s = next) {
        next = s->next;
        s->next = NULL;
        s->first = 1;
        s->last = 9;
        mp_segment *read = NULL;
        CHECK(mp_spool_load(spool, s, &read, why) == 0);
        if (!read)
            continue;
        note_found(read);
        if (!read->place.sealed)
            free(s);
        CHECK(mp_spool_discard(read, why) == 0);
        mp_segment_free(read);
    }
}

static void try(call which, int n, bool mapped) {
    mp_spool *spool = enter();
    memset(durable, 0, sizeof durable);
    removal_failed = false;
    arm(which, n, mapped);
    live(spool);
    inherit(spool);
    mp_file_use(&mp_file_system);
    collect(spool);
    for (int i = 1; i <= RECORDS; i++) {
        CHECK(!durable[i] || found[i] >= 1);
        CHECK(found[i] <= 1 || (removal_failed && which == UNLINK));
    }
    mp_spool_free(spool);
    bool clean = rmdir(home) == 0;
    CHECK(clean || failed);
    if (unit_bad)
        fprintf(stderr, "call %d, number %d, %s\n", (int)which, n,
                mapped ? "mapped" : "written");
    remove_tree(home);
}

/* Every n until a whole run has no fault left. */
static void try_all(call which, int with, bool mapped) {
    int n = 0;
    error = with;
    do
        try(which, n++, mapped);
    while (failed && n < 500 && !unit_bad);
    CHECK(!failed);
    CHECK(n > 1 || (which == ALLOCATE && !mapped) ||
          (which == MAP && !mapped) || (which == SYNC_MAP && !mapped));
}

#define FAULTS(name, which, with)                                              \
    CASE(name) {                                                               \
        try_all(which, with, true);                                            \
        try_all(which, with, false);                                           \
    }

FAULTS(the_n_th_open_fails, OPEN, EMFILE)
FAULTS(the_n_th_write_fails, WRITE, ENOSPC)
FAULTS(the_n_th_allocation_fails, ALLOCATE, ENOSPC)
FAULTS(the_n_th_mapping_fails, MAP, ENOMEM)
FAULTS(the_n_th_sync_fails, SYNC, EIO)
FAULTS(the_n_th_sync_of_a_mapping_fails, SYNC_MAP, EIO)
FAULTS(the_n_th_rename_fails, RENAME, ENOSPC)
FAULTS(the_n_th_removal_fails, UNLINK, EACCES)
FAULTS(the_n_th_mkdir_fails, MKDIR, ENOSPC)
FAULTS(the_n_th_lock_fails, LOCK, ENOLCK)
FAULTS(the_n_th_read_fails, READ, EIO)

int main(void) {
    RUN(the_n_th_open_fails);
    RUN(the_n_th_write_fails);
    RUN(the_n_th_allocation_fails);
    RUN(the_n_th_mapping_fails);
    RUN(the_n_th_sync_fails);
    RUN(the_n_th_sync_of_a_mapping_fails);
    RUN(the_n_th_rename_fails);
    RUN(the_n_th_removal_fails);
    RUN(the_n_th_mkdir_fails);
    RUN(the_n_th_lock_fails);
    RUN(the_n_th_read_fails);
    return unit_result();
}
