#include "core/engine/engine_state.h"

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

/* DESIGN
 *
 * There is one engine per process, made by the first mp_engine_open and never
 * unmade: Lua closes states, and unloads modules, while records still wait.
 * Threads start with the first record of *this* process, so a client
 * opened before a fork serves parent and children alike; each child starts
 * empty, since its parent delivers what was queued before.
 *
 * Before a fork locks are taken in one order: the supervisor's, the list of
 * projects', those of the turns, each project's that has something to do. So a
 * child finds those at rest. It starts each project anew when it first touches
 * it: most it never will. One that had nothing to do, while a thread was at it,
 * is then left where it is.
 *
 * At exit (atexit, registered behind libcurl's own set-up and so run before
 * its tear-down) nothing more is accepted, and the threads get until
 * the exit_timeout to send what waits; then they are stopped, the sender first,
 * so that no thread is inside libcurl or the TLS library while they are torn
 * down. What is left is written to disk by the thread for that, so that a disk
 * that hangs holds up no exit. */

enum {
    STOP_MS = 200 /* for the threads to end, at the least */
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

/* ---- exit ---- */

bool mp_engine_is_over(void) {
    return atomic_load_explicit(&engine.over, memory_order_relaxed);
}

/* What earlier waits in vain left of a project's exit_timeout. */
static int64_t budget_ms(mp_project *project) {
    if (mp_supervisor_succeeded())
        atomic_store(&engine.waited_ms, 0);
    int64_t ms =
        mp_project_exit_timeout(project) - atomic_load(&engine.waited_ms);
    return ms > 0 ? ms : 0;
}

/* Has the threads, if they run, come for this project. */
static void wake(mp_project *project) {
    mp_supervisor_wake(mp_projects_mark(engine.projects, project));
}

/* Has the one for the disk come for what is not about records. */
static void wake_disk(mp_project *project) {
    mp_turns_mark(mp_projects_turns(engine.projects, MP_DISK), project);
    mp_supervisor_wake(MP_THREAD(MP_DISK));
}

/* Calls `visit` for each project that has something to do, some twice. */
static void each_busy(bool (*visit)(mp_project *project, void *user),
                      void *user) {
    for (int i = 0; i < MP_THREADS; i++)
        mp_turns_each(mp_projects_turns(engine.projects, (mp_role)i), visit,
                      user);
}

typedef struct ending {
    int64_t start_ms;
    int64_t deadline_ms; /* the latest of all projects */
    int64_t disk_ms;     /* the same for the disk */
    unsigned threads;    /* that have something left to do */
} ending;

static int64_t later(int64_t a_ms, int64_t b_ms) {
    return a_ms > b_ms ? a_ms : b_ms;
}

/* What closes waited for a network in vain is not taken off the disk's time. */
static bool find_left(mp_project *project, void *user) {
    ending *end = user;
    unsigned *threads = &end->threads;
    end->disk_ms =
        later(end->disk_ms, end->start_ms + mp_project_exit_timeout(project));
    if (!mp_engine_is_manual(project) && !mp_project_is_empty(project))
        *threads |= mp_project_threads(project);
    if (!mp_engine_is_manual(project) && !mp_project_idle_for(project, MP_DISK))
        *threads |= MP_THREAD(MP_DISK);
    return true;
}

static bool flush_up_to(mp_project *project, void *user) {
    (void)user;
    mp_project_flush_up_to(project, UINT64_MAX);
    mp_project_flush_saves(project);
    mp_projects_mark(engine.projects, project);
    return true;
}

static bool await(mp_project *project, void *user) {
    ending *end = user;
    if (mp_engine_is_manual(project))
        return true;
    int64_t deadline_ms = end->start_ms + budget_ms(project);
    end->deadline_ms = later(end->deadline_ms, deadline_ms);
    if (mp_supervisor_runs(mp_project_threads(project)))
        mp_project_wait_hopeful(project, UINT64_MAX, deadline_ms);
    if (mp_supervisor_runs(MP_THREAD(MP_DISK)))
        mp_project_await_saves(project, deadline_ms);
    return true;
}

static void at_exit(void) {
    int64_t start_ms = mp_clock_mono_ms();
    ending end = {start_ms, start_ms, start_ms, 0};
    char message[MP_MESSAGE];
    atomic_store(&engine.over, true);
    each_busy(find_left, &end);
    if (end.threads != 0) {
        mp_supervisor_start(end.threads, message); /* or nobody waits below */
        each_busy(flush_up_to, NULL);
        mp_supervisor_wake(end.threads);
        each_busy(await, &end);
    }
    int64_t soon_ms = mp_clock_mono_ms() + STOP_MS;
    end.deadline_ms = later(end.deadline_ms, soon_ms);
    mp_supervisor_stop(end.deadline_ms, later(end.deadline_ms, end.disk_ms));
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
    unsigned threads; /* for one that was open has new settings */
    *out = mp_projects_open(engine.projects, config, client, &threads);
    mp_supervisor_wake(threads);
    return *out ? MP_OK : MP_MEMORY;
}

mp_err mp_engine_configure(mp_project *project, mp_overrides *client,
                           const mp_overrides *more) {
    mp_err err = mp_project_configure(project, client, more);
    wake(project);
    return err;
}

/* The sender carries what the disk thread made, too. */
void mp_engine_permit(mp_project *project, int64_t until_ms) {
    mp_project_permit(project, until_ms);
    wake(project);
    mp_supervisor_wake(MP_THREAD(MP_SENDER));
}

void mp_engine_close(mp_project *project) {
    bool on_disk = mp_project_on_disk(project);
    mp_projects_close(engine.projects, project);
    if (on_disk)
        mp_supervisor_wake(MP_THREAD(MP_DISK));
}

/* ---- records ---- */

/* A thread that does not run must be told of: nothing else would show it. */
static void report_start(mp_project *project, mp_err err, const char *message) {
    if (err != MP_OK && err != MP_CLOSED && !mp_engine_is_manual(project))
        mp_project_report_start(project, message);
}

mp_err mp_engine_keep_running(mp_project *project, unsigned threads,
                              bool wakes) {
    char message[MP_MESSAGE];
    if (wakes)
        wake(project);
    mp_err err = mp_supervisor_keep_running(threads, message);
    report_start(project, err, message);
    return err;
}

mp_err mp_engine_start(mp_project *project, unsigned threads,
                       char message[MP_MESSAGE]) {
    wake(project);
    mp_err err = mp_supervisor_start(threads, message);
    report_start(project, err, message);
    return err;
}

mp_err mp_engine_push(mp_project *project, mp_lane_id lane,
                      const mp_record *records, size_t n) {
    if (mp_engine_is_over())
        return MP_CLOSED;
    bool wake;
    mp_err err = mp_project_push(project, lane, records, n, &wake);
    /* A full queue needs the thread more than any. */
    if ((err != MP_OK && err != MP_QUEUE_FULL) || mp_engine_is_manual(project))
        return err;
    if (wake)
        mp_supervisor_wake(mp_projects_mark_records(engine.projects, project));
    mp_engine_keep_running(project, mp_project_threads(project), false);
    return err;
}

static mp_err send_now(mp_project *project, uint64_t seq,
                       char message[MP_MESSAGE]) {
    mp_project_flush_up_to(project, seq);
    if (mp_engine_is_manual(project))
        return MP_OK;
    return mp_engine_start(project, mp_project_threads(project), message);
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
    if (mp_project_on_disk(project) && !mp_engine_is_over())
        mp_engine_start(project, mp_project_threads(project), message);
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
    if (err == MP_OK && mp_engine_is_manual(project))
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
    mp_err err = mp_engine_start(project, mp_project_threads(project), message);
    if (err != MP_OK)
        return err;
    return mp_project_await_check(project, check, deadline_ms, message);
}

mp_err mp_engine_save(mp_project *project, mp_state_file *file) {
    bool wake;
    if (mp_engine_is_over())
        return MP_CLOSED;
    mp_err err = mp_project_save(project, file, &wake);
    if (err != MP_OK)
        return err;
    if (wake)
        wake_disk(project);
    mp_engine_keep_running(project, MP_THREAD(MP_DISK), false);
    return MP_OK;
}

mp_err mp_engine_await_save(mp_project *project, const mp_state_file *file,
                            int64_t timeout_ms, char message[MP_MESSAGE]) {
    int64_t deadline_ms = mp_clock_mono_ms() + timeout_ms;
    mp_project_flush_save(project, file);
    mp_err err = mp_engine_start(project, MP_THREAD(MP_DISK), message);
    if (err != MP_OK)
        return err;
    return mp_project_await_save(project, file, deadline_ms, message);
}

mp_err mp_engine_flush_at_close(mp_project *project, int64_t timeout_ms,
                                uint64_t *left, char message[MP_MESSAGE]) {
    int64_t budget = budget_ms(project);
    bool by_budget = timeout_ms < 0;
    int64_t start_ms = mp_clock_mono_ms();
    if (mp_project_flush_saves(project))
        wake_disk(project);
    mp_err err = flush(project, by_budget ? budget : timeout_ms, by_budget,
                       left, message);
    if (*left > 0 && err == MP_OK && by_budget)
        err = MP_TIMEOUT; /* nothing was left to wait for */
    if (err == MP_TIMEOUT && !mp_engine_is_manual(project)) {
        /* What succeeded meanwhile, for another project, did not help. */
        mp_supervisor_succeeded();
        atomic_fetch_add(&engine.waited_ms, mp_clock_mono_ms() - start_ms);
    }
    return err;
}
