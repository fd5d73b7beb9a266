#include "core/flags/flags_state.h"

#include "core/base/text.h"
#include "core/os/clock.h"
#include "core/os/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    POLL_MS = 60 * 1000,
    EXPOSURES = 65536 /* remembered; 48 bytes each once there are that many */
};

/* ---- life ---- */

mp_flags *mp_flags_new(const char *token) {
    mp_flags *flags = calloc(1, sizeof *flags);
    if (!flags)
        return NULL;
    mp_flag_keep_init(&flags->keep);
    flags->fetch.path = "/flags/definitions";
    flags->fetch.etag = flags->etag;
    flags->fetch.most = MP_FLAG_SET_BYTES + 1; /* so that more is noticed */
    flags->poll.interval_ms = POLL_MS;
    flags->poll.rng.state = mp_random_bits();
    flags->token = mp_text_copy(token);
    flags->exposures = mp_exposures_new(EXPOSURES, mp_random_bits());
    flags->remote = mp_remote_new(mp_random_bits());
    if (!flags->token || !flags->exposures || !flags->remote ||
        mp_wait_init(&flags->wait) != MP_OK)
        goto failed;
    if (mp_flag_store_init(&flags->store) == MP_OK)
        return flags;
    mp_wait_destroy(&flags->wait);
failed:
    mp_remote_free(flags->remote);
    mp_exposures_free(flags->exposures);
    free(flags->token);
    free(flags);
    return NULL;
}

void mp_flags_free(mp_flags *flags) {
    if (!flags)
        return;
    mp_flag_keep_free(&flags->keep);
    mp_flag_store_destroy(&flags->store);
    mp_exposures_free(flags->exposures);
    mp_remote_free(flags->remote);
    mp_wait_destroy(&flags->wait);
    free(flags->token);
    free(flags);
}

void mp_flags_lock(mp_flags *flags) {
    mp_lock_take(&flags->wait.lock);
}

void mp_flags_unlock(mp_flags *flags) {
    mp_lock_give(&flags->wait.lock);
}

void mp_flags_set_trust(mp_flags *flags, mp_trust trust) {
    atomic_store(&flags->keep.trust, trust);
}

/* ---- who uses them ---- */

/* With the lock held: where they are kept, which may be said once. */
static mp_err use_path(mp_flags *flags, const mp_flag_options *options,
                       char message[MP_MESSAGE]) {
    mp_flag_keep *keep = &flags->keep;
    if (!options->path ||
        (keep->path && strcmp(keep->path, options->path) == 0))
        return MP_OK;
    if (keep->path || flags->loading != MP_FLAGS_NOT_LOADED) {
        snprintf(message, MP_MESSAGE,
                 "option 'flags.file': another client of this project keeps "
                 "its definitions %s%.150s",
                 keep->path ? "in " : "nowhere", keep->path ? keep->path : "");
        return MP_INVALID;
    }
    keep->path = mp_text_copy(options->path);
    keep->shared = options->shared;
    return keep->path ? MP_OK : MP_MEMORY;
}

mp_err mp_flags_join(mp_flags *flags, const mp_flag_options *options,
                     char message[MP_MESSAGE]) {
    mp_flags_lock(flags);
    mp_err err = use_path(flags, options, message);
    if (err == MP_OK) {
        flags->users++;
        if (options->local)
            flags->poll.interval_ms = options->poll_ms;
        if (options->remote)
            mp_remote_configure(flags->remote, &options->ask);
    }
    mp_flags_unlock(flags);
    return err;
}

void mp_flags_leave(mp_flags *flags) {
    mp_flags_lock(flags);
    if (--flags->users == 0) {
        flags->poll.wanted = flags->poll.refresh = flags->stopped = false;
        atomic_store(&flags->attended, false);
        mp_remote_stop(flags->remote, "every client with flags is closed");
        mp_wait_changed(&flags->wait);
    }
    mp_flags_unlock(flags);
}

