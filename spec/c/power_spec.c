/* Power is lost at each call that changes the disk, and whatever could be left
 * is adopted by another process:
 * - with durability = "power" all that was accepted before the last sync is
 *   found, and with "process" all that the kernel had written by itself;
 * - with on_ambiguous = "report" no $add is sent twice, and none counts as in
 *   doubt that nobody was about to send. */
#include "project_helper.h"

#include "core/spool/spool_state.h"
#include "disk_model.h"

enum {
    RECORDS = 24
};

static int ways = 16; /* disks for each call, of those that may be left */

static char base[64], checked[96]; /* where the disk is, and what is left */
static bool power;

/* What is known of each record. */
static bool on_disk[RECORDS + 1]; /* for sure */
static bool ended[RECORDS + 1];
static bool adds[RECORDS + 1], asked[RECORDS + 1], gone_out[RECORDS + 1];
static int accepted;
static long disks;

/* What a process that adopts the disk finds: to be sent, or in doubt. */
static int found[RECORDS + 1], in_doubt[RECORDS + 1];

static void quiet(void *user, const char *message) {
    (void)user, (void)message;
}

static int skip_sync(int fd) {
    (void)fd;
    return 0;
}

static int number_in(const mp_segment *segment, uint32_t i) {
    const mp_entry *entry = &segment->entries[i];
    const char *json = segment->data + entry->offset;
    const char *at = memmem(json, entry->length, "rt_id\":\"", 8);
    if (!at)
        at = memmem(json, entry->length, "{\"n\":", 5);
    int n = at ? atoi(at + strcspn(at, "0123456789")) : 0;
    return n >= 1 && n <= RECORDS ? n : 0;
}

static void note_batch(const mp_spool *spool, mp_batch_file *file) {
    char ignored[MP_MESSAGE];
    mp_segment *segment = NULL;
    file->next = NULL;
    file->first = 1;
    file->last = RECORDS;
    mp_in_doubt doubt = file->in_doubt;
    if (mp_spool_load(spool, file, &segment, ignored) != 0) {
        free(file);
        return;
    }
    if (segment->place.sealed != file)
        free(file);
    for (uint32_t i = 0; i < segment->count; i++) {
        bool doubted = doubt == MP_IN_DOUBT_NON_IDEMPOTENT &&
                       segment->entries[i].kind == MP_NON_IDEMPOTENT;
        (doubted ? in_doubt : found)[number_in(segment, i)]++;
    }
    mp_spool_discard(segment, ignored);
    mp_segment_free(segment);
}

static void adopt_all(const char *path) {
    mp_reporter reporter = {quiet, NULL, NULL};
    char ignored[MP_MESSAGE];
    mp_adopted got;
    mp_spool *spool = mp_spool_new(path, "token", "https://host", "");
    memset(found, 0, sizeof found);
    memset(in_doubt, 0, sizeof in_doubt);
    mp_spool_adopt(spool, UINT64_MAX, &reporter, &got, ignored);
    for (mp_batch_file *file = got.list, *next; file; file = next) {
        next = file->next;
        note_batch(spool, file);
    }
    mp_spool_free(spool);
}

static void check_way(int way) {
    char path[128];
    model_crash(way, checked);
    snprintf(path, sizeof path, "%s/s", checked);
    adopt_all(path);
    remove_tree(checked);
    disks++;
    for (int n = 1; n <= accepted; n++) {
        bool there = found[n] + in_doubt[n] > 0;
        CHECK(!on_disk[n] || ended[n] || there);
        CHECK(!adds[n] || !gone_out[n] || found[n] == 0);
        CHECK(!adds[n] || asked[n] || in_doubt[n] == 0);
        if (unit_bad) {
            fprintf(stderr, "record %d, way %d, step %d\n", n, way,
                    model_steps_n);
            return;
        }
    }
}

/* Before each change. */
static void lose_power(void) {
    static mp_file_calls plain;
    plain = mp_file_system;
    plain.sync = skip_sync;
    mp_file_use(&plain);
    for (int way = 0; way < ways && !unit_bad; way++)
        check_way(way);
    mp_file_use(&model_calls);
}

/* ---- the life of a project ---- */

static mp_project *open_here(void) {
    mp_project *project = open_project();
    mp_settings *settings = own_settings(project);
    settings->fsync = power;
    settings->report_ambiguous = true;
    settings->flush_interval_ms = 1;
    return project;
}

static void accept_event(mp_project *project) {
    push(project, MP_LANE_EVENTS, ++accepted);
}

static void accept_add(mp_project *project) {
    char json[128];
    bool wake;
    adds[++accepted] = true;
    snprintf(json, sizeof json,
             "{\"$token\":\"token\",\"$distinct_id\":\"u%d\",\"$add\":{\"n\":%d"
             "}}",
             accepted, accepted);
    mp_record record = {
        .head = json, .head_len = strlen(json), .kind = MP_NON_IDEMPOTENT};
    CHECK(mp_project_push(project, MP_LANE_PEOPLE, &record, 1, &wake) == MP_OK);
}

