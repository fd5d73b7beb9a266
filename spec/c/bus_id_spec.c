/* What messages are called: a name stands for one content. */
#include "bus_helper.h"

#include "remove_tree.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static char home[64];

/* The end of the next message's name, behind that of the whole segment. */
static const char *next_part(mp_project *project) {
    send(project, 1);
    const char *dot = strchr(bus.last_id, '.');
    return dot ? dot : "";
}

static void finish(mp_project *project) {
    CHECK(bus.clashes == 0);
    mp_project_release(project);
    close_scene();
}

static mp_project *open_with(mp_lane_id lane, int n) {
    open_scene();
    mp_project *project = open_bus_project("fake:a", NULL);
    push(project, lane, n);
    return project;
}

CASE(a_name_is_the_run_the_lane_and_the_place_in_it) {
    char run[32];
    mp_project *project = open_with(MP_LANE_GROUPS, 3);
    send(project, 1);
    snprintf(run, sizeof run, "%016llx", (unsigned long long)project->run);
    CHECK(strncmp(bus.last_id, run, 16) == 0);
    CHECK(strcmp(bus.last_id + 16, "-groups-000000000001") == 0);
    push(project, MP_LANE_EVENTS, 2);
    send(project, 1);
    CHECK(strcmp(bus.last_id + 16, "-events-000000000004") == 0);
    finish(project);
}

CASE(parts_are_named_by_their_records) {
    mp_project *project = open_with(MP_LANE_EVENTS, 5);
    own_settings(project)->max_batch_size = 2;
    CHECK(strcmp(next_part(project), ".1-2") == 0);
    reply_with(503, false, "not now");
    CHECK(strcmp(next_part(project), ".3-4") == 0);
    CHECK(strcmp(next_part(project), ".3-4") == 0);
    reply_with(200, false, "");
    CHECK(strcmp(next_part(project), ".3-4") == 0);
    CHECK(strcmp(next_part(project), ".5-5") == 0);
    CHECK(stats_of(project).delivered == 5);
    finish(project);
}

/* It moved into a segment of its own meanwhile. */
CASE(a_record_that_was_put_off_keeps_its_name) {
    open_scene();
    mp_project *project = open_bus_project("fake:a", NULL);
    push_large(project, MP_LANE_EVENTS, 0);
    push(project, MP_LANE_EVENTS, 2);
    bus.most = BUS_SMALL;
    CHECK(strcmp(next_part(project), "") == 0);
    CHECK(strcmp(next_part(project), ".1-1") == 0);
    CHECK(strcmp(next_part(project), ".2-3") == 0);
    CHECK(stats_of(project).delivered == 2 && stats_of(project).queued == 1);
    bus.most = SIZE_MAX;
    CHECK(strcmp(next_part(project), ".1-1") == 0);
    CHECK(stats_of(project).delivered == 3);
    finish(project);
}

static void push_key(mp_project *project, uint64_t key) {
    bool wake;
    const mp_record record = {
        .head = "{\"n\":1}", .head_len = 7, .ordering_key = key};
    CHECK(mp_project_push(project, MP_LANE_PEOPLE, &record, 1, &wake) == MP_OK);
    mp_project_flush_up_to(project, UINT64_MAX);
}

/* Of two parts with the same ends: which of the records travel. */
static void leave_out(uint64_t left_out, char name[MP_MESSAGE_ID]) {
    open_scene();
    mp_project *project = open_bus_project("fake:a", NULL);
    push_large(project, MP_LANE_PEOPLE, left_out);
    bus.most = BUS_SMALL;
    CHECK(strcmp(next_part(project), "") == 0); /* and is put off */
    for (uint64_t key = 1; key <= 4; key++)
        push_key(project, key);
    strcpy(name, next_part(project));
    char rest[16];
    snprintf(rest, sizeof rest, ".%llu-%llu", (unsigned long long)left_out,
             (unsigned long long)left_out);
    CHECK(carry(project));
    CHECK(strcmp(strchr(bus.last_id, '.'), rest) == 0);
    CHECK(stats_of(project).delivered == 4);
    finish(project);
}

CASE(parts_with_holes_are_named_by_these_too) {
    char two[MP_MESSAGE_ID], three[MP_MESSAGE_ID], again[MP_MESSAGE_ID];
    leave_out(2, two);
    leave_out(3, three);
    leave_out(2, again);
    CHECK(strncmp(two, ".1-4-", 5) == 0 && strlen(two) == 5 + 16);
    CHECK(strncmp(three, ".1-4-", 5) == 0);
    CHECK(strcmp(two, three) != 0 && strcmp(two, again) == 0);
}

