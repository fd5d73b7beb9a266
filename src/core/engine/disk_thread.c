#include "core/engine/disk_thread.h"

#include "core/engine/round.h"
#include "core/engine/worker.h"
#include "core/os/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

struct mp_disk_thread {
    mp_worker worker;
    mp_round round;
    atomic_llong alone_ms; /* when it ends without the sender; -1: it goes on */
};

static void hand_over(void *user, mp_job *job) {
    mp_disk_thread *disk = user;
    mp_reply none = {.failure = "the process ends"};
    if (!mp_handover_put_ready(disk->round.handover, job))
        mp_round_end(&disk->round, job, &none);
}

static void take_replies(mp_disk_thread *disk) {
    mp_job *job;
    while ((job = mp_handover_take_reply(disk->round.handover)))
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
        mp_handover_sleep(disk->round.handover, due_ms);
}

static bool write_all_saves(mp_project *project, void *user) {
    (void)user;
    mp_project_flush_saves(project);
    mp_project_write_saves(project);
    return true;
}

static void finish(mp_disk_thread *disk) {
    mp_projects *projects = disk->round.projects;
    mp_handover_await_close(disk->round.handover, atomic_load(&disk->alone_ms));
    take_replies(disk);
    mp_turns_each(mp_projects_turns(projects, MP_DISK), write_all_saves, NULL);
    mp_projects_finish(projects);
}

static void run(void *user) {
    mp_disk_thread *disk = user;
    while (!is_over(disk))
        make_round(disk);
    finish(disk);
}

/* ---- for the supervisor ---- */

int mp_disk_thread_start(mp_projects *projects, mp_handover *handover,
                         mp_disk_thread **out) {
    *out = NULL;
    mp_disk_thread *disk = calloc(1, sizeof *disk);
    if (!disk)
        return ENOMEM;
    disk->round = (mp_round){projects, handover, MP_DISK, hand_over, disk};
    atomic_init(&disk->alone_ms, -1);
    int err = mp_worker_start(&disk->worker, "mixpanel-disk", run, disk);
    if (err != 0) {
        free(disk);
        return err;
    }
    *out = disk;
    return 0;
}

void mp_disk_thread_stop(mp_disk_thread *disk, int64_t alone_ms,
                         int64_t deadline_ms) {
    atomic_store(&disk->alone_ms, alone_ms);
    mp_handover_wake(disk->round.handover, MP_DISK);
    mp_worker_await(&disk->worker, deadline_ms);
}

void mp_disk_thread_in_child(mp_disk_thread *disk, mp_disk_thread *before) {
    mp_worker_abandon(&disk->worker, before ? &before->worker : NULL);
}
