/* A fixed block of encoded records: written once at its end, never edited,
 * and the largest batch there is.
 *
 * Each record is one line of JSON that ends in ",\n", so a run of records is
 * the inside of a JSON array but for its last comma. Beside the bytes stands
 * an entry for each record with what a batch is cut by. The bytes may be
 * those of a mapped file, which survive the death of the process. Knows
 * nothing of lanes. Locks: the caller serialises every use. */
#ifndef MP_SEGMENT_H
#define MP_SEGMENT_H

#include "core/base/buf.h"
#include "core/record/batch_file.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MP_RECORD_MAX = 1024 * 1024, /* bytes of JSON: Mixpanel's limit */
    MP_SEGMENT_BYTES = MP_RECORD_MAX + 64 * 1024,
    MP_SEGMENT_HEADER = 4096, /* of a file, before the bytes */
    MP_SEGMENT_FILE = MP_SEGMENT_HEADER + MP_SEGMENT_BYTES,
    MP_SEGMENT_RECORDS = MP_ENDPOINT_RECORDS
};

/* What a segment's file begins with; the rest of its first page is zero.
 * Read by another process after the death of its writer, on the same machine
 * or one of the same byte order. */
typedef struct mp_segment_header {
    char magic[8]; /* MP_SEGMENT_MAGIC */
    uint32_t version;
    uint32_t to_end;   /* 1: the bytes go to the end of the file */
    uint64_t seq;      /* of the first record: see batch_file.h */
    uint32_t in_doubt; /* mp_in_doubt, of records sent without being sealed */
    uint32_t unused;   /* 0 */
    _Atomic uint64_t used; /* bytes; stored after they are */
} mp_segment_header;

#define MP_SEGMENT_MAGIC "mpsegmnt"

/* The bits of a sequence number that number a segment within its run. */
#define MP_SEGMENT_SEQ ((UINT64_C(1) << 40) - 1)

enum {
    MP_SEGMENT_VERSION = 1
};

/* Where the records of a segment are on disk. Thread: the one that makes the
 * project's requests changes it; other threads may read the two fields that are
 * atomic. */
typedef struct mp_place {
    mp_segment_header *header; /* of the mapped file; NULL: none is */
    int fd;                    /* of a file that each record is written to;
                                * -1: none */
    /* the file of the open segment, if there is one: see batch_file.h */
    atomic_bool open;
    int dir;
    uint32_t *users; /* of `dir`: see batch_file.h */
    mp_lane_id lane;
    uint64_t run, number;
    uint64_t seq;      /* of the first record; 0: as its sequence number says */
    unsigned in_doubt; /* mp_in_doubt, while it is not sealed */
    bool named;        /* the open one's name is on the disk for sure */
    bool torn;         /* some record could not be written to the open one's
                        * file, or synced; guarded by the project's lock */
    /* The files of the sealed one, the segment's: a list by rising sequence
     * number, of more than one after mp_segment_join; NULL: it is not sealed.
     */
    mp_batch_file *_Atomic sealed;
} mp_place;

/* True if every record is in a file. The project's lock is held. */
static inline bool mp_place_is_whole(const mp_place *place) {
    return place->sealed || (place->open && !place->torn);
}

/* What may have to travel apart from records of another kind. */
typedef enum mp_kind {
    MP_PLAIN,
    MP_IDENTITY,      /* $identify, $create_alias, $merge */
    MP_NON_IDEMPOTENT /* $add, $append: sending twice applies twice */
} mp_kind;

/* A record on its way into a segment. Its JSON comes in two pieces, which
 * are copied; neither has a trailing comma or newline. */
typedef struct mp_record {
    const char *head, *body;
    size_t head_len, body_len;
    int64_t time_ms;       /* of an event; 0 for what has no age */
    uint64_t ordering_key; /* of the profile's or group's id: see line.h */
    uint32_t repaired;     /* values that were replaced to make valid JSON */
    uint32_t truncated;    /* texts and names of an event over MP_TEXT_MAX */
    mp_kind kind;
} mp_record;

