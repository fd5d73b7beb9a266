#include "core/record/segment.h"

#include "core/base/crash_point.h"
#include "core/os/file.h"
#include "core/os/pages.h"

#include <stdlib.h>
#include <string.h>

static const char separator[] = ",\n";
enum {
    SEPARATOR = sizeof separator - 1
};

/* For so many records, with so many bytes behind their entries. */
static mp_segment *allocate(uint32_t records, size_t bytes) {
    mp_segment *segment =
        malloc(sizeof *segment + records * sizeof(mp_entry) + bytes);
    if (!segment)
        return NULL;
    segment->place = (mp_place){.fd = -1};
    segment->adopted = segment->small = false;
    segment->gzip = (mp_buf){0};
    mp_segment_reset(segment);
    return segment;
}

mp_segment *mp_segment_new(void) {
    mp_segment *segment = allocate(MP_SEGMENT_RECORDS, 0);
    if (!segment)
        return NULL;
    /* A forked child must not pay for, or deliver, its parent's records. */
    segment->data = mp_pages_new(MP_SEGMENT_BYTES);
    if (!segment->data) {
        free(segment);
        return NULL;
    }
    return segment;
}

mp_segment *mp_segment_over(mp_segment_header *header) {
    mp_segment *segment = allocate(MP_SEGMENT_RECORDS, 0);
    if (!segment)
        return NULL;
    segment->place.header = header;
    segment->data = (char *)header + MP_SEGMENT_HEADER;
    return segment;
}

void mp_segment_warm(mp_segment *segment, uint32_t records, size_t bytes) {
    memset(segment->data, 0, bytes);
    memset(segment->entries, 0, records * sizeof *segment->entries);
}

void mp_segment_retain(mp_segment *segment) {
    segment->refs++;
}

bool mp_segment_release(mp_segment *segment) {
    return --segment->refs == 0;
}

void mp_segment_reset(mp_segment *segment) {
    segment->next = NULL;
    segment->born_ms = segment->last_ms = 0;
    segment->used = segment->synced = 0;
    segment->ahead_ms = 0;
    segment->count = 0;
    segment->refs = 1;
    mp_buf_free(&segment->gzip);
}

/* What runs they are in is not counted any more. */
static void free_files(mp_segment *segment) {
    for (mp_batch_file *file = segment->place.sealed, *next; file;
         file = next) {
        next = file->next;
        free(file);
    }
}

void mp_segment_free(mp_segment *segment) {
    if (!segment)
        return;
    if (segment->place.header)
        mp_file_unmap((char *)segment->place.header, MP_SEGMENT_FILE);
    else if (!segment->small)
        mp_pages_free(segment->data, MP_SEGMENT_BYTES);
    mp_file_close(segment->place.fd);
    free_files(segment);
    mp_buf_free(&segment->gzip);
    free(segment);
}

/* Unmapping would hit whatever the child mapped in that place since. */
void mp_segment_abandon(mp_segment *segment) {
    if (!segment)
        return;
    free_files(segment);
    mp_buf_free(&segment->gzip);
    free(segment);
}

bool mp_segment_fits(const mp_segment *segment, size_t len) {
    return !segment->small && segment->count < MP_SEGMENT_RECORDS &&
           len + SEPARATOR <= MP_SEGMENT_BYTES - segment->used;
}

/* From here on a process that reads the file after a crash sees the record. */
static void publish(mp_segment *segment, uint64_t seq) {
    mp_segment_header *header = segment->place.header;
    mp_crash_point("track");
    if (segment->count == 1)
        header->seq = seq & MP_SEGMENT_SEQ;
    atomic_store_explicit(&header->used, segment->used, memory_order_release);
}

static int64_t earlier(int64_t time_ms, int64_t ahead_ms) {
    return time_ms == MP_NO_TIME ? MP_NO_TIME : time_ms - ahead_ms;
}

static void note_time(mp_segment *segment, const mp_entry *entry) {
    if (entry->kind == MP_PLAIN && entry->time_ms < segment->oldest_ms)
        segment->oldest_ms = entry->time_ms;
}

void mp_segment_shift_times(mp_segment *segment, int64_t ahead_ms) {
    for (uint32_t i = 0; i < segment->count; i++)
        segment->entries[i].time_ms =
            earlier(segment->entries[i].time_ms, ahead_ms);
    segment->oldest_ms = earlier(segment->oldest_ms, ahead_ms);
}

void mp_segment_add(mp_segment *segment, const mp_record *record,
                    uint64_t seq) {
    char *at = segment->data + segment->used;
    memcpy(at, record->head, record->head_len);
    at += record->head_len;
    if (record->body_len > 0)
        memcpy(at, record->body, record->body_len);
    memcpy(at + record->body_len, separator, SEPARATOR);
    size_t len = record->head_len + record->body_len;
    mp_entry *entry = &segment->entries[segment->count++];
    *entry = (mp_entry){
        .time_ms = earlier(record->time_ms == 0 ? MP_NO_TIME : record->time_ms,
                           segment->ahead_ms),
        .seq = seq,
        .offset = (uint32_t)segment->used,
        .length = len & 0xffffff,
        .ordering_key = record->ordering_key,
        .kind = record->kind & 0xff,
    };
    if (segment->count == 1)
        segment->oldest_ms = MP_NO_TIME;
    note_time(segment, entry);
    segment->used += len + SEPARATOR;
    if (segment->place.header)
        publish(segment, seq);
}

mp_segment *mp_segment_small(const mp_segment *from, uint32_t count,
                             size_t bytes) {
    mp_segment *segment = allocate(count, bytes);
    if (!segment)
        return NULL;
    segment->data = (char *)(segment->entries + count);
    segment->small = true;
    segment->born_ms = from->born_ms;
    segment->last_ms = from->last_ms;
    segment->oldest_ms = from->oldest_ms;
    segment->adopted = from->adopted;
    return segment;
}

const mp_entry *mp_segment_copy(mp_segment *segment, const mp_segment *from,
                                const mp_entry *entry) {
    mp_entry *copy = &segment->entries[segment->count++];
    *copy = *entry;
    copy->offset = (uint32_t)segment->used;
    memcpy(segment->data + segment->used, from->data + entry->offset,
           mp_entry_bytes(entry));
    segment->used += mp_entry_bytes(entry);
    return copy;
}

void mp_segment_join(mp_segment *segment, const mp_segment *other) {
    for (uint32_t i = 0; i < other->count; i++)
        mp_segment_copy(segment, other, &other->entries[i]);
    if (other->oldest_ms < segment->oldest_ms)
        segment->oldest_ms = other->oldest_ms;
    if (other->born_ms < segment->born_ms)
        segment->born_ms = other->born_ms;
    if (other->last_ms > segment->last_ms)
        segment->last_ms = other->last_ms;
    mp_buf_free(&segment->gzip);
}

bool mp_segment_has_kind(const mp_segment *segment, mp_kind kind) {
    for (uint32_t i = 0; i < segment->count; i++)
        if (segment->entries[i].kind == kind)
            return true;
    return false;
}
