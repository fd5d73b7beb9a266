/* Definitions from the server and from the file: compiled, put in force,
 * kept. */
#include "core/flags/flags_state.h"

#include "core/os/clock.h"
#include "core/record/parse.h"

#include <stdio.h>
#include <string.h>

enum {
    SOON_MS = 1000, /* until somebody else's first definitions are looked for */
    SHOWN = 120     /* bytes of a reply that a message shows */
};

/* ---- failures ---- */

void mp_flags_note_error(mp_flags *flags, const char *message, int64_t now_ms) {
    snprintf(flags->error, MP_MESSAGE, "%s", message);
    flags->error_ms = now_ms;
}

static void report(mp_flags *flags, const char *message) {
    mp_flags_lock(flags);
    mp_flags_note_error(flags, message, mp_clock_mono_ms());
    mp_flags_unlock(flags);
}

/* The API's own words are {"error": "…"}, if it has any. */
void mp_flags_describe(const char *path, const mp_reply *reply,
                       char message[MP_MESSAGE]) {
    json_error_t why;
    json_t *root =
        reply->len > 0 ? mp_parse(reply->body, reply->len, 0, &why) : NULL;
    const char *error = json_string_value(json_object_get(root, "error"));
    snprintf(message, MP_MESSAGE, "%s: status %d%s%.*s", path, reply->status,
             error ? ": " : "", SHOWN, error ? error : "");
    json_decref(root);
}

/* ---- putting in force ---- */

bool mp_flags_ready(mp_flags *flags) {
    return flags->store.set != NULL;
}

static mp_fnv128 hash_of(const char *text, size_t len) {
    mp_fnv128 hash = mp_fnv128_empty;
    mp_fnv128_add(&hash, text, len);
    return hash;
}

/* Compiles a text unless it is the one in force. MP_INVALID with a message. */
static mp_err use(mp_flags *flags, const char *text, size_t len, bool *same,
                  char message[MP_MESSAGE]) {
    mp_fnv128 hash = hash_of(text, len);
    *same = hash.high == flags->text.high && hash.low == flags->text.low;
    if (*same)
        return MP_OK;
    mp_flag_set *set;
    mp_err err = mp_flag_set_compile(text, len, &set, message);
    if (err != MP_OK)
        return err;
    flags->text = hash;
    mp_flag_store_put(&flags->store, set);
    return MP_OK;
}

static void use_etag(mp_flags *flags, const char *etag, size_t len) {
    size_t i = 0;
    while (i < len && (unsigned char)etag[i] > ' ' && etag[i] != 127)
        i++;
    if (i < len || len >= MP_ETAG) /* no header could carry it back */
        len = 0;
    if (len > 0)
        memcpy(flags->etag, etag, len);
    flags->etag[len] = '\0';
}

/* Says since when the definitions hold; `wall_ms`: of the moment they came. */
static void note_held(mp_flags *flags, int64_t came_ms) {
    int64_t age_ms = mp_clock_wall_ms() - came_ms;
    mp_flags_lock(flags);
    flags->held_ms = mp_clock_mono_ms() - (age_ms > 0 ? age_ms : 0);
    mp_flags_unlock(flags);
}

void mp_flags_load(mp_flags *flags) {
    mp_flag_kept kept = {0};
    char message[MP_MESSAGE] = "out of memory";
    bool same = false;
    mp_err err = mp_flag_keep_load(&flags->keep, flags->token, &kept, message);
    bool any = err == MP_OK && kept.text.len > 0;
    if (any)
        err = use(flags, kept.text.data, kept.text.len, &same, message);
    if (err != MP_OK) {
        report(flags, message);
    } else if (any) {
        use_etag(flags, kept.etag.data, kept.etag.len);
        note_held(flags, kept.time_ms);
    }
    mp_flag_kept_free(&kept);
}

static void keep(mp_flags *flags, const mp_reply *reply, int64_t wall_ms) {
    char message[MP_MESSAGE] = "out of memory";
    mp_flag_kept kept = {.time_ms = wall_ms};
    mp_buf_add(&kept.text, reply->body, reply->len);
    mp_buf_puts(&kept.etag, flags->etag);
    if (kept.text.err || kept.etag.err ||
        mp_flag_keep_save(&flags->keep, flags->token, &kept, message) != MP_OK)
        report(flags, message);
    mp_flag_kept_free(&kept);
}

