#include "core/flags/flag_store.h"

mp_err mp_flag_store_init(mp_flag_store *store) {
    store->set = NULL;
    return mp_wait_init(&store->wait);
}

void mp_flag_store_destroy(mp_flag_store *store) {
    mp_flag_set_drop(store->set);
    mp_wait_destroy(&store->wait);
}

mp_flag_set *mp_flag_store_get(mp_flag_store *store) {
    mp_lock_take(&store->wait.lock);
    mp_flag_set *set = store->set ? mp_flag_set_keep(store->set) : NULL;
    mp_lock_give(&store->wait.lock);
    return set;
}

void mp_flag_store_put(mp_flag_store *store, mp_flag_set *set) {
    mp_lock_take(&store->wait.lock);
    mp_flag_set *before = store->set;
    store->set = set;
    mp_wait_changed(&store->wait);
    mp_lock_give(&store->wait.lock);
    mp_flag_set_drop(before);
}

bool mp_flag_store_wait(mp_flag_store *store, int64_t deadline_ms) {
    mp_lock_take(&store->wait.lock);
    while (!store->set && mp_wait_until(&store->wait, deadline_ms))
        ;
    bool any = store->set != NULL;
    mp_lock_give(&store->wait.lock);
    return any;
}

void mp_flag_store_before_fork(mp_flag_store *store) {
    mp_lock_take(&store->wait.lock);
}

void mp_flag_store_in_parent(mp_flag_store *store) {
    mp_lock_give(&store->wait.lock);
}

void mp_flag_store_after_fork_child(mp_flag_store *store) {
    if (store->set)
        mp_flag_set_keep(store->set); /* for good */
    mp_wait_init(&store->wait);       /* nobody waits here */
}
