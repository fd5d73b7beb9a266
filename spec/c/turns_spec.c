/* Who gets a turn: only those for which there is a reason, in the order in
 * which there was one. */
#include "core/project/projects.h"
#include "unit.h"

#include "core/project/project_state.h"

#include <stdlib.h>

enum {
    MANY = 300
};

static mp_projects *projects;
static mp_turns *turns;
static mp_project *opened[MANY];
static void
    *volatile kept[16]; /* lists live as long as a process, for leak checks */
static int keeps;

static mp_project *open_one(int n) {
    char token[16];
    snprintf(token, sizeof token, "t%d", n);
    mp_config config = {.token = strdup(token),
                        .base_url = strdup("http://127.0.0.1:9"),
                        .name = strdup("")};
    return mp_projects_open(projects, &config, mp_overrides_new(),
                            &(unsigned){0});
}

/* Ends the turns that there are, and returns how many there were. */
static int settle(int64_t now_ms) {
    int n = (int)mp_turns_begin(turns, now_ms);
    for (int i = 0; i < n; i++) {
        mp_project *project = mp_turns_take(turns);
        mp_turns_end(turns, project, INT64_MAX);
        mp_project_release(project);
    }
    return n;
}

static void open_all(void) {
    projects = mp_projects_new();
    kept[keeps++] = projects;
    turns = mp_projects_turns(projects, MP_SENDER);
    for (int i = 0; i < MANY; i++)
        opened[i] = open_one(i);
    CHECK(settle(0) == 0); /* a new one has nothing to do */
}

static void close_all(void) {
    for (int i = 0; i < MANY; i++)
        if (opened[i])
            mp_projects_close(projects, opened[i]);
}

static bool is_next(const mp_project *expected, mp_project *project) {
    if (project)
        mp_project_release(project);
    return project == expected;
}

CASE(those_to_which_nothing_happens_get_none) {
    open_all();
    CHECK(settle(INT64_MAX - 1) == 0);
    CHECK(mp_turns_due(turns) == INT64_MAX);
    mp_turns_mark(turns, opened[7]);
    mp_turns_mark(turns, opened[3]);
    mp_turns_mark(turns, opened[7]);
    CHECK(mp_turns_due(turns) == INT64_MIN);
    CHECK(mp_turns_begin(turns, 0) == 2);
    CHECK(is_next(opened[7], mp_turns_take(turns)));
    CHECK(is_next(opened[3], mp_turns_take(turns)));
    CHECK(is_next(NULL, mp_turns_take(turns)));
    close_all();
}

CASE(each_comes_at_its_time) {
    open_all();
    for (int i = 0; i < MANY; i++) /* 7 and 300 have no divisor in common */
        mp_turns_end(turns, opened[i], 1000 + i * 7 % MANY);
    mp_turns_end(turns, opened[0], -5); /* the clock may begin anywhere */
    CHECK(mp_turns_due(turns) == -5);
    CHECK(settle(-6) == 0 && settle(-5) == 1);
    CHECK(mp_turns_due(turns) == 1001);
    CHECK(settle(1099) == 99);
    mp_turns_end(turns, opened[299], 1500); /* it was due at 1293 */
    CHECK(settle(1499) == MANY - 101);
    CHECK(mp_turns_due(turns) == 1500 && settle(1500) == 1);
    CHECK(mp_turns_due(turns) == INT64_MAX);
    close_all();
}

CASE(those_that_wait_for_a_place_keep_their_order) {
    open_all();
    for (int i = 0; i < 3; i++)
        mp_turns_wait(turns, opened[i]);
    mp_turns_wait(turns, opened[0]);         /* it waits already */
    CHECK(mp_turns_due(turns) == INT64_MAX); /* a place will wake */
    CHECK(is_next(opened[0], mp_turns_take_waiting(turns)));
    mp_turns_wait(turns, opened[0]);
    CHECK(is_next(opened[1], mp_turns_take_waiting(turns)));
    CHECK(is_next(opened[2], mp_turns_take_waiting(turns)));
    CHECK(is_next(opened[0], mp_turns_take_waiting(turns)));
    CHECK(is_next(NULL, mp_turns_take_waiting(turns)));
    close_all();
}

static bool count_one(mp_project *project, void *user) {
    int *n = user;
    *n += project != NULL;
    return true;
}

static int count_busy(void) {
    int n = 0;
    mp_turns_each(turns, count_one, &n);
    return n;
}

CASE(the_end_of_the_process_looks_at_no_idle_one) {
    open_all();
    CHECK(count_busy() == 0);
    mp_record record = {.head = "{}", .head_len = 2, .kind = MP_PLAIN};
    bool wake;
    CHECK(mp_project_push(opened[1], MP_LANE_EVENTS, &record, 1, &wake) ==
          MP_OK);
    CHECK(wake);
    mp_turns_mark(turns, opened[1]);
    CHECK(settle(0) == 1); /* none is due, and it holds a record */
    mp_turns_end(turns, opened[2], 1000);
    mp_turns_wait(turns, opened[3]);
    mp_turns_mark(turns, opened[4]);
    CHECK(count_busy() == 4);
    kept[keeps++] = opened[1]; /* since its record is never sent */
    close_all();
}

CASE(a_closed_one_gets_none) {
    open_all();
    mp_turns_mark(turns, opened[5]);
    mp_turns_wait(turns, opened[6]);
    mp_turns_end(turns, opened[7], 1000);
    CHECK(mp_turns_begin(turns, 0) == 1);
    mp_project *in_its_turn = mp_turns_take(turns);
    for (int i = 5; i < 8; i++) {
        mp_projects_close(projects, opened[i]);
        opened[i] = NULL;
    }
    mp_turns_end(turns, in_its_turn, 500);
    mp_turns_wait(turns, in_its_turn);
    mp_turns_mark(turns, in_its_turn);
    mp_project_release(in_its_turn);
    CHECK(mp_turns_begin(turns, 2000) == 0);
    CHECK(mp_turns_take_waiting(turns) == NULL);
    opened[5] = open_one(5); /* anew */
    mp_turns_mark(turns, opened[5]);
    CHECK(settle(0) == 1);
    close_all();
}

int main(void) {
    RUN(those_to_which_nothing_happens_get_none);
    RUN(each_comes_at_its_time);
    RUN(those_that_wait_for_a_place_keep_their_order);
    RUN(the_end_of_the_process_looks_at_no_idle_one);
    RUN(a_closed_one_gets_none);
    return unit_result();
}
