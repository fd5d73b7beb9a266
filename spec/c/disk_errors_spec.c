/* Each call to the disk fails, with each error, in parts of a project's work:
 * it accepts, adopts, seals, sends, evicts, ends, writes a state. The counters
 * balance, something was reported, and once the disk is sound again, or for the
 * next process, each record is there. */
#include "failing_files.h"
#include "project_helper.h"

#include "core/user/state_file.h"

/* ---- calls that fail ---- */

static const char *const call_names[CALLS] = {
    "open",  "read",     "write",  "allocate", "map",
    "sync",  "sync_map", "rename", "unlink",   "mkdir",
    "rmdir", "list",     "lock",   "stat",     "look"};

static call failing;
static int error; /* 0: nothing fails */
static int hits;

/* What is interrupted is tried again at once, so that it may not always be. */
static bool fails(call which) {
    if (which != failing || error == 0 || (error == EINTR && hits % 2 == 1))
        return hits += which == failing && error == EINTR, false;
    hits++;
    errno = error;
    return true;
}

static void use_faulty(bool mapped) {
    error = 0;
    hits = 0;
    use_failing_files(mapped);
}

/* ---- lives ---- */

enum {
    LEFT = 4, /* numbers that a dead process left */
    ALL = 8
};

static int64_t now_ms;
static int times[ALL + 1]; /* that each number was sent, by all processes */

static void leave_some(mp_project *project, int n) {
    (void)n;
    for (int i = 1; i <= LEFT; i++)
        push(project, i % 2 ? MP_LANE_EVENTS : MP_LANE_PEOPLE, i);
}

static mp_project *open_durable(void) {
    mp_project *project = open_project();
    mp_settings *settings = own_settings(project);
    settings->fsync = true;
    settings->report_ambiguous = true;
    settings->flush_interval_ms = 1;
    return project;
}

static void accept(mp_project *project) {
    for (int i = LEFT + 1; i <= ALL; i++)
        push(project, i % 2 ? MP_LANE_EVENTS : MP_LANE_PEOPLE, i);
}

static void work(mp_project *project) {
    send_all(project, now_ms += 1500);
    mp_stats stats = stats_of(project); /* it balances */
    CHECK(stats.quarantined == 0 && stats.dropped_quarantined == 0);
}

/* Each lane sends one record and then fails, so that the rest is sealed. */
static void seal(mp_project *project) {
    mp_reply reply = {.status = 503, .sent = true};
    int64_t next_ms;
    mp_request *request;
    mp_project_prepare(project, now_ms += 1500);
    while (
        (request = mp_project_next_request(project, MP_HOST, now_ms, &next_ms)))
        mp_project_handle_reply(project, request, &reply, now_ms);
    mp_project_maintain(project, now_ms);
    stats_of(project);
}

typedef enum part {
    ACCEPT,
    ADOPT,
    SEAL,
    SEND,
    END,
    PARTS
} part;

static const char *const part_names[PARTS] = {"accept", "adopt", "seal", "send",
                                              "end"};

static void count_sent(void) {
    for (int i = 0; i < sent_n; i++)
        if (sent[i] >= 1 && sent[i] <= ALL)
            times[sent[i]]++;
    sent_n = 0;
}

/* What fails takes nothing from the records: directories that stay, sizes and
 * names that are only looked at, and a run's place among others. At the end
 * nobody asks any more. */
static bool is_harmless(part bad) {
    return bad == END || failing == RMDIR || failing == LOOK ||
           (failing == LIST && bad == ACCEPT);
}

/* A process whose disk fails with `err` in one part of its work. */
static void live(part bad, int err) {
    mp_project *project = open_durable();
    for (int p = ACCEPT; p < PARTS; p++) {
        error = p == (int)bad ? err : 0;
        switch ((part)p) {
        case ACCEPT:
            accept(project);
            break;
        case ADOPT:
            mp_project_prepare(project, now_ms += 1500);
            mp_project_maintain(project, now_ms);
            break;
        case SEAL:
            seal(project);
            break;
        case SEND:
            work(project);
            break;
        default:
            break;
        }
        stats_of(project);
    }
    mp_stats stats = stats_of(project);
    bool told = stats.spool_errors > 0;
    error = bad == END ? err : 0;
    close_project(project);
    error = 0;
    CHECK(told || hits == 0 || err == EINTR || is_harmless(bad));
    count_sent();
}

/* With a sound disk, another process sends what is left. */
static void finish(void) {
    mp_project *project = open_durable();
    for (int i = 0; i < 40; i++)
        work(project);
    mp_stats stats = stats_of(project);
    CHECK(stats.spooled == 0 && stats.queued == 0);
    close_project(project);
    count_sent();
}