/* ---- for the sender ---- */

/* What another process has fetched. */
static void follow(mp_flags *flags, int64_t now_ms) {
    if (mp_flag_keep_changed(&flags->keep))
        mp_flags_load(flags);
    mp_flags_lock(flags);
    mp_flag_poll_rest(&flags->poll, now_ms);
    if (!mp_flags_ready(flags))
        flags->poll.due_ms = now_ms + SOON_MS;
    mp_flags_unlock(flags);
}

/* Whether something is due; `refresh`: whoever else asks. */
static bool is_due(mp_flags *flags, int64_t now_ms, bool *refresh,
                   bool *wanted) {
    mp_flags_lock(flags);
    bool due = mp_flag_poll_due(&flags->poll) <= now_ms;
    *refresh = flags->poll.refresh;
    *wanted = flags->poll.wanted || flags->poll.refresh;
    mp_flags_unlock(flags);
    return due;
}

const mp_fetch *mp_flags_next(mp_flags *flags, int64_t now_ms,
                              int64_t *next_ms) {
    char message[MP_MESSAGE] = "";
    bool refresh, wanted, now = is_due(flags, now_ms, &refresh, &wanted);
    if (!wanted)
        mp_flag_keep_resign(&flags->keep);
    if (now && !mp_flag_keep_leads(&flags->keep, message) && !refresh) {
        follow(flags, now_ms);
        now = false;
    }
    if (message[0])
        report(flags, message);
    mp_flags_lock(flags);
    if (now) {
        flags->poll.under_way = true;
        flags->poll.refresh = false;
        flags->begun++;
    }
    *next_ms = mp_flag_poll_due(&flags->poll);
    mp_flags_unlock(flags);
    return now ? &flags->fetch : NULL;
}

/* Takes what the server said. MP_INVALID with a message: it is no use. */
static mp_err read_reply(mp_flags *flags, const mp_reply *reply,
                         int64_t wall_ms, char message[MP_MESSAGE]) {
    bool same = false;
    if (reply->status == 304 && flags->etag[0])
        return MP_OK;
    if (reply->status == 0) {
        memcpy(message, reply->failure, MP_MESSAGE);
        return MP_NETWORK;
    }
    if (reply->status != 200) {
        mp_flags_describe(flags->fetch.path, reply, message);
        return MP_NETWORK;
    }
    mp_err err = use(flags, reply->len > 0 ? reply->body : "", reply->len,
                     &same, message);
    if (err != MP_OK)
        return err;
    use_etag(flags, reply->etag ? reply->etag : "",
             reply->etag ? strlen(reply->etag) : 0);
    if (!same)
        keep(flags, reply, wall_ms);
    return MP_OK;
}

/* The reply to a fetch of definitions. */
static void handle_definitions(mp_flags *flags, const mp_reply *reply,
                               int64_t now_ms, int64_t wall_ms) {
    char message[MP_MESSAGE] = "out of memory";
    mp_err err = read_reply(flags, reply, wall_ms, message);
    if (err == MP_OK)
        note_held(flags, wall_ms);
    mp_flags_lock(flags);
    if (err == MP_OK) {
        mp_flag_poll_succeed(&flags->poll, now_ms);
    } else {
        flags->failures++;
        mp_flags_note_error(flags, message, now_ms);
        mp_flag_poll_fail(&flags->poll, reply->retry_after_ms, now_ms);
    }
    flags->ended++;
    mp_wait_changed(&flags->wait);
    mp_flags_unlock(flags);
}

void mp_flags_handle_reply(mp_flags *flags, const mp_fetch *fetch,
                           const mp_reply *reply, int64_t now_ms,
                           int64_t wall_ms) {
    if (fetch == &flags->fetch)
        handle_definitions(flags, reply, now_ms, wall_ms);
    else
        mp_flags_handle_answer(flags, fetch, reply, now_ms, wall_ms);
}
