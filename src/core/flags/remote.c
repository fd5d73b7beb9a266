#include "core/flags/remote_state.h"

#include "core/base/hash.h"
#include "core/base/text.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    FIRST_MS = 1000, /* waited after a failure */
    LONG_MS = 60 * 1000,
    BELIEVED_MS = 60 * 60 * 1000,
    DOUBLED = 16,         /* times, at the most */
    ANSWER_MS = 10 * 1000 /* that Mixpanel has at least, whoever waits less */
};

mp_remote *mp_remote_new(uint64_t seed) {
    mp_remote *remote = calloc(1, sizeof *remote);
    if (remote)
        remote->seed = remote->rng.state = seed;
    return remote;
}

void mp_remote_free(mp_remote *remote) {
    if (!remote)
        return;
    for (uint32_t i = 0; i < remote->count; i++)
        mp_entry_free(remote->slots[i]);
    free(remote->slots);
    free(remote->buckets);
    free(remote);
}

void mp_remote_configure(mp_remote *remote, const mp_remote_options *options) {
    remote->options = *options;
}

const mp_remote_options *mp_remote_configured(const mp_remote *remote) {
    return &remote->options;
}

/* ---- who wants to know ---- */

static bool is_fresh(const mp_remote *remote, const mp_entry *e,
                     int64_t now_ms) {
    return e->variants && now_ms - e->came_ms < remote->options.ttl_ms;
}

static void ask_if_due(mp_remote *remote, mp_entry *e, int64_t now_ms) {
    if (e->state != ENTRY_IDLE)
        return;
    mp_entry_take_out(&remote->used, e);
    if (is_fresh(remote, e, now_ms) || now_ms < e->rests_ms ||
        now_ms < remote->rests_ms) {
        mp_entry_put(&remote->used, e);
        return;
    }
    e->state = ENTRY_QUEUED;
    remote->queued++;
    mp_entry_put(&remote->queue, e);
}

mp_err mp_remote_ask(mp_remote *remote, const char *context, size_t len,
                     int64_t now_ms, uint64_t *id) {
    uint64_t hash = mp_hash(remote->seed, context, len);
    mp_entry *e = mp_entry_find(remote, hash, context, len);
    mp_err err = e ? MP_OK : mp_entry_add(remote, hash, context, len, &e);
    if (err != MP_OK)
        return err;
    ask_if_due(remote, e, now_ms);
    *id = e->id;
    return MP_OK;
}

static mp_entry *entry_of(const mp_remote *remote, uint64_t id) {
    mp_entry *e = mp_entry_at(remote, id);
    return e && e->id == id ? e : NULL;
}

void mp_remote_hold(mp_remote *remote, uint64_t id) {
    mp_entry *e = entry_of(remote, id);
    if (e)
        e->holders++;
}

void mp_remote_let_go(mp_remote *remote, uint64_t id) {
    mp_entry *e = entry_of(remote, id);
    if (e && e->holders > 0) /* none in a child of a process that waited */
        e->holders--;
}

uint64_t mp_remote_find(const mp_remote *remote, const char *context,
                        size_t len) {
    const mp_entry *e = mp_entry_find(
        remote, mp_hash(remote->seed, context, len), context, len);
    return e ? e->id : 0;
}

/* Why there is no newer answer; "": there is nothing to say. */
static const char *failure_of(const mp_remote *remote, const mp_entry *e) {
    if (e->failure)
        return e->failure;
    return e->variants ? "" : remote->failure;
}

bool mp_remote_look(mp_remote *remote, uint64_t id, int64_t now_ms,
                    mp_remote_view *out) {
    static const int64_t kept_ms =
        (int64_t)MP_REMOTE_KEPT_HOURS * 60 * 60 * 1000;
    const mp_entry *e = entry_of(remote, id);
    *out = (mp_remote_view){0};
    if (!e)
        return false;
    out->fresh = is_fresh(remote, e, now_ms);
    out->pending = e->state != ENTRY_IDLE;
    if (e->variants && (out->fresh || now_ms - e->came_ms < kept_ms))
        out->variants = mp_variants_keep(e->variants);
    snprintf(out->failure, MP_MESSAGE, "%s", failure_of(remote, e));
    return true;
}

bool mp_remote_waits(const mp_remote *remote) {
    return remote->queued > 0;
}

/* ---- who asks ---- */

/* Who waits less long finds the answer when he asks again. */
static int64_t fetch_timeout_ms(const mp_remote *remote) {
    int64_t waits_ms = remote->options.timeout_ms;
    return waits_ms > ANSWER_MS ? waits_ms : ANSWER_MS;
}

