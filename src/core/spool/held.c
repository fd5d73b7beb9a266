#include "core/spool/held.h"

#include <stddef.h>

bool mp_held_has_room(const mp_held_runs *held) {
    return held->count < MP_HELD_MOST;
}

mp_held *mp_held_keep(mp_held_runs *held, const mp_run *dead) {
    mp_held *free_one = held->runs;
    while (free_one->run.id != 0)
        free_one++;
    free_one->run = *dead;
    free_one->users = 0;
    free_one->anchored = free_one->ordered = false;
    atomic_store(&free_one->id, dead->id);
    held->count++;
    return free_one;
}

void mp_held_forget(mp_held_runs *held, mp_held *run) {
    atomic_store(&run->id, 0);
    run->run = (mp_run){.dir = -1};
    held->count--;
}

mp_held *mp_held_find(mp_held_runs *held, int dir) {
    for (int i = 0; i < MP_HELD_MOST && held->count > 0; i++)
        if (held->runs[i].run.id != 0 && held->runs[i].run.dir == dir)
            return &held->runs[i];
    return NULL;
}

void mp_held_release(mp_held_runs *held, const mp_run_place *place,
                     const mp_held *busy, bool all) {
    for (int i = 0; i < MP_HELD_MOST && held->count > 0; i++) {
        mp_held *one = &held->runs[i];
        if (one->run.id == 0 || one == busy || (one->users > 0 && !all))
            continue;
        if (one->ordered)
            mp_run_unmark(one->run.dir);
        mp_run_end(place, &one->run);
        mp_held_forget(held, one);
    }
}

bool mp_held_is_ordered(const mp_held_runs *held) {
    bool ordered = false;
    for (int i = 0; i < MP_HELD_MOST && held->count > 0; i++)
        ordered |= held->runs[i].run.id != 0 && held->runs[i].ordered;
    return ordered;
}

bool mp_held_has(const mp_held_runs *held, uint64_t id) {
    for (int i = 0; i < MP_HELD_MOST; i++)
        if (atomic_load(&held->runs[i].id) == id)
            return true;
    return false;
}

void mp_held_after_fork_child(mp_held_runs *held) {
    for (int i = 0; i < MP_HELD_MOST; i++)
        if (held->runs[i].run.id != 0)
            mp_held_forget(held, &held->runs[i]);
    held->count = 0; /* whatever the parent was about to do */
}
