#include "core/os/random.h"
#include "core/os/rng.h"
#include "core/record/queue.h"
#include "unit.h"

#include <stdlib.h>

static char text[MP_RECORD_MAX];
static uint64_t seqs;

static mp_record record(size_t len) {
    return (mp_record){.head = text,
                       .head_len = len / 2,
                       .body = text,
                       .body_len = len - len / 2};
}

static uint32_t length(const mp_segment *list) {
    uint32_t n = 0;
    for (; list; list = list->next)
        n++;
    return n;
}

static void give(mp_queue *queue, uint32_t n) {
    while (n-- > 0)
        mp_queue_give(queue, mp_segment_new());
}

/* Adds a record and first what is missing for it. */
static bool add(mp_queue *queue, size_t len, uint32_t limit, int64_t now_ms) {
    mp_record one = record(len);
    give(queue, mp_queue_missing(queue, &one, 1, limit));
    return mp_queue_add(queue, &one, ++seqs, limit, now_ms);
}

CASE(an_empty_queue_holds_nothing) {
    mp_queue queue = {0};
    CHECK(mp_queue_take(&queue) == NULL);
    mp_queue_seal(&queue);
    CHECK(mp_queue_take(&queue) == NULL);
    CHECK(mp_queue_missing(&queue, NULL, 0, 2000) == 0);
    mp_queue_free(&queue);
}

CASE(the_last_record_of_a_batch_seals_it) {
    mp_queue queue = {0};
    for (int i = 0; i < 2; i++)
        CHECK(!add(&queue, 10, 3, 0));
    CHECK(mp_queue_take(&queue) == NULL);
    CHECK(add(&queue, 10, 3, 0));
    CHECK(queue.open == NULL);
    mp_segment *full = mp_queue_take(&queue);
    CHECK(full && full->count == 3 && full->next == NULL);
    mp_segment_free(full);
    mp_queue_free(&queue);
}

CASE(two_thousand_records_fill_a_segment) {
    mp_queue queue = {0};
    int sealed = 0;
    for (int i = 0; i < 2 * MP_SEGMENT_RECORDS; i++)
        sealed += add(&queue, 20, MP_SEGMENT_RECORDS, 0);
    CHECK(sealed == 2);
    CHECK(length(queue.sealed) == 2);
    CHECK(queue.sealed->count == MP_SEGMENT_RECORDS);
    mp_queue_free(&queue);
}

CASE(bytes_fill_a_segment_exactly) {
    mp_queue queue = {0};
    add(&queue, MP_RECORD_MAX - 2, 2000, 0);
    CHECK(!add(&queue, 64 * 1024 - 2, 2000, 0));
    CHECK(queue.open->used == MP_SEGMENT_BYTES);
    CHECK(!mp_segment_fits(queue.open, 0));
    mp_record none = record(0);
    CHECK(mp_queue_missing(&queue, &none, 1, 2000) == 1);
    CHECK(add(&queue, 0, 2000, 0));
    CHECK(length(queue.sealed) == 1 && queue.open->count == 1);
    mp_queue_free(&queue);
}

CASE(one_byte_too_many_opens_the_next_segment) {
    mp_queue queue = {0};
    add(&queue, MP_RECORD_MAX - 2, 2000, 0);
    CHECK(add(&queue, 64 * 1024 - 1, 2000, 0));
    CHECK(length(queue.sealed) == 1);
    CHECK(queue.sealed->count == 1 && queue.open->count == 1);
    mp_queue_free(&queue);
}

CASE(the_largest_record_fits_a_segment) {
    mp_queue queue = {0};
    CHECK(!add(&queue, MP_RECORD_MAX, 2000, 0));
    CHECK(add(&queue, MP_RECORD_MAX, 2000, 0));
    CHECK(queue.sealed->used == MP_RECORD_MAX + 2);
    CHECK(queue.sealed->entries[0].length == MP_RECORD_MAX);
    CHECK(memcmp(queue.sealed->data + MP_RECORD_MAX, ",\n", 2) == 0);
    mp_queue_free(&queue);
}

CASE(an_entry_says_what_a_record_is) {
    mp_queue queue = {0};
    give(&queue, 1);
    mp_record one = {.head = "{\"a\":",
                     .head_len = 5,
                     .body = "1}",
                     .body_len = 2,
                     .time_ms = 1234567890123,
                     .ordering_key = 77,
                     .kind = MP_NON_IDEMPOTENT};
    mp_queue_add(&queue, &one, 1, 2000, 0);
    mp_queue_add(&queue, &one, 2, 2000, 0);
    CHECK_TEXT(queue.open->data, queue.open->used, "{\"a\":1},\n{\"a\":1},\n");
    const mp_entry *entry = &queue.open->entries[1];
    CHECK(entry->time_ms == one.time_ms && entry->ordering_key == 77);
    CHECK(entry->kind == MP_NON_IDEMPOTENT && entry->seq == 2);
    CHECK(entry->offset == 9 && entry->length == 7);
    CHECK(mp_entry_bytes(entry) == 9);
    mp_queue_free(&queue);
}

CASE(a_segment_is_born_with_its_first_record) {
    mp_queue queue = {0};
    add(&queue, 10, 2, 100);
    add(&queue, 10, 2, 200);
    add(&queue, 10, 2, 300);
    CHECK(queue.sealed->born_ms == 100);
    CHECK(queue.open->born_ms == 300);
    mp_queue_free(&queue);
}