/* From now on all that was accepted is on the disk: by a sync of the project's,
 * or of the kernel's. */
static void settle(mp_project *project, int64_t now_ms) {
    if (power)
        mp_project_maintain(project, now_ms);
    else
        model_write_back();
    for (int n = 1; n <= accepted; n++)
        on_disk[n] = !ended[n];
}

/* A request goes out, if any wants to; `status` of its reply. */
static bool send_one(mp_project *project, int64_t now_ms, int status) {
    static const char ok[] = "{\"status\":1,\"error\":null}";
    mp_reply reply = {.status = status, .body = ok, .len = sizeof ok - 1};
    int64_t next_ms;
    if (status != 200)
        reply = (mp_reply){.status = status, .sent = true};
    for (int n = 1; n <= accepted; n++)
        asked[n] = true;
    mp_project_prepare(project, now_ms);
    mp_request *request =
        mp_project_next_request(project, MP_HOST, now_ms, &next_ms);
    if (!request)
        return false;
    const mp_batch *batch = ((mp_flight *)request)->batch;
    for (uint32_t i = 0; i < batch->count; i++) {
        int n = number_in(batch->segment, (uint32_t)(batch->items[i].entry -
                                                     batch->segment->entries));
        gone_out[n] = true;
        ended[n] |= status == 200 || adds[n]; /* else it is uncertain */
    }
    lose_power();
    mp_project_handle_reply(project, request, &reply, now_ms);
    return true;
}

/* Each lane has a request of one record until it was answered once. */
static void live(mp_project *project) {
    int64_t now_ms = mp_clock_mono_ms();
    accept_event(project);
    accept_event(project);
    settle(project, now_ms);
    accept_event(project);
    accept_add(project);
    settle(project, now_ms += 1500);
    send_one(project, now_ms, 200);
    while (send_one(project, now_ms, 200))
        continue;
    mp_project_maintain(project, now_ms += 1500);
    accept_event(project);
    accept_add(project);
    settle(project, now_ms += 1500);
    while (send_one(project, now_ms, 503)) /* all that is left is sealed */
        continue;
    mp_project_maintain(project, now_ms += 1500);
    accept_event(project); /* and this stays open */
    settle(project, now_ms += 1500);
}

static void start(bool with_power) {
    snprintf(base, sizeof base, "/dev/shm/mp_power_XXXXXX");
    if (access("/dev/shm", W_OK) != 0)
        snprintf(base, sizeof base, "/tmp/mp_power_XXXXXX");
    CHECK(mkdtemp(base) != NULL);
    snprintf(home, sizeof home, "%.60s/s", base);
    snprintf(checked, sizeof checked, "%s.left", base);
    power = with_power;
    accepted = 0;
    disks = 0;
    memset(on_disk, 0, sizeof on_disk);
    memset(ended, 0, sizeof ended);
    memset(adds, 0, sizeof adds);
    memset(asked, 0, sizeof asked);
    memset(gone_out, 0, sizeof gone_out);
    model_start(base);
    model_at_step = lose_power;
}

static void finish(void) {
    model_end();
    remove_tree(base);
    printf("# %ld disks\n", disks);
}

static void live_and_end(bool with_power) {
    start(with_power);
    mp_project *project = open_here();
    live(project);
    close_project(project); /* what is open stays, what is sealed too */
    lose_power();
    finish();
}

CASE(with_power_what_was_synced_is_found) {
    live_and_end(true);
}

CASE(with_process_what_the_kernel_wrote_is_found) {
    live_and_end(false);
}

/* The next process adopts what the first left, sends some and evicts. */
static void adopt_and_send(bool with_power) {
    start(with_power);
    model_at_step = NULL;
    mp_project *project = open_here();
    live(project);
    mp_file_in_child(); /* it dies: its locks go */
    model_write_back();
    for (int n = 1; n <= accepted; n++)
        on_disk[n] = !ended[n];
    model_at_step = lose_power;
    mp_project *next = open_here();
    int64_t now_ms = mp_clock_mono_ms();
    mp_project_prepare(next, now_ms);
    accept_event(next);
    settle(next, now_ms += 1500);
    send_one(next, now_ms, 200);
    while (send_one(next, now_ms, 503))
        continue;
    mp_project_maintain(next, now_ms += 1500);
    lose_power();
    memset(ended, true, sizeof ended);
    mp_settings *settings = own_settings(next);
    settings->spool_max_bytes = 0; /* all is evicted */
    mp_project_maintain(next, now_ms);
    close_project(next);
    lose_power();
    model_at_step = NULL;
    mp_project_end_fork_in_child(); /* without its files, as it died */
    mp_project_touch(project);
    mp_project_release(project);
    finish();
}

