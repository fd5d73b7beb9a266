/* What the calls of a user have in common: who they are for, whether they may
 * be, and what a change of the user entails. */
#include "binding/user/user_handle.h"

#include "core/base/json.h"
#include "core/base/text.h"
#include "core/engine/engine.h"
#include "core/user/user_text.h"

/* ---- calls ---- */

mp_user_handle *mp_user_self(lua_State *L) {
    return mp_handle_self(L);
}

bool mp_user_is_gone(const mp_user_handle *self) {
    return self->collected || !self->client->project;
}

mp_consent mp_user_consent(const mp_user_handle *self) {
    return self->file ? mp_state_file_consent(self->file) : self->user.consent;
}

void mp_user_decide(mp_user_handle *self, mp_consent consent) {
    self->user.consent = consent;
    if (consent != MP_CONSENT_REFUSED)
        self->user.forgetful = false;
    if (self->file)
        mp_state_file_decide(self->file, &self->user);
}

bool mp_user_opted_out(const mp_user_handle *self) {
    mp_consent consent = mp_user_consent(self);
    return consent == MP_CONSENT_REFUSED ||
           (consent == MP_CONSENT_UNKNOWN && self->opt_out_by_default);
}

int mp_user_refuse(lua_State *L, const mp_user_handle *self) {
    if (self->collected || self->client->closed)
        return mp_fail_closed(L);
    return 0;
}

int mp_user_refuse_sending(lua_State *L, const mp_user_handle *self) {
    int refused = mp_user_refuse(L, self);
    if (refused == 0 && mp_user_opted_out(self))
        return mp_fail_opted_out(L);
    return refused;
}

int mp_user_result(lua_State *L, mp_err err, const mp_fault *fault) {
    if (err == MP_OK) {
        lua_pushboolean(L, 1);
        return 1;
    }
    if (err != MP_INVALID && err != MP_QUEUE_FULL)
        return mp_fail(L, err, "out of memory");
    lua_pushnil(L);
    mp_fault_push(L, fault, "");
    lua_pushstring(L, mp_err_code(err));
    return 3;
}

/* Copied: Lua 5.1 collects before it makes a string, and a finaliser may
 * change who the user is. */
void mp_user_push_id(lua_State *L, const mp_buf *id) {
    mp_scratch *scratch = mp_scratch_take(L);
    if (mp_buf_add(&scratch->head, id->data, id->len) != MP_OK)
        mp_raise_memory(L);
    if (id->len > 0)
        lua_pushlstring(L, scratch->head.data, scratch->head.len);
    else
        lua_pushnil(L);
    mp_scratch_give(scratch);
}

mp_err mp_user_check_id(const mp_id *id, mp_fault *fault) {
    if (mp_ids_is_device(id->text, id->len))
        return mp_fault_set(fault, "the prefix " MP_DEVICE_PREFIX
                                   " is a device's: it is added to a "
                                   "device_id and stands in no other id");
    return MP_OK;
}

mp_err mp_user_check_timer(const char *name, size_t len, mp_fault *fault) {
    mp_buf json = {0};
    bool repaired = false;
    mp_err err = mp_json_string(&json, name, len, &repaired);
    mp_buf_free(&json);
    const char *wrong =
        strspn(name, " \t\n\v\f\r") == len ? "the name of the event is blank"
        : memchr(name, '\0', len)          ? "there is a zero byte in the name"
        : repaired                         ? "the name is not valid UTF-8"
                                           : NULL;
    return wrong ? mp_fault_set(fault, "%s", wrong) : err;
}

/* ---- what may be on every event ---- */

const char *mp_user_refused_property(const char *name, size_t len) {
    static const char zero[] = "\\u0000", had[] = "$had_persisted_distinct_id";
    mp_reserved reserved = mp_reserved_find(name, len);
    if (reserved == MP_TOKEN)
        return "the token is the client's, always";
    if (reserved == MP_TIME || reserved == MP_INSERT_ID_KEY)
        return "this belongs to each event, not to all events of a user";
    if (reserved == MP_DISTINCT_ID || reserved == MP_OTHER_ID ||
        (len == sizeof had - 1 && memcmp(name, had, len) == 0))
        return "the ids are the user's: see identify, alias and reset";
    if (mp_text_find(name, len, zero, sizeof zero - 1))
        return "there is a zero byte in the name";
    return NULL;
}

mp_err mp_user_check_properties(const mp_dict *dict, mp_fault *fault) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < dict->count; i++)
        bytes += dict->pairs[i].name_len + dict->pairs[i].len;
    if (dict->count > MP_USER_PROPERTIES_MAX)
        return mp_fault_set(fault, MP_USER_TOO_MANY, MP_USER_PROPERTIES_MAX);
    if (bytes > MP_RECORD_MAX)
        return mp_fault_set(fault,
                            "%zu bytes of super properties; an event takes at "
                            "most %d",
                            bytes, MP_RECORD_MAX);
    return MP_OK;
}

/* ---- changes ---- */

/* Appends the state, with the consent that holds, and notes it for all who
 * have the same file. */
static mp_err note(mp_user_handle *self, mp_buf *text) {
    mp_err err;
    do {
        mp_buf_rewind(text, 0);
        mp_state_file_get(self->file, &self->user);
        err = mp_user_write(&self->user, text);
    } while (err == MP_OK && !mp_state_file_put(self->file, text, &err));
    return err;
}

/* What fails for want of memory stays unsaved, and the next change or event
 * tries again. */
void mp_user_save(mp_user_handle *self) {
    mp_buf text = {0};
    if (!self->path || !self->client->project) {
        self->unsaved = self->unsaved && self->path;
        return;
    }
    mp_err err = note(self, &text);
    if (err == MP_OK)
        err = mp_engine_save(self->client->project, self->file);
    mp_buf_free(&text);
    self->unsaved = err != MP_OK;
}

void mp_user_changed(mp_user_handle *self) {
    self->defaults = NULL;
    mp_user_save(self);
}

void mp_user_replace(mp_user_handle *self, mp_ids *ids) {
    if (self->user.pending.count > 0)
        mp_project_count_pending_dropped(self->client->project,
                                         self->user.pending.count);
    mp_user_become(&self->user, ids);
    mp_user_flags_forget(self);
}

mp_err mp_user_reset(mp_user_handle *self) {
    mp_ids ids = {0};
    mp_err err = mp_ids_of_new_device(&ids);
    if (err != MP_OK) {
        mp_ids_free(&ids);
        return err;
    }
    mp_user_replace(self, &ids);
    mp_user_changed(self);
    mp_user_flags_ask(self);
    return MP_OK;
}
