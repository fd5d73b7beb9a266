#include "core/os/random.h"
#include "core/os/rng.h"
#include "core/record/batch.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    MOST = 64
};

/* Records {"n":0}, {"n":1}, ... with sequence numbers 100, 101, ... */
static mp_segment *segment_of(uint32_t n) {
    mp_segment *segment = mp_segment_new();
    for (uint32_t i = 0; i < n; i++) {
        char body[32];
        int len = snprintf(body, sizeof body, "%u}", i);
        mp_record record = {.head = "{\"n\":",
                            .head_len = 5,
                            .body = body,
                            .body_len = (size_t)len};
        mp_segment_add(segment, &record, 100 + i);
    }
    return segment;
}

static mp_batch *batch_of(uint32_t n) {
    return mp_batch_new(segment_of(n));
}

/* Where a record stands in the segment. */
static uint32_t at(const mp_batch *batch, uint32_t i) {
    return (uint32_t)(mp_batch_entry(batch, i) - batch->segment->entries);
}

/* Parts off the records for whose number bit i of `mask` is set. */
static mp_batch *part(mp_batch *batch, uint64_t mask) {
    bool keep[MOST];
    uint32_t kept = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        keep[i] = mask >> at(batch, i) & 1;
        kept += keep[i];
    }
    return mp_batch_split(batch, keep, kept);
}

static uint64_t mask_of(const mp_batch *batch) {
    uint64_t mask = 0;
    for (uint32_t i = 0; i < batch->count; i++)
        mask |= UINT64_C(1) << at(batch, i);
    return mask;
}

/* True if its records stand in the order of the segment, none twice. */
static bool is_rising(const mp_batch *batch) {
    for (uint32_t i = 1; i < batch->count; i++)
        if (batch->items[i].entry <= batch->items[i - 1].entry)
            return false;
    return true;
}

static void check_body(const mp_batch *batch) {
    char expected[MOST * 16] = "[";
    for (uint32_t i = 0; i < batch->count; i++)
        sprintf(expected + strlen(expected), "%s{\"n\":%u}", i ? ",\n" : "",
                at(batch, i));
    strcat(expected, "]");
    mp_buf body = {0};
    CHECK(mp_batch_body(batch, &body) == MP_OK);
    CHECK_TEXT(body.data, body.len, expected);
    mp_buf_free(&body);
}

/* Frees the batch, of which it is known whether others share its segment. */
static void drop(mp_batch *batch, bool last) {
    mp_segment *segment = batch->segment;
    mp_segment *freed = mp_batch_free(batch);
    CHECK(freed == (last ? segment : NULL));
    mp_segment_free(freed);
}

CASE(a_batch_holds_all_records_of_a_segment) {
    mp_batch *batch = batch_of(5);
    CHECK(batch->count == 5 && batch->segment->refs == 1);
    CHECK(batch->sends == 0 && batch->server_errors == 0);
    CHECK(!batch->bisection && !batch->endpoint && !batch->next);
    CHECK(mp_batch_seq(batch) == 100);
    CHECK(mp_batch_entry(batch, 4)->seq == 104);
    CHECK(is_rising(batch));
    drop(batch, true);
}

CASE(a_body_is_an_array_of_lines) {
    mp_batch *batch = batch_of(3);
    mp_buf body = {0};
    CHECK(mp_batch_body(batch, &body) == MP_OK);
    CHECK_TEXT(body.data, body.len, "[{\"n\":0},\n{\"n\":1},\n{\"n\":2}]");
    mp_buf_free(&body);
    drop(batch, true);
}

CASE(one_record_makes_an_array_too) {
    mp_batch *batch = batch_of(1);
    check_body(batch);
    drop(batch, true);
}

CASE(a_body_is_appended) {
    mp_batch *batch = batch_of(2);
    mp_buf body = {0};
    mp_buf_puts(&body, "data=");
    CHECK(mp_batch_body(batch, &body) == MP_OK);
    CHECK_TEXT(body.data, body.len, "data=[{\"n\":0},\n{\"n\":1}]");
    mp_buf_free(&body);
    drop(batch, true);
}

CASE(a_body_keeps_to_the_limit_of_its_buffer) {
    mp_batch *batch = batch_of(3);
    mp_buf body = {.limit = 8};
    CHECK(mp_batch_body(batch, &body) != MP_OK);
    CHECK(body.len == 0);
    mp_buf_free(&body);
    drop(batch, true);
}

CASE(a_part_leaves_the_others) {
    mp_batch *rest = batch_of(8);
    rest->sends = 3;
    rest->server_errors = 2;
    mp_batch *odd = part(rest, 0xAA);
    CHECK(mask_of(odd) == 0xAA && mask_of(rest) == 0x55);
    CHECK(is_rising(odd) && is_rising(rest));
    CHECK(odd->sends == 3 && odd->server_errors == 2);
    CHECK(odd->segment == rest->segment && odd->segment->refs == 2);
    CHECK(mp_batch_seq(odd) == 101 && mp_batch_seq(rest) == 100);
    check_body(odd);
    check_body(rest);
    drop(rest, false);
    check_body(odd);
    drop(odd, true);
}

