/* Small batches on disk that are read together.
 *
 * Each process that ends leaves a batch of its own, however few records it
 * has, and what it costs to deliver is a request. So the next ones are read
 * into the same segment, as far as one request has room. Only such as this
 * process has not sent yet: what is known of a batch must not become that of
 * others. Together they are delivered; any other answer, and a request for some
 * of them, has each travel by itself: see mp_lane_scatter. */
#include "core/lane/lane_state.h"

enum {
    FILES_MOST = 64, /* each is read and removed by itself */
    AGE_PARTS = 8    /* max_age is judged by the youngest of a segment: another
                      * may be older by one of so many parts of it */
};

uint32_t mp_lane_count_files(const mp_batch_file *list) {
    uint32_t records = 0;
    for (; list; list = list->next)
        records += list->count;
    return records;
}

static mp_batch_file *last_of(mp_batch_file *list) {
    while (list->next)
        list = list->next;
    return list;
}

static uint32_t length(const mp_batch_file *list) {
    uint32_t n = 0;
    for (; list; list = list->next)
        n++;
    return n;
}

/* An open segment has no file that could stay beside others. */
static bool is_untouched(const mp_batch_file *file) {
    return file->number == 0 && !file->alone;
}

/* A lost reply, or a refusal that names none, leaves all of a request in doubt:
 * it must not have those applied twice that others would be sent without. */
static bool travels_apart(const mp_segment *segment) {
    return mp_segment_has_kind(segment, MP_NON_IDEMPOTENT);
}

/* On a bus the name of a file is that of a message, and stands for what is in
 * this one. */
static bool may_grow(const mp_lane *lane, const mp_segment *segment) {
    return lane->host != MP_HOST_BUS && !lane->own.probing &&
           is_untouched(lane->reading) && length(lane->reading) < FILES_MOST &&
           !travels_apart(segment);
}

static bool is_of_an_age(const mp_settings *settings, const mp_segment *segment,
                         const mp_batch_file *file, int64_t now_ms) {
    int64_t span_ms = settings->max_age_ms / AGE_PARTS;
    return settings->max_age_ms == 0 ||
           (file->last_ms > now_ms - settings->max_age_ms &&
            file->last_ms >= segment->last_ms - span_ms &&
            file->last_ms <= segment->born_ms + span_ms);
}

static size_t most_bytes(const mp_lane *lane, int64_t now_ms) {
    size_t most = mp_lane_most_bytes(lane, &lane->own, now_ms);
    return most < MP_SEGMENT_BYTES ? most : MP_SEGMENT_BYTES;
}

/* As far as the records so far tell how large others are. */
static bool has_room(const mp_lane *lane, const mp_settings *settings,
                     const mp_segment *segment, const mp_batch_file *file,
                     int64_t now_ms) {
    uint32_t count = segment->count + file->count;
    return count <= mp_lane_most_records(lane, settings) &&
           segment->used / segment->count * count <= most_bytes(lane, now_ms);
}

mp_batch_file *mp_lane_wanted_too(mp_lane *lane, const mp_settings *settings,
                                  const mp_segment *segment, int64_t now_ms) {
    mp_batch_file *file = mp_lane_first_file(lane);
    if (!file || !may_grow(lane, segment) || !is_untouched(file) ||
        !is_of_an_age(settings, segment, file, now_ms) ||
        !has_room(lane, settings, segment, file, now_ms))
        return NULL;
    mp_lane_take_file(lane, file);
    file->next = NULL;
    last_of(lane->reading)->next = file;
    return file;
}

bool mp_lane_joins(const mp_lane *lane, const mp_segment *segment,
                   const mp_segment *other, int64_t now_ms) {
    return segment->count + other->count ==
               mp_lane_count_files(lane->reading) &&
           segment->used + other->used <= most_bytes(lane, now_ms) &&
           !travels_apart(other);
}

void mp_lane_unwanted(mp_lane *lane, mp_batch_file *file) {
    mp_batch_file *before = lane->reading;
    while (before->next != file)
        before = before->next;
    before->next = NULL;
    mp_lane_keep_file(lane, file);
}