CASE(a_lower_limit_seals_what_is_open) {
    mp_queue queue = {0};
    for (int i = 0; i < 5; i++)
        add(&queue, 10, 2000, 0);
    mp_record one = record(10);
    CHECK(mp_queue_missing(&queue, &one, 1, 4) == 1);
    CHECK(add(&queue, 10, 4, 0));
    CHECK(queue.sealed->count == 5 && queue.open->count == 1);
    mp_queue_free(&queue);
}

CASE(segments_leave_in_the_order_of_age) {
    mp_queue queue = {0};
    seqs = 0;
    for (int i = 0; i < 10; i++)
        add(&queue, 10, 2, 0);
    add(&queue, 10, 2, 0);
    mp_queue_seal(&queue);
    mp_queue_seal(&queue);
    uint64_t expected = 1;
    for (mp_segment *s; (s = mp_queue_take(&queue)); expected += 2) {
        CHECK(s->entries[0].seq == expected);
        mp_segment_free(s);
    }
    CHECK(expected == 13);
    mp_queue_free(&queue);
}

CASE(what_is_taken_back_is_first_again) {
    mp_queue queue = {0};
    for (int segments = 1; segments < 3; segments++) {
        for (int i = 0; i < segments; i++)
            add(&queue, 10, 1, 0);
        mp_segment *first = mp_queue_take(&queue);
        mp_queue_untake(&queue, first);
        add(&queue, 10, 1, 0);
        CHECK(length(queue.sealed) == (uint32_t)segments + 1);
        CHECK(mp_queue_take(&queue) == first);
        mp_segment_free(first);
        for (mp_segment *s; (s = mp_queue_take(&queue));)
            mp_segment_free(s);
    }
    mp_queue_free(&queue);
}

/* A few sizes that fill segments by bytes, by count and in between. */
static size_t any_size(mp_rng *rng) {
    static const size_t most[] = {40, 600, 70000, MP_RECORD_MAX};
    size_t largest = most[(size_t)(mp_rng_unit(rng) * 4)];
    if (mp_rng_unit(rng) < 0.1)
        return largest;
    return (size_t)(mp_rng_unit(rng) * (double)largest);
}

/* Adds `n` records at once; how many segments that opened. */
static uint32_t add_all(mp_queue *queue, const mp_record *records, size_t n,
                        uint32_t limit) {
    uint32_t spares = length(queue->spares);
    for (size_t i = 0; i < n; i++)
        mp_queue_add(queue, &records[i], ++seqs, limit, 0);
    return spares - length(queue->spares);
}

CASE(missing_is_exactly_what_add_needs) {
    enum {
        MOST = 300
    };
    static mp_record records[MOST];
    mp_rng rng = {mp_random_bits()};
    printf("queue_spec seed %llu\n", (unsigned long long)rng.state);
    for (int pass = 0; pass < 60; pass++) {
        mp_queue queue = {0};
        for (int burst = 0; burst < 4; burst++) {
            uint32_t limit = 1 + (uint32_t)(mp_rng_unit(&rng) * 60);
            size_t n = (size_t)(mp_rng_unit(&rng) * (pass % 10 ? 12 : MOST));
            for (size_t i = 0; i < n; i++)
                records[i] = record(any_size(&rng));
            give(&queue, (uint32_t)(mp_rng_unit(&rng) * 3));
            uint32_t spares = length(queue.spares);
            uint32_t missing = mp_queue_missing(&queue, records, n, limit);
            give(&queue, missing);
            CHECK(mp_queue_missing(&queue, records, n, limit) == 0);
            uint32_t opened = add_all(&queue, records, n, limit);
            CHECK(missing == (opened > spares ? opened - spares : 0));
        }
        mp_queue_free(&queue);
    }
}

CASE(no_record_is_lost_or_changes_its_place) {
    mp_queue queue = {0};
    mp_rng rng = {7};
    seqs = 0;
    for (int i = 0; i < 5000; i++)
        add(&queue, (size_t)(mp_rng_unit(&rng) * 2000), 700, 0);
    mp_queue_seal(&queue);
    uint64_t next = 1;
    for (mp_segment *s; (s = mp_queue_take(&queue)); mp_segment_free(s)) {
        uint32_t offset = 0;
        for (uint32_t i = 0; i < s->count; i++) {
            CHECK(s->entries[i].seq == next++);
            CHECK(s->entries[i].offset == offset);
            offset += (uint32_t)mp_entry_bytes(&s->entries[i]);
        }
        CHECK(offset == s->used && s->used <= MP_SEGMENT_BYTES);
        CHECK(s->count > 0 && s->count <= 700);
    }
    CHECK(next == 5001);
    mp_queue_free(&queue);
}

int main(void) {
    memset(text, 'x', sizeof text);
    RUN(an_empty_queue_holds_nothing);
    RUN(the_last_record_of_a_batch_seals_it);
    RUN(two_thousand_records_fill_a_segment);
    RUN(bytes_fill_a_segment_exactly);
    RUN(one_byte_too_many_opens_the_next_segment);
    RUN(the_largest_record_fits_a_segment);
    RUN(an_entry_says_what_a_record_is);
    RUN(a_segment_is_born_with_its_first_record);
    RUN(a_lower_limit_seals_what_is_open);
    RUN(segments_leave_in_the_order_of_age);
    RUN(what_is_taken_back_is_first_again);
    RUN(missing_is_exactly_what_add_needs);
    RUN(no_record_is_lost_or_changes_its_place);
    return unit_result();
}