static void enter_memory(void) {
    bool there = access("/dev/shm", W_OK) == 0;
    strcpy(home, there ? "/dev/shm/mp_errors_XXXXXX" : "/tmp/mp_errors_XXXXXX");
    CHECK(mkdtemp(home) != NULL);
}

static void try(call which, int err, part bad, bool mapped) {
    enter_memory();
    memset(times, 0, sizeof times);
    sent_n = 0;
    now_ms = mp_clock_mono_ms();
    die_after(leave_some, 0);
    use_faulty(mapped);
    failing = which;
    live(bad, err);
    mp_file_use(&mp_file_system);
    finish();
    for (int i = 1; i <= ALL; i++)
        CHECK(times[i] >= 1 && (times[i] == 1 || which == UNLINK));
    if (unit_bad)
        fprintf(stderr, "%s fails with %s in %s, %s\n", call_names[which],
                strerror(err), part_names[bad], mapped ? "mapped" : "written");
    leave();
}

static const int errors[] = {EIO,    ESTALE, EACCES,   ENOSPC, EDQUOT,
                             EMFILE, EINTR,  ENOTCONN, ELOOP};

enum {
    ERRORS = sizeof errors / sizeof *errors
};

CASE(no_error_in_any_part_loses_a_record) {
    int step = getenv("MP_SPEC_NUMBERS") ? 4 : 1; /* where each takes long */
    for (int c = 0; c < CALLS; c++)
        for (int e = c % step; e < ERRORS; e += step)
            for (int p = (c + e) % 2; p < PARTS && !unit_bad; p += 2)
                try((call)c, errors[e], (part)p, (c + e + p) / 2 % 2 == 0);
}

/* What cannot be removed comes back with the next process. */
static void try_evicting(call which, int err) {
    enter_memory();
    now_ms = mp_clock_mono_ms();
    die_after(leave_some, 0);
    mp_project *project = open_durable();
    mp_project_prepare(project, now_ms += 1500);
    project->settings->spool_max_bytes = 0;
    use_faulty(true);
    failing = which;
    error = err;
    mp_project_maintain(project, now_ms);
    mp_stats stats = stats_of(project);
    CHECK(stats.adopted == LEFT && stats.dropped_evicted == LEFT);
    CHECK(which != UNLINK || err == EINTR || stats.spool_errors > 0);
    CHECK(was_told(project, "made room for newer ones"));
    close_project(project);
    leave();
}

CASE(what_is_evicted_is_counted_whatever_fails) {
    for (int c = 0; c < CALLS; c++)
        for (int e = 0; e < ERRORS && !unit_bad; e++)
            try_evicting((call)c, errors[e]);
}

static bool holds(const char *path, const char *text) {
    mp_buf got = {0};
    bool same = mp_file_read(MP_FILE_HERE, path, 1000, &got) == 0 &&
                got.len == strlen(text) && memcmp(got.data, text, got.len) == 0;
    mp_buf_free(&got);
    return same;
}

static void put_state(mp_state_file *file, const char *text) {
    mp_buf buf = {0};
    mp_err err;
    mp_buf_puts(&buf, text);
    CHECK(mp_state_file_put(file, &buf, &err) && err == MP_OK);
    mp_buf_free(&buf);
}

static void try_state(call which, int err) {
    static const char before[] = "{\"version\":1,\"a\":1}\n",
                      after[] = "{\"version\":1,\"b\":22}\n";
    char path[96];
    enter_memory();
    snprintf(path, sizeof path, "%s/state", home);
    mp_state_file *file = mp_state_file_open(path);
    put_state(file, before);
    CHECK(mp_state_file_write(file) == 0 && holds(path, before));
    put_state(file, after);
    use_faulty(true);
    failing = which;
    error = err;
    int failed = mp_state_file_write(file);
    error = 0;
    CHECK(holds(path, after) || (failed != 0 && holds(path, before)));
    CHECK(mp_state_file_write(file) == 0 && holds(path, after));
    mp_state_file_close(file);
    if (unit_bad)
        fprintf(stderr, "%s fails with %s\n", call_names[which], strerror(err));
    leave();
}

CASE(a_state_is_written_once_the_disk_is_sound) {
    for (int c = 0; c < CALLS; c++)
        for (int e = 0; e < ERRORS && !unit_bad; e++)
            try_state((call)c, errors[e]);
}

int main(void) {
    RUN(no_error_in_any_part_loses_a_record);
    RUN(what_is_evicted_is_counted_whatever_fails);
    RUN(a_state_is_written_once_the_disk_is_sound);
    return unit_result();
}
