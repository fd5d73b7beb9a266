/* Files of a run that were listed, and wait to be looked at. */
#include "core/spool/found.h"
#include "unit.h"

static mp_batch_file sealed(mp_lane_id lane, uint64_t seq) {
    return (mp_batch_file){
        .lane = lane,
        .run = 7,
        .seq = seq,
        .count = 2000,
        .attempt = 3,
        .in_doubt = MP_IN_DOUBT_NON_IDEMPOTENT,
        .wall_ms = -5,
    };
}

static mp_batch_file open_one(mp_lane_id lane, uint64_t number) {
    return (mp_batch_file){.lane = lane, .run = 7, .number = number};
}

static void add(mp_found *found, mp_batch_file file) {
    CHECK(mp_found_add(found, &file));
}

static mp_batch_file taken(mp_found *found) {
    mp_batch_file *file = mp_found_take(found), copy = {0};
    CHECK(file && !file->next);
    if (file)
        copy = *file;
    mp_batch_file_free(file);
    return copy;
}

CASE(a_sealed_one_takes_forty_bytes) {
    CHECK(sizeof(mp_found_file) == 40);
}

CASE(they_come_in_their_order_the_open_ones_last) {
    mp_found found = {.dir = 9};
    CHECK(!mp_found_has_any(&found));
    add(&found, open_one(MP_LANE_EVENTS, 2));
    add(&found, open_one(MP_LANE_EVENTS, 1));
    for (uint64_t seq = 100; seq > 0; seq--)
        add(&found, sealed(MP_LANE_EVENTS, seq));
    mp_found_sort(&found);
    for (uint64_t seq = 1; seq <= 100; seq++) {
        CHECK(mp_found_has_placed(&found));
        CHECK(mp_found_first(&found).seq == seq);
        CHECK(taken(&found).seq == seq);
    }
    CHECK(!mp_found_has_placed(&found) && mp_found_has_any(&found));
    CHECK(mp_found_first(&found).number == 1);
    CHECK(taken(&found).number == 1 && taken(&found).number == 2);
    CHECK(!mp_found_has_any(&found) && !found.sealed);
}

CASE(an_open_one_that_was_read_has_a_place) {
    mp_held run = {.users = 0};
    mp_found found = {.run = &run};
    add(&found, sealed(MP_LANE_EVENTS, 2));
    add(&found, sealed(MP_LANE_EVENTS, 4));
    for (uint64_t number = 1; number <= 4; number++)
        add(&found, open_one(MP_LANE_EVENTS, number));
    mp_found_sort(&found);
    for (uint64_t number = 1; number <= 4; number++) {
        mp_batch_file *file = mp_found_take_open(&found);
        CHECK(file && file->number == number && run.users == 1);
        if (!file)
            return;
        file->seq = 6 - number;
        if (number % 2 == 1)
            file->number = 0; /* it was sealed */
        mp_found_place(&found, file);
        CHECK(run.users == 0);
    }
    CHECK(!mp_found_has_open(&found, 1) && mp_found_has_open(&found, 2));
    for (uint64_t seq = 2; seq <= 5; seq++) {
        bool twice = seq % 2 == 0;
        for (int i = 0; i <= twice; i++) {
            CHECK(mp_found_first(&found).seq == seq);
            CHECK(taken(&found).seq == seq);
        }
    }
    CHECK(!mp_found_has_any(&found) && run.users == 0);
    mp_found_clear(&found);
}

CASE(nothing_of_its_name_is_lost) {
    char name[MP_BATCH_FILE_NAME], back[MP_BATCH_FILE_NAME];
    mp_found found = {.dir = 9};
    for (int lane = 0; lane < MP_LANES; lane++) {
        mp_batch_file file = sealed((mp_lane_id)lane, 1);
        add(&found, file);
        mp_batch_file_name(&file, name);
        file = taken(&found);
        mp_batch_file_name(&file, back);
        CHECK(strcmp(name, back) == 0 && file.dir == 9 && !file.users);
    }
}

CASE(who_is_taken_uses_the_run_and_who_waits_does_not) {
    mp_held run = {.users = 0};
    mp_found found = {.run = &run};
    add(&found, sealed(MP_LANE_EVENTS, 1));
    add(&found, open_one(MP_LANE_EVENTS, 1));
    CHECK(run.users == 0);
    mp_batch_file *first = mp_found_take(&found);
    mp_batch_file *second = mp_found_take(&found);
    CHECK(run.users == 2);
    mp_batch_file_free(first);
    mp_batch_file_free(second);
    CHECK(run.users == 0);
    add(&found, open_one(MP_LANE_EVENTS, 2));
    mp_found_clear(&found);
    CHECK(run.users == 0 && !found.run && !mp_found_has_any(&found));
}

CASE(a_twin_has_the_same_lane_run_and_number) {
    mp_found found = {.dir = 9};
    for (uint64_t seq = 1; seq <= 3; seq++)
        add(&found, sealed(MP_LANE_EVENTS, seq));
    mp_found_sort(&found);
    mp_batch_file open = sealed(MP_LANE_EVENTS, 2);
    CHECK(mp_found_has_twin(&found, &open));
    open.lane = MP_LANE_IMPORT;
    CHECK(!mp_found_has_twin(&found, &open));
    open = sealed(MP_LANE_EVENTS, 2);
    open.run = 8;
    CHECK(!mp_found_has_twin(&found, &open));
    open = sealed(MP_LANE_EVENTS, 1);
    taken(&found);
    CHECK(!mp_found_has_twin(&found, &open)); /* it waits no more */
    mp_found_clear(&found);
}

CASE(order_matters_for_updates_of_either_kind) {
    mp_found found = {.dir = 9};
    add(&found, sealed(MP_LANE_EVENTS, 1));
    add(&found, open_one(MP_LANE_IMPORT, 1));
    CHECK(!mp_found_is_ordered(&found));
    add(&found, open_one(MP_LANE_GROUPS, 2));
    CHECK(mp_found_is_ordered(&found));
    mp_found_clear(&found);
    add(&found, sealed(MP_LANE_PEOPLE, 1));
    CHECK(mp_found_is_ordered(&found));
    taken(&found);
    CHECK(!mp_found_is_ordered(&found));
}

int main(void) {
    RUN(a_sealed_one_takes_forty_bytes);
    RUN(they_come_in_their_order_the_open_ones_last);
    RUN(an_open_one_that_was_read_has_a_place);
    RUN(nothing_of_its_name_is_lost);
    RUN(who_is_taken_uses_the_run_and_who_waits_does_not);
    RUN(a_twin_has_the_same_lane_run_and_number);
    RUN(order_matters_for_updates_of_either_kind);
    return unit_result();
}
