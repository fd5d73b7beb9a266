#include "core/engine/worker.h"

#include <errno.h>

static void run(void *user) {
    mp_worker *worker = user;
    worker->run(worker->user);
    mp_lock_take(&worker->wait.lock);
    worker->ended = true;
    mp_wait_changed(&worker->wait);
    mp_lock_give(&worker->wait.lock);
}

int mp_worker_start(mp_worker *worker, const char *name,
                    void (*work)(void *user), void *user) {
    worker->run = work;
    worker->user = user;
    worker->ended = false;
    if (mp_wait_init(&worker->wait) != MP_OK)
        return ENOMEM;
    int err = mp_thread_start(&worker->thread, name, run, worker);
    if (err != 0)
        mp_wait_destroy(&worker->wait);
    return err;
}

bool mp_worker_await(mp_worker *worker, int64_t deadline_ms) {
    mp_lock_take(&worker->wait.lock);
    while (!worker->ended && mp_wait_until(&worker->wait, deadline_ms))
        continue;
    bool ended = worker->ended;
    mp_lock_give(&worker->wait.lock);
    if (ended)
        mp_thread_join(&worker->thread);
    else
        mp_thread_leave(&worker->thread);
    return ended;
}

void mp_worker_abandon(mp_worker *worker, mp_worker *before) {
    worker->before = before;
}