CASE(a_forked_child_has_names_of_its_own) {
    char of_parent[MP_MESSAGE_ID];
    int status;
    mp_project *project = open_with(MP_LANE_EVENTS, 1);
    send(project, 1);
    strcpy(of_parent, bus.last_id);
    pid_t child = fork();
    if (child == 0) {
        atomic_fetch_add(&mp_project_forks, 1);
        push(project, MP_LANE_EVENTS, 1);
        send(project, 1);
        CHECK(strcmp(bus.last_id + 16, of_parent + 16) == 0); /* number 1 */
        CHECK(strncmp(bus.last_id, of_parent, 16) != 0);
        _exit(unit_bad);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    finish(project);
}

/* ---- with a spool ---- */

/* What a process sent that then died. */
typedef struct sent {
    char ids[2][MP_MESSAGE_ID];
} sent;

static sent *life; /* shared with the process that dies */

static void live(void) {
    open_scene();
    mp_project *project = open_bus_project("fake:a", home);
    mp_project_adopts(project, true);
    push(project, MP_LANE_EVENTS, 2);
    push_large(project, MP_LANE_EVENTS, 0);
    reply_with(0, true, "no answer in time");
    send(project, 1);
    strcpy(life->ids[0], bus.last_id);
    send(project, 1);
    strcpy(life->ids[1], bus.last_id);
}

static void die_after_life(void) {
    int status;
    fflush(stderr);
    pid_t child = fork();
    if (child == 0) {
        live();
        _exit(unit_bad);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

/* True if a batch or, while it is open, a segment on disk is called so. */
static bool names_file(const char *id) {
    char command[256];
    snprintf(command, sizeof command,
             "ls %s/*/*/events-%.16s-%s* >/dev/null 2>&1", home, id,
             strrchr(id, '-') + 1);
    return system(command) == 0;
}

/* The process that adopts, until it has sent so many messages. */
static mp_project *send_what_was_left(int messages) {
    open_scene();
    mp_project *project = open_bus_project("fake:a", home);
    mp_project_adopts(project, true);
    for (int i = 0; i < 20 && bus.puts < messages; i++) {
        int64_t next_ms;
        mp_project_prepare(project, now_ms);
        mp_request *request =
            mp_project_next_request(project, MP_HOST, now_ms, &next_ms);
        if (request) {
            CHECK(transport->submit(transport, request, request) == MP_OK);
            CHECK(take_reply(project));
        }
        mp_project_maintain(project, now_ms);
        now_ms += 1000;
    }
    return project;
}

CASE(a_name_outlives_the_process) {
    strcpy(home, "/tmp/mp_bus_XXXXXX");
    CHECK(mkdtemp(home) != NULL);
    die_after_life();
    CHECK(strcmp(life->ids[0], life->ids[1]) == 0);
    CHECK(names_file(life->ids[0]));
    mp_project *project = send_what_was_left(1);
    CHECK(strcmp(bus.last_id, life->ids[0]) == 0);
    CHECK(stats_of(project).delivered == 3 && bus.stored_n == 1);
    mp_project_finish(project);
    finish(project);
    remove_tree(home);
}

/* Over HTTP they would be read together, and share a request. */
CASE(what_several_processes_left_keeps_its_names) {
    strcpy(home, "/tmp/mp_bus_XXXXXX");
    CHECK(mkdtemp(home) != NULL);
    for (int i = 0; i < 3; i++)
        die_after_life();
    mp_project *project = send_what_was_left(3);
    CHECK(strcmp(bus.last_id, life->ids[0]) == 0);
    CHECK(stats_of(project).delivered == 9 && bus.stored_n == 3);
    mp_project_finish(project);
    finish(project);
    remove_tree(home);
}

int main(void) {
    life = mmap(NULL, sizeof *life, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    RUN(a_name_is_the_run_the_lane_and_the_place_in_it);
    RUN(parts_are_named_by_their_records);
    RUN(a_record_that_was_put_off_keeps_its_name);
    RUN(parts_with_holes_are_named_by_these_too);
    RUN(a_forked_child_has_names_of_its_own);
    RUN(a_name_outlives_the_process);
    RUN(what_several_processes_left_keeps_its_names);
    return unit_result();
}
