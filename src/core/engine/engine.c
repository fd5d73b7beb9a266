#include "core/engine/engine.h"

#include "core/engine/supervisor.h"
#include "core/os/clock.h"
#include "core/os/file.h"
#include "core/os/lock.h"
#include "core/os/process.h"
#include "core/os/random.h"
#include "core/os/rng.h"
#include "core/project/projects.h"
#include "core/record/parse.h"
#include "core/user/state_file.h"

#include <stdatomic.h>
#include <stdio.h>

/* DESIGN
 *
 * There is one engine per process, made by the first mp_engine_open and never
 * unmade: Lua closes states, and unloads modules, while records still wait.
 * The worker starts with the first record of *this* process, so a client
 * opened before a fork serves parent and children alike; each child starts
 * empty, since its parent delivers what was queued before.
 *
 * Before a fork every lock is taken, in one order: the sender's, the list of
 * projects', each project's. So a child finds nothing half done. It starts each
 * project anew when it first touches it: most it never will.
 *
 * At exit (atexit, registered behind libcurl's own set-up and so run before
 * its tear-down) nothing more is accepted, and the worker gets until the
 * exit_timeout to send what waits; then it is stopped, so that no thread is
 * inside libcurl or the TLS library while they are torn down. */

enum {
    STOP_MS = 200 /* for the worker to notice that it is over */
};

static struct {
    mp_once once;
    mp_err once_err;
    mp_projects *projects;
    atomic_bool over;       /* exit has begun */
    atomic_llong waited_ms; /* what closes waited for nothing */
} engine = {.once = MP_ONCE_INIT};

/* ---- fork ---- */

static void before_fork(void) {
    mp_supervisor_before_fork();
    mp_projects_before_fork(engine.projects);
    mp_state_files_before_fork();
    mp_file_before_fork();
}

static void in_parent(void) {
    mp_file_in_parent();
    mp_state_files_in_parent();
    mp_projects_in_parent(engine.projects);
    mp_supervisor_in_parent();
}

static void in_child(void) {
    mp_file_in_child();
    mp_state_files_in_child();
    mp_insert_id_reseed();
    mp_projects_in_child(engine.projects);
    mp_supervisor_in_child();
    atomic_store(&engine.waited_ms, 0);
}

/* The host carries the requests: no thread, nothing to wait for. */
static bool is_manual(const mp_project *project) {
    return mp_project_config(project)->manual;
}

/* ---- exit ---- */

/* What earlier waits in vain left of a project's exit_timeout. */
static int64_t budget_ms(mp_project *project) {
    if (mp_supervisor_succeeded())
        atomic_store(&engine.waited_ms, 0);
    int64_t ms =
        mp_project_exit_timeout(project) - atomic_load(&engine.waited_ms);
    return ms > 0 ? ms : 0;
}

/* Has the worker, if it runs, come for this project. */
static void wake(mp_project *project) {
    mp_turns_mark(mp_projects_turns(engine.projects), project);
    mp_supervisor_wake();
}

static bool find_left(mp_project *project, void *user) {
    bool *any = user;
    *any = !is_manual(project) && !mp_project_idle(project);
    return !*any;
}

static bool flush_up_to(mp_project *project, void *user) {
    (void)user;
    mp_project_flush_up_to(project, UINT64_MAX);
    mp_project_flush_saves(project);
    mp_turns_mark(mp_projects_turns(engine.projects), project);
    return true;
}

typedef struct ending {
    int64_t start_ms;
    int64_t deadline_ms; /* the latest of all projects */
} ending;

static bool await(mp_project *project, void *user) {
    ending *end = user;
    if (is_manual(project))
        return true;
    int64_t deadline_ms = end->start_ms + budget_ms(project);
    if (deadline_ms > end->deadline_ms)
        end->deadline_ms = deadline_ms;
    mp_project_wait_hopeful(project, UINT64_MAX, deadline_ms);
    mp_project_await_saves(project, deadline_ms);
    return true;
}

static void at_exit(void) {
    int64_t start_ms = mp_clock_mono_ms();
    ending end = {start_ms, start_ms};
    char message[MP_MESSAGE];
    bool any_left = false;
    mp_turns *turns = mp_projects_turns(engine.projects);
    atomic_store(&engine.over, true);
    mp_turns_each(turns, find_left, &any_left);
    if (any_left && mp_supervisor_start(message) == MP_OK) {
        mp_turns_each(turns, flush_up_to, NULL);
        mp_supervisor_wake();
        mp_turns_each(turns, await, &end);
    }
    int64_t now_ms = mp_clock_mono_ms();
    if (mp_supervisor_stop(
            (now_ms > end.deadline_ms ? now_ms : end.deadline_ms) + STOP_MS))
        mp_projects_finish(engine.projects);
}