CASE(bodies_with_any_gaps_are_right) {
    for (uint64_t mask = 1; mask < 255; mask++) {
        mp_batch *rest = batch_of(8), *some = part(rest, mask);
        check_body(some);
        check_body(rest);
        drop(some, false);
        drop(rest, true);
    }
}

CASE(joining_restores_the_order) {
    for (uint64_t mask = 1; mask < 255; mask++) {
        mp_batch *rest = batch_of(8), *some = part(rest, mask);
        CHECK(mp_batch_join(&rest, some));
        CHECK(mask_of(rest) == 0xFF && rest->count == 8 && is_rising(rest));
        CHECK(rest->segment->refs == 1);
        drop(rest, true);
    }
}

CASE(parts_share_a_bisection) {
    mp_batch *rest = batch_of(4);
    CHECK(mp_batch_start_bisection(rest));
    mp_bisection *bisection = rest->bisection;
    CHECK(bisection->refs == 1 && bisection->requests == 0 &&
          !bisection->accepted);
    CHECK(mp_batch_start_bisection(rest) && rest->bisection == bisection);
    mp_batch *some = part(rest, 3);
    CHECK(some->bisection == bisection && bisection->refs == 2);
    drop(rest, false);
    CHECK(bisection->refs == 1);
    drop(some, true);
}

CASE(a_part_that_leaves_keeps_the_bisection_for_the_others) {
    mp_batch *rest = batch_of(4);
    mp_batch_leave_bisection(rest);
    CHECK(mp_batch_start_bisection(rest));
    mp_batch *some = part(rest, 3);
    mp_batch_leave_bisection(some);
    CHECK(!some->bisection && rest->bisection->refs == 1);
    mp_batch_leave_bisection(rest);
    CHECK(!rest->bisection);
    drop(some, false);
    drop(rest, true);
}

CASE(joining_gives_up_one_share_of_the_bisection) {
    mp_batch *rest = batch_of(4);
    mp_batch_start_bisection(rest);
    mp_batch *some = part(rest, 9);
    CHECK(mp_batch_join(&rest, some));
    CHECK(rest->bisection->refs == 1);
    drop(rest, true);
}

/* Parts and joins at random what once was one batch; the parts must always
 * cover it, each record once. */
CASE(any_splits_and_joins_keep_every_record) {
    mp_rng rng = {mp_random_bits()};
    printf("batch_spec seed %llu\n", (unsigned long long)rng.state);
    for (int pass = 0; pass < 30; pass++) {
        mp_batch *parts[MOST] = {batch_of(MOST)};
        size_t n = 1;
        mp_batch_start_bisection(parts[0]);
        for (int step = 0; step < 200; step++) {
            size_t at = (size_t)(mp_rng_unit(&rng) * (double)n);
            uint64_t all = mask_of(parts[at]);
            uint64_t some =
                all & (uint64_t)(mp_rng_unit(&rng) * 0x1p53) * 0x10001;
            if (mp_rng_unit(&rng) < 0.5 && some && some != all) {
                parts[n++] = part(parts[at], some);
            } else if (n > 1 && at != n - 1) {
                n--;
                CHECK(mp_batch_join(&parts[at], parts[n]));
            }
            uint64_t seen = 0, count = 0;
            for (size_t i = 0; i < n; i++) {
                CHECK(is_rising(parts[i]));
                seen |= mask_of(parts[i]);
                count += parts[i]->count;
            }
            CHECK(seen == UINT64_MAX && count == MOST);
            CHECK(parts[0]->segment->refs == n);
            CHECK(parts[0]->bisection->refs == n);
            check_body(parts[at < n ? at : 0]);
        }
        while (n-- > 0)
            drop(parts[n], n == 0);
    }
}

CASE(a_full_segment_makes_one_body) {
    mp_batch *batch = batch_of(MP_SEGMENT_RECORDS);
    mp_buf body = {0};
    CHECK(mp_batch_body(batch, &body) == MP_OK);
    CHECK(body.len == batch->segment->used); /* ",\n" for "[" and "]" */
    CHECK(body.data[0] == '[' && body.data[body.len - 1] == ']');
    CHECK(memcmp(body.data + 1, batch->segment->data, body.len - 2) == 0);
    mp_buf_free(&body);
    drop(batch, true);
}

int main(void) {
    RUN(a_batch_holds_all_records_of_a_segment);
    RUN(a_body_is_an_array_of_lines);
    RUN(one_record_makes_an_array_too);
    RUN(a_body_is_appended);
    RUN(a_body_keeps_to_the_limit_of_its_buffer);
    RUN(a_part_leaves_the_others);
    RUN(bodies_with_any_gaps_are_right);
    RUN(joining_restores_the_order);
    RUN(parts_share_a_bisection);
    RUN(a_part_that_leaves_keeps_the_bisection_for_the_others);
    RUN(joining_gives_up_one_share_of_the_bisection);
    RUN(any_splits_and_joins_keep_every_record);
    RUN(a_full_segment_makes_one_body);
    return unit_result();
}
