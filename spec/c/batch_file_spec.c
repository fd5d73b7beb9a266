#include "core/record/batch_file.h"

#include "unit.h"

static const char some_name[] =
    "people-019abcdef0123456-000000000042-17-3-2-1795460000123.v1.json.gz";

CASE(a_name_says_what_a_batch_is) {
    mp_batch_file seen;
    char name[MP_BATCH_FILE_NAME];
    CHECK(mp_batch_file_parse(some_name, &seen));
    CHECK(seen.lane == 2 && seen.run == UINT64_C(0x019abcdef0123456));
    CHECK(seen.seq == 42 && seen.count == 17 && seen.attempt == 3);
    CHECK(seen.in_doubt == MP_IN_DOUBT_NON_IDEMPOTENT &&
          seen.wall_ms == 1795460000123);
    mp_batch_file_name(&seen, name);
    CHECK(strcmp(name, some_name) == 0);
}

CASE(what_is_written_otherwise_is_no_name) {
    static const char *const wrong[] = {
        "",
        "people",
        "people-",
        "persons-019abcdef0123456-000000000042-17-3-2-1.v1.json.gz",
        "people-19abcdef0123456-000000000042-17-3-2-1.v1.json.gz",
        "people-019ABCDEF0123456-000000000042-17-3-2-1.v1.json.gz",
        "people-019abcdef0123456-42-17-3-2-1.v1.json.gz",
        "people-019abcdef0123456-000000000042-0-3-2-1.v1.json.gz",
        "people-019abcdef0123456-000000000042-2001-3-2-1.v1.json.gz",
        "people-019abcdef0123456-000000000042-17--3-2-1.v1.json.gz",
        "people-019abcdef0123456-000000000042-17-3-3-1.v1.json.gz",
        "people-019abcdef0123456-000000000042-17-3-2-1.v2.json.gz",
        "people-019abcdef0123456-000000000042-17-3-2-1.v1.json.gz.bad",
        "people-019abcdef0123456-000000000042-17-3-2-1.v1.json.gz ",
        " people-019abcdef0123456-000000000042-17-3-2-1.v1.json.gz",
        "people-019abcdef0123456-000000000042-17-3-2-1.v1.open",
        "people-0-0-1-0-0-99999999999999999999.v1.json.gz",
    };
    mp_batch_file seen;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK(!mp_batch_file_parse(wrong[i], &seen));
}

CASE(an_open_segment_and_a_run_have_names_too) {
    mp_batch_file seen;
    uint64_t run = mp_batch_file_new_run(1795460000123, UINT64_MAX, 0), read;
    char name[MP_BATCH_FILE_NAME];
    mp_batch_file_open_name(3, run, 7, name);
    CHECK(mp_batch_file_parse_open(name, &seen));
    CHECK(seen.lane == 3 && seen.run == run && seen.number == 7);
    CHECK(!mp_batch_file_parse(name, &seen));
    CHECK(!mp_batch_file_parse_open(some_name, &seen));
    mp_batch_file_run_name(run, name);
    CHECK(mp_batch_file_parse_run(name, &read) && read == run);
    CHECK(!mp_batch_file_parse_run("..", &read));
    CHECK(!mp_batch_file_parse_run("0x9abcdef0123456", &read));
    CHECK(mp_batch_file_new_run(1795460000124, 0, 0) > run);
}

CASE(a_run_comes_behind_those_that_there_are_whatever_the_clock_says) {
    uint64_t run = mp_batch_file_new_run(1795460000123, UINT64_MAX, 0);
    CHECK(mp_batch_file_new_run(20000, 0, run) > run);
    CHECK(mp_batch_file_new_run(1795460000123, 0, run) > run);
    uint64_t later = mp_batch_file_new_run(1795460009999, 7, 0);
    CHECK(mp_batch_file_new_run(1795460009999, 7, run) == later);
    CHECK(mp_batch_file_new_run(1795460009999, 7, UINT64_MAX) == later);
}

int main(void) {
    RUN(a_name_says_what_a_batch_is);
    RUN(what_is_written_otherwise_is_no_name);
    RUN(an_open_segment_and_a_run_have_names_too);
    RUN(a_run_comes_behind_those_that_there_are_whatever_the_clock_says);
    return unit_result();
}
