/* What the files of the flags share and nobody else sees. */
#ifndef MP_FLAGS_STATE_H
#define MP_FLAGS_STATE_H

#include "core/flags/flag_keep.h"
#include "core/flags/flag_poll.h"
#include "core/flags/flag_store.h"
#include "core/flags/flags.h"
#include "core/flags/remote.h"
#include "core/os/wait.h"

#include <stdatomic.h>

typedef enum mp_flags_loading {
    MP_FLAGS_NOT_LOADED,
    MP_FLAGS_LOADING, /* a thread reads what was kept */
    MP_FLAGS_LOADED
} mp_flags_loading;

struct mp_flags {
    char *token;
    mp_flag_store store;
    atomic_bool attended;
    atomic_ullong evaluations, rule_errors;
    atomic_ullong exposures_reported, exposures_failed;
    atomic_ullong fallbacks[MP_FLAG_REASONS];

    mp_wait wait; /* its lock guards what follows; order: before the store's */
    uint32_t users;
    bool stopped; /* by mp_flags_stop */
    mp_flags_loading loading;
    mp_flag_poll poll;
    uint64_t begun, ended; /* fetches; a change of `ended` wakes */
    uint64_t failures;
    int64_t held_ms; /* when the server last said that the definitions hold */
    mp_exposures *exposures;
    mp_remote *remote;
    int64_t error_ms;
    char error[MP_MESSAGE];

    /* What belongs to whoever fetches and, before there is anything to fetch,
     * to whoever loads. */
    mp_flag_keep keep;
    mp_fetch fetch;
    char etag[MP_ETAG]; /* of the definitions in force; "": none */
    mp_fnv128 text;     /* hash of the definitions in force */
};

void mp_flags_lock(mp_flags *flags);
void mp_flags_unlock(mp_flags *flags);

/* True if there are definitions. */
bool mp_flags_ready(mp_flags *flags);

/* With the lock held. */
void mp_flags_note_error(mp_flags *flags, const char *message, int64_t now_ms);

/* Writes what the status of a reply says, with the API's own words. */
void mp_flags_describe(const char *path, const mp_reply *reply,
                       char message[MP_MESSAGE]);

/* Takes the reply to what mp_flags_next_remote gave. No lock held. */
void mp_flags_handle_answer(mp_flags *flags, const mp_fetch *fetch,
                            const mp_reply *reply, int64_t now_ms,
                            int64_t wall_ms);

/* Puts what was kept in force. No lock held. */
void mp_flags_load(mp_flags *flags);

#endif