const mp_fetch *mp_remote_next(mp_remote *remote, int64_t now_ms,
                               int64_t wall_ms) {
    mp_entry *e = remote->queue.oldest;
    if (!e || remote->under_way == MP_REMOTE_AT_ONCE)
        return NULL;
    mp_entry_take_out(&remote->queue, e);
    remote->queued--;
    remote->under_way++;
    remote->requests++;
    e->state = ENTRY_UNDER_WAY;
    e->started_ms = now_ms;
    e->asked_ms = wall_ms;
    e->fetch = (mp_fetch){.path = "/flags",
                          .context = e->context,
                          .most = MP_VARIANTS_BYTES + 1, /* more is noticed */
                          .timeout_ms = fetch_timeout_ms(remote)};
    return &e->fetch;
}

int64_t mp_remote_asked_ms(const mp_fetch *fetch) {
    return ((const mp_entry *)fetch)->asked_ms;
}

/* An entry that is under way is so no more. */
static mp_entry *settle(mp_remote *remote, const mp_fetch *fetch) {
    mp_entry *e = mp_entry_at(remote, ((const mp_entry *)fetch)->id);
    remote->under_way--;
    e->state = ENTRY_IDLE;
    mp_entry_put(&remote->used, e);
    return e;
}

static void set_failure(mp_entry *e, const char *message) {
    free(e->failure);
    e->failure = message ? mp_text_copy(message) : NULL;
}

void mp_remote_succeed(mp_remote *remote, const mp_fetch *fetch,
                       mp_variants *variants, int64_t now_ms) {
    mp_entry *e = settle(remote, fetch);
    mp_variants_drop(e->variants);
    e->variants = variants;
    e->came_ms = now_ms;
    e->failures = 0;
    e->rests_ms = 0;
    set_failure(e, NULL);
    remote->failures_in_a_row = 0;
    remote->rests_ms = 0;
    remote->failure[0] = '\0';
}

/* When to ask again after so many failures in a row before this one. */
static int64_t rest(mp_remote *remote, uint32_t failures,
                    int64_t retry_after_ms, int64_t now_ms) {
    uint32_t doubled = failures < DOUBLED ? failures : DOUBLED;
    int64_t ms = (int64_t)FIRST_MS << doubled;
    double unit = 0.9 + 0.2 * mp_rng_unit(&remote->rng);
    ms = (int64_t)((double)(ms < LONG_MS ? ms : LONG_MS) * unit);
    if (retry_after_ms > BELIEVED_MS)
        retry_after_ms = BELIEVED_MS;
    return now_ms + (ms > retry_after_ms ? ms : retry_after_ms);
}

static void fail_queued(mp_remote *remote, const char *message) {
    while (remote->queue.oldest) {
        mp_entry *e = remote->queue.oldest;
        mp_entry_take_out(&remote->queue, e);
        mp_entry_put(&remote->used, e);
        e->state = ENTRY_IDLE;
        set_failure(e, message);
    }
    remote->queued = 0;
}

void mp_remote_fail(mp_remote *remote, const mp_fetch *fetch, bool alone,
                    const char *message, int64_t retry_after_ms,
                    int64_t now_ms) {
    mp_entry *e = settle(remote, fetch);
    remote->failures++;
    set_failure(e, message);
    if (alone) {
        e->rests_ms = rest(remote, e->failures++, retry_after_ms, now_ms);
        return;
    }
    /* Those that were under way together fail of one cause. */
    if (e->started_ms >= remote->failed_ms || remote->failures_in_a_row == 0)
        remote->rests_ms =
            rest(remote, remote->failures_in_a_row++, retry_after_ms, now_ms);
    remote->failed_ms = now_ms;
    snprintf(remote->failure, MP_MESSAGE, "%s", message);
    fail_queued(remote, message);
}

void mp_remote_stop(mp_remote *remote, const char *message) {
    fail_queued(remote, message);
}

/* ---- of the process ---- */

/* What the parent asks, it gets. */
void mp_remote_in_child(mp_remote *remote) {
    static const char message[] = "the process forked meanwhile";
    fail_queued(remote, message);
    for (uint32_t i = 0; i < remote->count; i++) {
        mp_entry *e = remote->slots[i];
        e->holders = 0;
        if (e->state != ENTRY_UNDER_WAY)
            continue;
        e->state = ENTRY_IDLE;
        mp_entry_put(&remote->used, e);
        set_failure(e, message);
    }
    remote->under_way = 0;
    remote->requests = remote->failures = 0;
    remote->rng.state = remote->rng.state * 2 + 1;
}

void mp_remote_stats_get(const mp_remote *remote, mp_remote_stats *out) {
    *out = (mp_remote_stats){.contexts = remote->count,
                             .pending = remote->queued + remote->under_way,
                             .requests = remote->requests,
                             .failures = remote->failures};
}
