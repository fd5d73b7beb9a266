/* What Mixpanel decides for a user: asked for, taken, kept in the state. */
#include "binding/user/user_handle.h"

#include "core/base/json.h"
#include "core/engine/engine.h"
#include "core/flags/value_json.h"
#include "core/os/clock.h"

#include <stdlib.h>

enum {
    KEPT = 1024 * 1024, /* bytes of variants that go into a state */
    KEPT_HOURS = 24
};

/* ---- taking ---- */

/* Keeps the variants in the state; none that are too many. */
static void keep(mp_user_handle *self) {
    mp_buf *text = &self->user.flags;
    const mp_variants *variants = self->flags->variants;
    mp_buf_free(text);
    text->limit = KEPT;
    if (mp_value_write(mp_variants_all(variants), text) != MP_OK)
        mp_buf_free(text);
    self->user.flags_ms = mp_variants_when(variants).came_ms;
    mp_user_save(self);
}

/* Takes over the reference. */
static void take(mp_user_handle *self, mp_variants *variants) {
    bool same = variants == self->flags->variants;
    mp_variants_drop(self->flags->variants);
    self->flags->variants = variants;
    if (!same)
        keep(self);
}

/* Takes the answer if it came. False: it is still to come. */
static bool settle(mp_user_handle *self) {
    mp_user_flags *flags = self->flags;
    mp_remote_view view = {0};
    if (flags->request > 0)
        mp_flags_look(self->client->flags, flags->request, &view);
    if (view.pending) {
        mp_variants_drop(view.variants);
        return false;
    }
    flags->current = view.variants && !view.failure[0];
    if (view.variants)
        take(self, view.variants);
    return true;
}

/* ---- asking ---- */

static void put_id(mp_buf *out, const char *name, const mp_buf *id) {
    bool repaired = false;
    if (id->len == 0)
        return;
    mp_buf_puts(out, out->len > 1 ? ",\"" : "\"");
    mp_buf_puts(out, name);
    mp_buf_puts(out, "\":");
    mp_json_string(out, id->data, id->len, &repaired);
}

/* Names of the context's members are JSON text without quotes. */
static mp_err put_context(const mp_user_handle *self, mp_buf *out) {
    const mp_dict *members = &self->flags->context;
    mp_buf_puts(out, "{");
    put_id(out, "distinct_id", &self->user.ids.distinct_id);
    put_id(out, "device_id", &self->user.ids.device_id);
    for (uint32_t i = 0; i < members->count; i++) {
        const mp_pair *pair = &members->pairs[i];
        mp_buf_puts(out, out->len > 1 ? ",\"" : "\"");
        mp_buf_add(out, pair->name, pair->name_len);
        mp_buf_puts(out, "\":");
        mp_buf_add(out, pair->value, pair->len);
    }
    return mp_buf_puts(out, "}");
}

mp_err mp_user_flags_ask(mp_user_handle *self) {
    char message[MP_MESSAGE];
    mp_user_flags *flags = self->flags;
    if (!flags)
        return MP_OK; /* not wanted */
    if (mp_user_is_gone(self) || self->client->closed)
        return MP_CLOSED;
    if (!flags->current)
        settle(self);
    flags->current = false;
    flags->request = 0;
    if (mp_user_opted_out(self))
        return MP_OPTED_OUT;
    mp_buf context = {.limit = MP_REMOTE_CONTEXT};
    mp_err err = put_context(self, &context);
    if (err == MP_OK)
        err = mp_engine_ask_flags(self->client->project, context.data,
                                  context.len, false, &flags->request, message);
    mp_buf_free(&context);
    return err;
}

void mp_user_flags_update(mp_user_handle *self) {
    const mp_user_flags *flags = self->flags;
    if (!flags->current && !mp_user_is_gone(self) && settle(self) &&
        !flags->current)
        mp_user_flags_ask(self);
}

/* ---- life ---- */

/* What the state kept is of use: it is not from tomorrow either. */
static bool is_recent(int64_t came_ms) {
    int64_t age_ms = mp_clock_wall_ms() - came_ms;
    return age_ms >= 0 && age_ms < (int64_t)KEPT_HOURS * 60 * 60 * 1000;
}

static mp_err restore(mp_user_handle *self) {
    mp_buf text = {0};
    char message[MP_MESSAGE];
    const mp_user *user = &self->user;
    mp_variants_times times = {user->flags_ms, user->flags_ms};
    mp_buf_puts(&text, "{\"flags\":");
    mp_buf_add(&text, user->flags.data, user->flags.len);
    mp_err err = mp_buf_puts(&text, "}");
    if (err == MP_OK)
        err = mp_variants_read(text.data, text.len, &times,
                               &self->flags->variants, message);
    mp_buf_free(&text);
    return err == MP_MEMORY ? err : MP_OK;
}

mp_err mp_user_flags_start(mp_user_handle *self) {
    self->flags = calloc(1, sizeof *self->flags);
    if (!self->flags)
        return MP_MEMORY;
    return self->user.flags.len > 0 && is_recent(self->user.flags_ms)
               ? restore(self)
               : MP_OK;
}

void mp_user_flags_forget(mp_user_handle *self) {
    if (!self->flags)
        return;
    mp_variants_drop(self->flags->variants);
    self->flags->variants = NULL;
    self->flags->current = false;
    self->flags->request = 0;
}

void mp_user_flags_free(mp_user_handle *self) {
    if (!self->flags)
        return;
    mp_variants_drop(self->flags->variants);
    mp_dict_clear(&self->flags->context);
    free(self->flags);
    self->flags = NULL;
}
