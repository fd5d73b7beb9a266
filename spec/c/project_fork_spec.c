/* What a fork holds, and what a child finds of the rest. */
#include "core/project/projects.h"
#include "unit.h"

#include "core/os/thread.h"
#include "core/project/project_state.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static mp_projects *projects; /* lives as long as the process */

static mp_project *open_one(const char *token, bool manual) {
    mp_config config = {.token = strdup(token),
                        .base_url = strdup("http://127.0.0.1:9"),
                        .name = strdup(""),
                        .manual = manual};
    return mp_projects_open(projects, &config, mp_overrides_new(),
                            &(unsigned){0});
}

static mp_err push(mp_project *project) {
    mp_record record = {.head = "{}", .head_len = 2, .kind = MP_PLAIN};
    bool wake;
    return mp_project_push(project, MP_LANE_EVENTS, &record, 1, &wake);
}

CASE(a_fork_holds_those_alone_that_have_something_to_do) {
    char message[MP_MESSAGE];
    mp_flag_options options = {.local = true};
    mp_project *idle = open_one("idle", false), *busy = open_one("busy", false),
               *manual = open_one("manual", true),
               *flagged = open_one("flagged", false);
    mp_turns_mark(mp_projects_turns(projects, MP_SENDER), busy);
    CHECK(mp_project_join_flags(flagged, &options, message) == MP_OK);
    mp_projects_before_fork(projects);
    CHECK(!idle->held && busy->held && manual->held && flagged->held);
    mp_projects_in_parent(projects);
    CHECK(!busy->held && !manual->held && !flagged->held);
    CHECK(push(busy) == MP_OK && push(manual) == MP_OK); /* nothing is locked */
    CHECK(push(flagged) == MP_OK);
    mp_project_leave_flags(flagged);
    mp_projects_close(projects, idle);
    mp_projects_close(projects, busy);
    mp_projects_close(projects, manual);
    mp_projects_close(projects, flagged);
}

/* What is wrong in the child of a fork. */
static int wrong_in_child(void (*look)(mp_project *project),
                          mp_project *project) {
    int status;
    mp_projects_before_fork(projects);
    pid_t child = fork();
    if (child == 0) {
        mp_projects_in_child(projects);
        alarm(20); /* a lock that nobody gives back */
        look(project);
        _exit(unit_bad);
    }
    mp_projects_in_parent(projects);
    CHECK(waitpid(child, &status, 0) == child);
    return status;
}

static void use(mp_project *project) {
    mp_stats stats;
    mp_report report;
    mp_project_stats(project, &stats);
    CHECK(stats.accepted == 0 && stats.queued == 0);
    CHECK(!mp_project_take_report(project, &report));
    CHECK(push(project) == MP_OK && push(project) == MP_OK);
    mp_project_stats(project, &stats);
    CHECK(stats.accepted == 2 && stats.queued == 2);
    CHECK(!project->held);
}

CASE(a_child_starts_with_nothing) {
    mp_project *project = open_one("child", false);
    CHECK(push(project) == MP_OK);
    mp_project_report_start(project, "no thread");
    CHECK(wrong_in_child(use, project) == 0); /* its lock was free */
    mp_turns_mark(mp_projects_turns(projects, MP_SENDER), project);
    CHECK(wrong_in_child(use, project) == 0); /* the fork held it */
    mp_stats stats;
    mp_project_stats(project, &stats);
    CHECK(stats.accepted == 1 && stats.queued == 1);
    mp_projects_close(projects, project);
}

static atomic_bool changing, forked;

/* A thread that is in the midst of a change and does not get on with it. */
static void change(void *user) {
    mp_project *project = user;
    mp_project_lock(project);
    mp_lane *lane = project->lanes[0];
    project->lanes[0] = (mp_lane *)user; /* half of it */
    atomic_store(&changing, true);
    while (!atomic_load(&forked))
        mp_thread_yield();
    project->lanes[0] = lane;
    mp_project_unlock(project);
}

CASE(a_child_does_not_look_at_what_a_thread_was_changing) {
    mp_thread thread;
    mp_project *project = open_one("cut", false);
    CHECK(push(project) == MP_OK);
    CHECK(mp_thread_start(&thread, "changes", change, project) == 0);
    while (!atomic_load(&changing))
        mp_thread_yield();
    CHECK(wrong_in_child(use, project) == 0);
    atomic_store(&forked, true);
    mp_thread_join(&thread);
    CHECK(push(project) == MP_OK);
    mp_projects_close(projects, project);
}

int main(void) {
    projects = mp_projects_new();
    RUN(a_fork_holds_those_alone_that_have_something_to_do);
    RUN(a_child_starts_with_nothing);
    RUN(a_child_does_not_look_at_what_a_thread_was_changing);
    return unit_result();
}
