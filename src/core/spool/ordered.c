#include "core/spool/ordered.h"

#include "core/os/file.h"

#include <errno.h>

bool mp_ordered_may(mp_ordered *look) {
    char message[MP_MESSAGE];
    mp_run_place place = mp_spool_place(look->spool);
    if (look->denied || look->dying)
        return false;
    if (look->spool->profiles >= 0)
        return true;
    int err = mp_run_lock_profiles(&place, &look->spool->profiles, message);
    if (err != 0 && err != EWOULDBLOCK)
        look->reporter->report(look->reporter->user, message);
    look->denied = err != 0;
    return err == 0;
}

static bool find_ordered(const char *name, void *user) {
    bool *found = user;
    *found = mp_batch_file_is_ordered(name);
    return !*found;
}

bool mp_ordered_admits(mp_ordered *look, int project, const char *name) {
    bool ordered = false;
    int dir;
    if ((look->spool->profiles >= 0 && !look->dying) ||
        mp_file_open_dir(project, name, &dir) != 0)
        return true; /* why it cannot be opened is told when it is locked */
    mp_file_list(dir, find_ordered, &ordered);
    mp_file_close(dir);
    return !ordered || mp_ordered_may(look);
}

void mp_ordered_locked(mp_ordered *look, int project, const char *name,
                       uint64_t run) {
    if (look->spool->profiles >= 0 && !mp_held_has(&look->spool->held, run))
        look->dying |= mp_run_is_marked(project, name);
}