/* Of what has no age. */
#define MP_NO_TIME INT64_MAX

typedef struct mp_entry {
    int64_t
        time_ms;  /* of the record, less ahead_ms of its segment; MP_NO_TIME */
    uint64_t seq; /* the record's number within its project, from 1 */
    uint64_t ordering_key;
    uint32_t offset;      /* of its first byte */
    uint32_t length : 24; /* of its JSON, without ",\n" */
    uint32_t kind : 8;    /* mp_kind */
} mp_entry;

typedef struct mp_segment mp_segment;

/* Open for reading; only segment.c writes, but for `next`, `ahead_ms`,
 * `gzip` and the first two times, which belong to the segment's holder. */
struct mp_segment {
    mp_segment *next;
    int64_t born_ms, last_ms; /* mp_clock_mono_ms of first and last record */
    char *data;
    size_t used; /* bytes */
    uint32_t count, refs;
    int64_t oldest_ms; /* the earliest time of a plain record; MP_NO_TIME */
    bool adopted;      /* another process accepted the records */
    bool small;        /* made by mp_segment_small; never used again */
    size_t synced;     /* bytes of `used` that a loss of power would spare */
    mp_buf gzip;       /* all of it as a body, compressed; empty: not at hand */
    int64_t ahead_ms;  /* what times of records that are added are ahead of
                        * those of entries: see mp_segment_shift_times */
    mp_place place;
    mp_entry entries[]; /* MP_SEGMENT_RECORDS, or as many as a small one has */
};

/* An empty segment with one reference; NULL: out of memory. */
mp_segment *mp_segment_new(void);

/* The same over a mapped file of MP_SEGMENT_FILE bytes with a header, which
 * becomes the segment's. NULL: out of memory, and it stays the caller's. */
mp_segment *mp_segment_over(mp_segment_header *header);

/* Touches the pages of an empty segment that so many records of so many bytes
 * will take: what is written now faults now, and not in a call that tracks. */
void mp_segment_warm(mp_segment *segment, uint32_t records, size_t bytes);

/* A segment of its own size for so many records of so many bytes, among those
 * of `from`, whose ages it has; mp_segment_copy fills it, and no other record
 * finds room. NULL: out of memory. */
mp_segment *mp_segment_small(const mp_segment *from, uint32_t count,
                             size_t bytes);
const mp_entry *mp_segment_copy(mp_segment *segment, const mp_segment *from,
                                const mp_entry *entry);

/* Copies all records of `other`, which come after those of the segment, to its
 * end. They fit; both were read back from the disk, and their times are of one
 * clock. */
void mp_segment_join(mp_segment *segment, const mp_segment *other);

/* True if some record is of that kind. */
bool mp_segment_has_kind(const mp_segment *segment, mp_kind kind);

void mp_segment_retain(mp_segment *segment);
/* Gives up a reference; true when it was the last: the caller then owns the
 * segment alone and either resets it for further use or frees it. */
bool mp_segment_release(mp_segment *segment);
void mp_segment_reset(mp_segment *segment);
/* The files stay. */
void mp_segment_free(mp_segment *segment); /* NULL is allowed */
/* Frees it in a forked child, where its bytes are not mapped. */
void mp_segment_abandon(mp_segment *segment); /* NULL is allowed */

/* True if a record of `len` bytes of JSON still fits beside the others. */
bool mp_segment_fits(const mp_segment *segment, size_t len);

/* Appends a record that fits. */
void mp_segment_add(mp_segment *segment, const mp_record *record, uint64_t seq);

/* Times of entries become earlier: with what the wall clock was ahead of the
 * monotonic one when the records were accepted, they are of mp_clock_mono_ms,
 * so that no jump of the wall clock since then ages an event. */
void mp_segment_shift_times(mp_segment *segment, int64_t ahead_ms);

/* The body's bytes that a record takes, its ",\n" included. */
static inline size_t mp_entry_bytes(const mp_entry *entry) {
    return entry->length + (size_t)2;
}

#endif