/* ---- set-up ---- */

static void set_up(void) {
    mp_process_pin(&engine);
    mp_insert_id_reseed();
    mp_parse_set_up(mp_random_bits());
    engine.projects = mp_projects_new();
    engine.once_err =
        engine.projects ? mp_supervisor_set_up(engine.projects) : MP_MEMORY;
    if (engine.once_err != MP_OK)
        return;
    if (!mp_process_around_fork(before_fork, in_parent, in_child) ||
        !mp_process_at_end(at_exit))
        engine.once_err = MP_MEMORY;
}

mp_err mp_engine_open(mp_config *config, mp_overrides *client,
                      mp_project **out) {
    mp_once_do(&engine.once, set_up);
    if (engine.once_err != MP_OK) {
        mp_config_free(config);
        return engine.once_err;
    }
    *out = mp_projects_open(engine.projects, config, client);
    mp_supervisor_wake(); /* one that was open has new settings */
    return *out ? MP_OK : MP_MEMORY;
}

mp_err mp_engine_configure(mp_project *project, mp_overrides *client,
                           const mp_overrides *more) {
    mp_err err = mp_project_configure(project, client, more);
    wake(project);
    return err;
}

void mp_engine_close(mp_project *project) {
    bool on_disk = mp_project_on_disk(project);
    mp_projects_close(engine.projects, project);
    if (on_disk)
        mp_supervisor_wake();
}

/* ---- records ---- */

/* A worker that does not run must be told of: nothing else would show it. */
static void report_start(mp_project *project, mp_err err, const char *message) {
    if (err != MP_OK && err != MP_CLOSED && !is_manual(project))
        mp_project_report_start(project, message);
}

/* What a call that comes with a record or a state does for it. Without a
 * thread what was accepted stays queued, and a later call tries. */
static mp_err keep_running(mp_project *project, bool wakes) {
    char message[MP_MESSAGE];
    if (wakes)
        wake(project);
    mp_err err = mp_supervisor_keep_running(message);
    report_start(project, err, message);
    return err;
}

static mp_err start_and_wake(mp_project *project, char message[MP_MESSAGE]) {
    wake(project);
    mp_err err = mp_supervisor_start(message);
    report_start(project, err, message);
    return err;
}

mp_err mp_engine_push(mp_project *project, mp_lane_id lane,
                      const mp_record *records, size_t n) {
    if (atomic_load_explicit(&engine.over, memory_order_relaxed))
        return MP_CLOSED;
    bool wake;
    mp_err err = mp_project_push(project, lane, records, n, &wake);
    /* A full queue needs the thread more than any. */
    if ((err == MP_OK || err == MP_QUEUE_FULL) && !is_manual(project))
        keep_running(project, wake);
    return err;
}

static mp_err send_now(mp_project *project, uint64_t seq,
                       char message[MP_MESSAGE]) {
    mp_project_flush_up_to(project, seq);
    if (is_manual(project))
        return MP_OK;
    return start_and_wake(project, message);
}

uint64_t mp_engine_mark(mp_project *project) {
    char message[MP_MESSAGE];
    uint64_t seq = mp_project_mark(project);
    if (mp_project_left(project, seq) > 0)
        send_now(project, seq, message);
    return seq;
}

/* With a spool there may be something of dead processes. */
static void look_at_disk(mp_project *project) {
    char message[MP_MESSAGE];
    if (mp_project_on_disk(project) && !atomic_load(&engine.over))
        start_and_wake(project, message);
}

/* `hopeful`: see mp_project_wait_hopeful. */
static mp_err flush(mp_project *project, int64_t timeout_ms, bool hopeful,
                    uint64_t *left, char message[MP_MESSAGE]) {
    uint64_t seq = mp_project_mark(project);
    *left = mp_project_left(project, seq);
    if (*left == 0) {
        look_at_disk(project);
        return MP_OK;
    }
    mp_err err = send_now(project, seq, message);
    if (err == MP_OK && is_manual(project))
        return MP_TIMEOUT; /* only the host can do something about it */
    if (err != MP_OK || timeout_ms == 0)
        return err;
    int64_t deadline_ms = mp_clock_mono_ms() + timeout_ms;
    *left = hopeful ? mp_project_wait_hopeful(project, seq, deadline_ms)
                    : mp_project_wait(project, seq, deadline_ms);
    return *left == 0 ? MP_OK : MP_TIMEOUT;
}

mp_err mp_engine_flush(mp_project *project, int64_t timeout_ms, uint64_t *left,
                       char message[MP_MESSAGE]) {
    return flush(project, timeout_ms, false, left, message);
}

