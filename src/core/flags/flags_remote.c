/* Flags that Mixpanel decides. */
#include "core/flags/flags_state.h"

#include "core/os/clock.h"

#include <stdio.h>
#include <string.h>

/* ---- who wants to know ---- */

mp_err mp_flags_ask(mp_flags *flags, const char *context, size_t len, bool hold,
                    uint64_t *id, bool *wake) {
    mp_flags_lock(flags);
    mp_err err =
        mp_remote_ask(flags->remote, context, len, mp_clock_mono_ms(), id);
    if (err == MP_OK && hold)
        mp_remote_hold(flags->remote, *id);
    *wake = mp_remote_waits(flags->remote);
    mp_flags_unlock(flags);
    return err;
}

void mp_flags_let_go(mp_flags *flags, uint64_t id) {
    mp_flags_lock(flags);
    mp_remote_let_go(flags->remote, id);
    mp_flags_unlock(flags);
}

uint64_t mp_flags_find(mp_flags *flags, const char *context, size_t len) {
    mp_flags_lock(flags);
    uint64_t id = mp_remote_find(flags->remote, context, len);
    mp_flags_unlock(flags);
    return id;
}

bool mp_flags_look(mp_flags *flags, uint64_t id, mp_remote_view *out) {
    mp_flags_lock(flags);
    bool known = mp_remote_look(flags->remote, id, mp_clock_mono_ms(), out);
    mp_flags_unlock(flags);
    return known;
}

bool mp_flags_await_answer(mp_flags *flags, uint64_t id, int64_t deadline_ms,
                           mp_remote_view *out) {
    mp_flags_lock(flags);
    bool known = mp_remote_look(flags->remote, id, mp_clock_mono_ms(), out);
    while (out->pending && mp_wait_until(&flags->wait, deadline_ms)) {
        mp_variants_drop(out->variants);
        known = mp_remote_look(flags->remote, id, mp_clock_mono_ms(), out);
    }
    mp_remote_let_go(flags->remote, id);
    mp_flags_unlock(flags);
    return known;
}

int64_t mp_flags_timeout_ms(mp_flags *flags) {
    mp_flags_lock(flags);
    int64_t ms = mp_remote_configured(flags->remote)->timeout_ms;
    mp_flags_unlock(flags);
    return ms;
}

/* ---- for the sender ---- */

const mp_fetch *mp_flags_next_remote(mp_flags *flags, int64_t now_ms,
                                     int64_t wall_ms) {
    mp_flags_lock(flags);
    const mp_fetch *fetch = mp_remote_next(flags->remote, now_ms, wall_ms);
    mp_flags_unlock(flags);
    return fetch;
}

/* Whether a status says that this context is wrong, and not the server, the
 * credentials or the way there. */
static bool blames_context(int status) {
    return status == 400 || status == 413 || status == 414 || status == 422 ||
           status == 431;
}

static mp_err read_answer(const mp_fetch *fetch, const mp_reply *reply,
                          int64_t wall_ms, mp_variants **variants,
                          char message[MP_MESSAGE]) {
    mp_variants_times times = {mp_remote_asked_ms(fetch), wall_ms};
    if (reply->status == 200)
        return mp_variants_read(reply->len > 0 ? reply->body : "", reply->len,
                                &times, variants, message);
    if (reply->status == 0)
        memcpy(message, reply->failure, MP_MESSAGE);
    else
        mp_flags_describe(fetch->path, reply, message);
    return MP_NETWORK;
}

void mp_flags_handle_answer(mp_flags *flags, const mp_fetch *fetch,
                            const mp_reply *reply, int64_t now_ms,
                            int64_t wall_ms) {
    char message[MP_MESSAGE];
    mp_variants *variants = NULL;
    mp_err err = read_answer(fetch, reply, wall_ms, &variants, message);
    mp_flags_lock(flags);
    if (err == MP_OK) {
        mp_remote_succeed(flags->remote, fetch, variants, now_ms);
    } else {
        mp_remote_fail(flags->remote, fetch, blames_context(reply->status),
                       message, reply->retry_after_ms, now_ms);
        mp_flags_note_error(flags, message, now_ms);
    }
    mp_wait_changed(&flags->wait);
    mp_flags_unlock(flags);
}
