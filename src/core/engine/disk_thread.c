#include "core/engine/disk_thread.h"

#include "core/engine/round.h"
#include "core/os/clock.h"
#include "core/os/thread.h"
#include "core/os/wait.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

struct mp_disk_thread {
    mp_thread thread;
    mp_round round;
    mp_handover *handover;
    atomic_llong alone_ms; /* when it ends without the sender; -1: it goes on */
    struct mp_disk_thread *before; /* in a forked child: abandoned earlier */
    mp_wait wait;                  /* for what follows */
    bool ended;                    /* the thread touches nothing any more */
};

static void hand_over(void *user, mp_job *job) {
    mp_disk_thread *disk = user;
    mp_reply none = {.failure = "the process ends"};
    if (!mp_handover_put_ready(disk->handover, job))
        mp_round_end(&disk->round, job, &none);
}

static void take_replies(mp_disk_thread *disk) {
    mp_job *job;
    while ((job = mp_handover_take_reply(disk->handover)))
        mp_round_end(&disk->round, job, &job->reply);
}

static bool is_over(mp_disk_thread *disk) {
    return atomic_load(&disk->alone_ms) >= 0;
}

static void make_round(mp_disk_thread *disk) {
    take_replies(disk);
    mp_round_take_turns(&disk->round);
    int64_t due_ms = mp_round_due(&disk->round);
    if (due_ms > mp_clock_mono_ms())
        mp_handover_sleep(disk->handover, due_ms);
}

static bool write_all_saves(mp_project *project, void *user) {
    (void)user;
    mp_project_flush_saves(project);
    mp_project_write_saves(project);
    return true;
}

static void finish(mp_disk_thread *disk) {
    mp_projects *projects = disk->round.projects;
    mp_handover_await_close(disk->handover, atomic_load(&disk->alone_ms));
    take_replies(disk);
    mp_turns_each(mp_projects_turns(projects, MP_DISK), write_all_saves, NULL);
    mp_projects_finish(projects);
}

static void run(void *user) {
    mp_disk_thread *disk = user;
    while (!is_over(disk))
        make_round(disk);
    finish(disk);
    mp_lock_take(&disk->wait.lock);
    disk->ended = true;
    mp_wait_changed(&disk->wait);
    mp_lock_give(&disk->wait.lock);
}

/* ---- for the supervisor ---- */

int mp_disk_thread_start(mp_projects *projects, mp_handover *handover,
                         mp_disk_thread **out) {
    *out = NULL;
    mp_disk_thread *disk = calloc(1, sizeof *disk);
    if (!disk || mp_wait_init(&disk->wait) != MP_OK) {
        free(disk);
        return ENOMEM;
    }
    disk->round = (mp_round){projects, handover, MP_DISK, hand_over, disk};
    disk->handover = handover;
    atomic_init(&disk->alone_ms, -1);
    int err = mp_thread_start(&disk->thread, "mixpanel-disk", run, disk);
    if (err != 0) {
        mp_wait_destroy(&disk->wait);
        free(disk);
        return err;
    }
    *out = disk;
    return 0;
}

bool mp_disk_thread_stop(mp_disk_thread *disk, int64_t alone_ms,
                         int64_t deadline_ms) {
    atomic_store(&disk->alone_ms, alone_ms);
    mp_handover_wake(disk->handover, MP_DISK);
    mp_lock_take(&disk->wait.lock);
    while (!disk->ended && mp_wait_until(&disk->wait, deadline_ms))
        continue;
    bool ended = disk->ended;
    mp_lock_give(&disk->wait.lock);
    if (ended)
        mp_thread_join(&disk->thread);
    else
        mp_thread_leave(&disk->thread);
    return ended;
}

void mp_disk_thread_in_child(mp_disk_thread *disk, mp_disk_thread *before) {
    disk->before = before;
}