mp_err mp_engine_check(mp_project *project, int64_t timeout_ms,
                       char message[MP_MESSAGE]) {
    int64_t deadline_ms = mp_clock_mono_ms() + timeout_ms;
    uint64_t check = mp_project_check(project);
    mp_err err = start_and_wake(project, message);
    if (err != MP_OK)
        return err;
    return mp_project_await_check(project, check, deadline_ms, message);
}

/* ---- feature flags ---- */

void mp_engine_start_flags(mp_project *project) {
    mp_flags *flags = mp_project_flags(project);
    mp_flags_start(flags);
    /* Without a thread a later call tries. */
    if (is_manual(project) || keep_running(project, true) == MP_OK)
        mp_flags_attend(flags);
}

mp_err mp_engine_refresh_flags(mp_project *project, int64_t timeout_ms,
                               char message[MP_MESSAGE]) {
    mp_flags *flags = mp_project_flags(project);
    int64_t deadline_ms = mp_clock_mono_ms() + timeout_ms;
    mp_engine_start_flags(project);
    uint64_t refresh = mp_flags_refresh(flags);
    mp_err err = is_manual(project) ? MP_OK : start_and_wake(project, message);
    if (err != MP_OK || timeout_ms == 0)
        return err;
    if (is_manual(project))
        deadline_ms = 0; /* only the host can do something about it */
    return mp_flags_await(flags, refresh, deadline_ms, message);
}

mp_err mp_engine_await_flags(mp_project *project, int64_t timeout_ms,
                             char message[MP_MESSAGE]) {
    mp_flags *flags = mp_project_flags(project);
    int64_t deadline_ms = mp_clock_mono_ms() + timeout_ms;
    mp_engine_start_flags(project);
    mp_err err = is_manual(project) ? MP_OK : start_and_wake(project, message);
    if (err != MP_OK)
        return err;
    if (mp_flags_wait(flags, is_manual(project) ? 0 : deadline_ms))
        return MP_OK;
    mp_flag_stats stats;
    mp_flags_stats(flags, mp_clock_mono_ms(), &stats);
    snprintf(message, MP_MESSAGE,
             "timeout: no definitions of flags have come yet%s%.180s",
             stats.error[0] ? ": " : "", stats.error);
    return MP_TIMEOUT;
}

mp_err mp_engine_ask_flags(mp_project *project, const char *context, size_t len,
                           bool hold, uint64_t *id, char message[MP_MESSAGE]) {
    mp_flags *flags = mp_project_flags(project);
    bool wake = false;
    mp_err err = MP_CLOSED;
    snprintf(message, MP_MESSAGE, "the process ends");
    if (!atomic_load_explicit(&engine.over, memory_order_relaxed))
        err = mp_flags_ask(flags, context, len, hold, id, &wake);
    if (err == MP_QUEUE_FULL)
        snprintf(message, MP_MESSAGE,
                 "as many contexts as are remembered wait for their answers");
    else if (err == MP_MEMORY)
        snprintf(message, MP_MESSAGE, "out of memory");
    if (err != MP_OK)
        return err;
    message[0] = '\0';
    if (wake && !is_manual(project))
        err = start_and_wake(project, message);
    if (err != MP_OK && hold)
        mp_flags_let_go(flags, *id);
    return err;
}

mp_err mp_engine_save(mp_project *project, mp_state_file *file) {
    bool wake;
    if (atomic_load_explicit(&engine.over, memory_order_relaxed))
        return MP_CLOSED;
    mp_err err = mp_project_save(project, file, &wake);
    if (err != MP_OK)
        return err;
    keep_running(project, wake);
    return MP_OK;
}

mp_err mp_engine_await_save(mp_project *project, const mp_state_file *file,
                            int64_t timeout_ms, char message[MP_MESSAGE]) {
    int64_t deadline_ms = mp_clock_mono_ms() + timeout_ms;
    mp_project_flush_save(project, file);
    mp_err err = start_and_wake(project, message);
    if (err != MP_OK)
        return err;
    return mp_project_await_save(project, file, deadline_ms, message);
}

mp_err mp_engine_flush_at_close(mp_project *project, int64_t timeout_ms,
                                uint64_t *left, char message[MP_MESSAGE]) {
    int64_t budget = budget_ms(project);
    bool by_budget = timeout_ms < 0;
    int64_t start_ms = mp_clock_mono_ms();
    mp_project_flush_saves(project);
    mp_err err = flush(project, by_budget ? budget : timeout_ms, by_budget,
                       left, message);
    if (*left > 0 && err == MP_OK && by_budget)
        err = MP_TIMEOUT; /* nothing was left to wait for */
    if (err == MP_TIMEOUT && !is_manual(project)) {
        /* What succeeded meanwhile, for another project, did not help. */
        mp_supervisor_succeeded();
        atomic_fetch_add(&engine.waited_ms, mp_clock_mono_ms() - start_ms);
    }
    return err;
}
