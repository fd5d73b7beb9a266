/* What records take up that wait long after others of their batch ended. */
#include "lane_servers.h"

enum {
    RECORDS = 50, /* of a batch */
    BYTES = 10000 /* of a record */
};

static word breaks(rig *r, const mp_batch *batch) {
    return poisons_in(r, batch) ? reply_503 : reply_ok;
}

/* Serves until only poison is left. */
static void serve_others(rig *r) {
    uint64_t left = 0;
    for (uint64_t t = 1; t <= r->seqs; t++)
        left += r->book[t].poison;
    for (int i = 0; i < 5000 && r->stats.queued > left; i++) {
        mp_batch *batch = rig_next(r);
        if (batch)
            rig_say(r, batch, breaks(r, batch));
        else
            r->now_ms = r->next_ms;
    }
    CHECK(r->stats.queued == left);
}

static rig *open_with_poison(mp_lane_id id, uint32_t batches) {
    rig *r = rig_open(id);
    r->settings->max_batch_size = RECORDS;
    for (uint32_t i = 0; i < batches * RECORDS; i++) {
        bool poison = i % RECORDS == i / RECORDS;
        rig_put(r, MP_PLAIN, poison ? i / RECORDS : 10 + i % RECORDS, 0, BYTES);
        r->book[r->seqs].poison = poison;
    }
    return r;
}

CASE(a_deferred_record_holds_its_own_bytes) {
    for (int i = 0; i < 2; i++) {
        rig *r = open_with_poison(i ? MP_LANE_EVENTS : MP_LANE_GROUPS, 8);
        CHECK(r->stats.queue_bytes > 8 * RECORDS * BYTES);
        serve_others(r);
        mp_batch *batch = rig_next(r);
        CHECK(r->stats.queue_bytes <= 8 * (BYTES + 2));
        if (batch)
            rig_say(r, batch, reply_ok);
        rig_finish(r);
    }
}

/* Its bytes stay what they were. */
CASE(a_record_that_moved_is_sent_as_it_was) {
    rig *r = rig_open(MP_LANE_EVENTS);
    mp_record record = {
        .head = "{\"n\":", .head_len = 5, .body = "1}", .body_len = 2};
    mp_buf body = {0};
    mp_lane_give(r->lane, mp_segment_new());
    for (uint64_t seq = 1; seq <= 3; seq++) {
        record.body = seq == 2 ? "2}" : "1}";
        mp_lane_add(r->lane, r->settings, &record, seq, 0);
    }
    mp_segment *segment = r->lane->queue.open;
    mp_queue_seal(&r->lane->queue);
    mp_batch *batch = mp_batch_new(mp_queue_take(&r->lane->queue));
    mp_batch *part = mp_batch_split(batch, (bool[]){false, true, false}, 1);
    mp_segment *left;
    CHECK(mp_batch_move(part, &left) && !left && part->segment != segment);
    CHECK(mp_batch_body(part, &body) == MP_OK);
    CHECK(body.len == 9 && memcmp(body.data, "[{\"n\":2}]", 9) == 0);
    CHECK(mp_batch_seq(part) == 2 && part->segment->refs == 1);
    mp_segment_free(mp_batch_free(part));
    CHECK(mp_batch_move(batch, &left) && left == segment);
    mp_segment_free(left);
    mp_segment_free(mp_batch_free(batch));
    mp_buf_free(&body);
    rig_close(r);
}

int main(void) {
    RUN(a_deferred_record_holds_its_own_bytes);
    RUN(a_record_that_moved_is_sent_as_it_was);
    return unit_result();
}