CASE(with_power_an_adoption_loses_nothing) {
    adopt_and_send(true);
}

CASE(with_process_an_adoption_loses_nothing) {
    adopt_and_send(false);
}

/* The kernel gives up what it could not write, and says so once. */
CASE(a_sync_that_failed_is_not_believed_the_second_time) {
    for (int n = 0; n < 4; n++) {
        start(true);
        mp_project *project = open_here();
        int64_t now_ms = mp_clock_mono_ms();
        accept_event(project);
        accept_event(project);
        model_fails = n;
        for (int i = 0; i < 4; i++)
            mp_project_maintain(project, now_ms += 2500);
        if (n == 0)
            CHECK(was_told(project, "cannot sync an open segment"));
        settle(project, now_ms += 2500);
        accept_event(project);
        for (int i = 0; i < 4; i++)
            mp_project_maintain(project, now_ms += 2500);
        settle(project, now_ms += 2500);
        lose_power();
        send_one(project, now_ms, 200);
        send_one(project, now_ms, 503);
        mp_project_maintain(project, now_ms += 2500);
        lose_power();
        close_project(project);
        lose_power();
        finish();
    }
}

CASE(a_sync_that_fails_at_the_end_is_not_believed) {
    start(true);
    mp_project *project = open_here();
    accept_event(project);
    settle(project, mp_clock_mono_ms());
    accept_event(project);
    model_fails = 0;
    close_project(project);
    for (int n = 1; n <= accepted; n++)
        on_disk[n] = true;
    lose_power();
    finish();
}

/* Only the oldest batch goes, whenever power is lost. */
static void evict_one(bool with_power) {
    start(with_power);
    mp_project *project = open_here();
    int64_t now_ms = mp_clock_mono_ms();
    mp_settings *settings = project->settings;
    uint64_t most = settings->max_queue_bytes;
    while (accepted < 3) {
        accept_event(project);
        settle(project, now_ms += 1500);
        settings->max_queue_bytes = 1; /* it leaves memory at once */
        mp_project_maintain(project, now_ms);
        settings->max_queue_bytes = most;
    }
    mp_stats stats = stats_of(project);
    CHECK(stats.spooled == 3);
    settings->spool_max_bytes = stats.spooled_bytes - 1;
    ended[1] = true;
    mp_project_maintain(project, now_ms);
    CHECK(stats_of(project).dropped_evicted == 1);
    close_project(project);
    lose_power();
    finish();
}

CASE(an_eviction_loses_only_what_it_evicts) {
    evict_one(true);
    evict_one(false);
}

/* ---- states ---- */

static const char *state_before, *state_after;

static void lose_state(void) {
    char path[128];
    mp_file_use(&mp_file_system);
    for (int way = 0; way < ways; way++) {
        mp_buf got = {0};
        model_crash(way, checked);
        snprintf(path, sizeof path, "%.100s/state", checked);
        int err = mp_file_read(MP_FILE_HERE, path, 1000, &got);
        bool before = state_before
                          ? err == 0 && got.len == strlen(state_before) &&
                                memcmp(got.data, state_before, got.len) == 0
                          : err == ENOENT;
        bool after = err == 0 && got.len == strlen(state_after) &&
                     memcmp(got.data, state_after, got.len) == 0;
        CHECK(before || after);
        mp_buf_free(&got);
        remove_tree(checked);
    }
    mp_file_use(&model_calls);
}

CASE(a_state_is_the_old_one_or_the_new_one_whole) {
    static const char *const texts[] = {"{\"version\":1,\"a\":1}\n",
                                        "{\"version\":1,\"b\":22}\n",
                                        "{\"version\":1}\n"};
    char path[128];
    start(false);
    model_at_step = lose_state;
    snprintf(path, sizeof path, "%.60s/state", base);
    mp_state_file *file = mp_state_file_open(path);
    state_before = NULL;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        mp_buf text = {0};
        mp_err err;
        mp_buf_puts(&text, texts[i]);
        state_after = texts[i];
        CHECK(mp_state_file_put(file, &text, &err) && err == MP_OK);
        CHECK(mp_state_file_write(file) == 0);
        mp_buf_free(&text);
        state_before = texts[i];
        lose_state(); /* now only the new one will do */
    }
    mp_state_file_close(file);
    finish();
}

int main(void) {
    if (getenv("MP_SPEC_NUMBERS")) /* where each takes long */
        ways = 2;
    RUN(with_power_what_was_synced_is_found);
    RUN(with_process_what_the_kernel_wrote_is_found);
    RUN(with_power_an_adoption_loses_nothing);
    RUN(with_process_an_adoption_loses_nothing);
    RUN(a_sync_that_failed_is_not_believed_the_second_time);
    RUN(a_sync_that_fails_at_the_end_is_not_believed);
    RUN(an_eviction_loses_only_what_it_evicts);
    RUN(a_state_is_the_old_one_or_the_new_one_whole);
    return unit_result();
}