/* ---- what is asked for ---- */

bool mp_flags_attended(const mp_flags *flags) {
    return atomic_load_explicit(&flags->attended, memory_order_relaxed);
}

void mp_flags_attend(mp_flags *flags) {
    atomic_store(&flags->attended, true);
}

bool mp_flags_on_disk(mp_flags *flags) {
    mp_flags_lock(flags);
    bool kept = flags->keep.path != NULL;
    mp_flags_unlock(flags);
    return kept;
}

bool mp_flags_in_memory(mp_flags *flags) {
    mp_flags_lock(flags);
    bool in_memory = !flags->keep.path && flags->loading == MP_FLAGS_LOADED;
    mp_flags_unlock(flags);
    return in_memory;
}

/* With the lock held; released while the file is read. Others wait. */
static void load_once(mp_flags *flags) {
    while (flags->loading == MP_FLAGS_LOADING)
        mp_wait_until(&flags->wait, INT64_MAX);
    if (flags->loading == MP_FLAGS_LOADED)
        return;
    flags->loading = MP_FLAGS_LOADING;
    mp_flags_unlock(flags);
    mp_flags_load(flags);
    mp_flags_lock(flags);
    flags->loading = MP_FLAGS_LOADED;
    mp_wait_changed(&flags->wait);
}

void mp_flags_start(mp_flags *flags) {
    mp_flags_lock(flags);
    load_once(flags);
    if (flags->users > 0 && !flags->stopped && !flags->poll.wanted) {
        flags->poll.wanted = true;
        flags->poll.due_ms = mp_clock_mono_ms();
    }
    mp_flags_unlock(flags);
}

void mp_flags_stop(mp_flags *flags) {
    mp_flags_lock(flags);
    flags->poll.wanted = false;
    flags->stopped = true;
    mp_flags_unlock(flags);
}

void mp_flags_end_stop(mp_flags *flags) {
    mp_flags_lock(flags);
    flags->stopped = false;
    mp_flags_unlock(flags);
}

uint64_t mp_flags_refresh(mp_flags *flags) {
    mp_flags_lock(flags);
    flags->poll.refresh = true;
    uint64_t refresh = flags->begun + 1;
    mp_flags_unlock(flags);
    return refresh;
}

mp_err mp_flags_await(mp_flags *flags, uint64_t refresh, int64_t deadline_ms,
                      char message[MP_MESSAGE]) {
    mp_err err = MP_OK;
    mp_flags_lock(flags);
    while (flags->ended < refresh && mp_wait_until(&flags->wait, deadline_ms))
        continue;
    if (flags->ended < refresh) {
        err = MP_TIMEOUT;
        snprintf(message, MP_MESSAGE,
                 "timeout: the definitions of flags have not come yet");
    } else if (flags->poll.failures > 0) {
        err = MP_NETWORK;
        memcpy(message, flags->error, MP_MESSAGE);
    }
    mp_flags_unlock(flags);
    return err;
}

bool mp_flags_wait(mp_flags *flags, int64_t deadline_ms) {
    return mp_flag_store_wait(&flags->store, deadline_ms);
}

/* ---- decisions ---- */

mp_flag_set *mp_flags_get(mp_flags *flags) {
    return mp_flag_store_get(&flags->store);
}

static void count(atomic_ullong *counter) {
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

void mp_flags_count(mp_flags *flags, mp_flag_reason reason,
                    mp_rule_result fault) {
    count(&flags->evaluations);
    if (reason != MP_FLAG_DECIDED)
        count(&flags->fallbacks[reason]);
    if (fault == MP_RULE_ERROR || fault == MP_RULE_LIMIT)
        count(&flags->rule_errors);
}

bool mp_flags_expose(mp_flags *flags, const mp_exposure *exposure,
                     int64_t now_ms) {
    mp_flags_lock(flags);
    bool fresh = mp_exposures_add(flags->exposures, exposure, now_ms);
    mp_flags_unlock(flags);
    return fresh;
}

void mp_flags_unexpose(mp_flags *flags, const mp_exposure *exposure) {
    mp_flags_lock(flags);
    mp_exposures_remove(flags->exposures, exposure);
    mp_flags_unlock(flags);
}

void mp_flags_count_exposure(mp_flags *flags) {
    count(&flags->exposures_reported);
}

void mp_flags_fail_exposure(mp_flags *flags, const char *code,
                            const char *reason) {
    char message[MP_MESSAGE];
    count(&flags->exposures_failed);
    snprintf(message, sizeof message, "an exposure: %s%s%.180s", code,
             reason[0] ? ": " : "", reason);
    mp_flags_lock(flags);
    mp_flags_note_error(flags, message, mp_clock_mono_ms());
    mp_flags_unlock(flags);
}

static uint64_t counted(const atomic_ullong *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void mp_flags_stats(mp_flags *flags, int64_t now_ms, mp_flag_stats *out) {
    mp_flag_set *set = mp_flags_get(flags);
    *out = (mp_flag_stats){.ready = set != NULL};
    if (set) {
        const char *fault;
        out->count = mp_flag_set_count(set);
        out->faulty = mp_flag_set_faults(set, &fault);
        snprintf(out->fault, sizeof out->fault, "%s", fault);
    }
    mp_flag_set_drop(set);
    out->evaluations = counted(&flags->evaluations);
    out->exposures = counted(&flags->exposures_reported);
    out->exposures_failed = counted(&flags->exposures_failed);
    out->rule_errors = counted(&flags->rule_errors);
    for (int i = 0; i < MP_FLAG_REASONS; i++)
        out->fallbacks[i] = counted(&flags->fallbacks[i]);
    mp_flags_lock(flags);
    out->polls = flags->begun;
    out->failures = flags->failures;
    out->age_ms = now_ms > flags->held_ms ? now_ms - flags->held_ms : 0;
    out->error_age_ms = now_ms > flags->error_ms ? now_ms - flags->error_ms : 0;
    memcpy(out->error, flags->error, sizeof out->error);
    mp_remote_stats_get(flags->remote, &out->remote);
    mp_flags_unlock(flags);
}

/* ---- fork ---- */

void mp_flags_before_fork(mp_flags *flags) {
    mp_flags_lock(flags);
    mp_flag_store_before_fork(&flags->store);
}

void mp_flags_in_parent(mp_flags *flags) {
    mp_flag_store_in_parent(&flags->store);
    mp_flags_unlock(flags);
}

void mp_flags_in_child(mp_flags *flags, int64_t now_ms) {
    mp_flag_store_after_fork_child(&flags->store);
    mp_flag_keep_in_child(&flags->keep);
    /* The parent's sender may have been writing to these. */
    flags->etag[0] = '\0';
    flags->text = mp_fnv128_empty;
    if (flags->loading == MP_FLAGS_LOADING)
        flags->loading = MP_FLAGS_NOT_LOADED;
    flags->poll.under_way = flags->poll.refresh = false;
    flags->poll.rng.state = mp_random_bits();
    mp_remote_in_child(flags->remote);
    if (flags->poll.wanted && mp_flags_ready(flags))
        mp_flag_poll_rest(&flags->poll, now_ms);
    flags->begun = flags->ended = flags->failures = 0;
    flags->error[0] = '\0';
    atomic_store(&flags->attended, false);
    atomic_store(&flags->evaluations, 0);
    atomic_store(&flags->exposures_reported, 0);
    atomic_store(&flags->exposures_failed, 0);
    atomic_store(&flags->rule_errors, 0);
    for (int i = 0; i < MP_FLAG_REASONS; i++)
        atomic_store(&flags->fallbacks[i], 0);
    mp_wait_after_fork_child(&flags->wait);
}
