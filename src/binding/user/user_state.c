/* What is known of a user outlives the process: in a file, or in a table that
 * the host keeps. */
#include "binding/user/user_handle.h"

#include "binding/encode/decode.h"
#include "binding/lua/argument.h"

#include "core/base/text.h"
#include "core/engine/engine.h"
#include "core/os/clock.h"
#include "core/os/file.h"
#include "core/os/path.h"
#include "core/os/syserr.h"
#include "core/user/user_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    MOST = 16 * 1024 * 1024 /* bytes of a state, far above what is written */
};

/* ---- in ---- */

/* Renames what cannot be used, and says so. */
static void quarantine(mp_user_handle *self, const char *why) {
    char message[MP_MESSAGE], text[MP_SYSERR];
    int err = ENOMEM;
    char *aside = mp_text_format("%s.%lld.bad", self->path,
                                 (long long)mp_clock_wall_ms());
    if (aside)
        err = mp_file_rename(MP_FILE_HERE, self->path, MP_FILE_HERE, aside);
    snprintf(message, sizeof message,
             "the state %.100s cannot be used: %.80s; %s%.40s", self->path, why,
             err == 0 ? "it was renamed to end in .bad"
                      : "it could not be renamed: ",
             err == 0 ? "" : mp_syserr_text(err, text));
    free(aside);
    mp_project_report_state(self->client->project, message);
}

/* What was written here holds no property that an event could not carry. */
static mp_err judge(const mp_user *user, char why[MP_MESSAGE]) {
    const mp_dict *kept = &user->kept;
    const char *reason = NULL;
    for (uint32_t i = 0; !reason && i < kept->count; i++)
        reason = mp_user_refused_property(kept->pairs[i].name,
                                          kept->pairs[i].name_len);
    if (kept->count > MP_USER_PROPERTIES_MAX)
        reason = "there are too many";
    if (!reason)
        return MP_OK;
    snprintf(why, MP_MESSAGE, "of its properties: %s", reason);
    return MP_INVALID;
}

/* The same for what holds a refusal: at no time is the file away. */
static void report_refusal(mp_user_handle *self, const char *why) {
    char message[MP_MESSAGE];
    snprintf(message, sizeof message,
             "the state %.100s cannot be used: %.80s; nothing but the refusal "
             "in it is kept",
             self->path, why);
    mp_project_report_state(self->client->project, message);
}

/* MP_INVALID with the reason for a state that cannot be used, MP_MEMORY. */
static mp_err read_state(const mp_buf *text, mp_user *user,
                         char why[MP_MESSAGE]) {
    mp_err err = mp_user_read(user, text->data, text->len, why);
    return err == MP_OK ? judge(user, why) : err;
}

/* A state that cannot be used still says that nothing may be sent. */
static void keep_refusal(mp_user_handle *self, mp_consent consent) {
    if (consent == MP_CONSENT_REFUSED) {
        self->user.consent = MP_CONSENT_REFUSED;
        self->user.forgetful = true;
    }
}

/* A state with nothing but a refusal was told to forget. */
static void accept(mp_user_handle *self, mp_user *user) {
    user->forgetful =
        user->consent == MP_CONSENT_REFUSED && user->ids.distinct_id.len == 0;
    mp_user_free(&self->user);
    self->user = *user;
}

/* Where there is no working directory any more, the path stays as it is. */
static mp_err keep_path(mp_user_handle *self, const char *path) {
    if (mp_path_absolute(path, &self->path) != 0)
        self->path = mp_text_copy(path);
    return self->path ? MP_OK : MP_MEMORY;
}

/* Takes what the text says; of one that cannot be used, MP_INVALID, only that
 * nothing may be sent. */
static mp_err take(mp_user_handle *self, const mp_buf *text,
                   char why[MP_MESSAGE]) {
    mp_user user = {0};
    mp_err err = read_state(text, &user, why);
    if (err == MP_OK)
        accept(self, &user);
    else
        keep_refusal(self, user.consent);
    if (err != MP_OK)
        mp_user_free(&user);
    return err;
}

/* Takes what the text says, or tells why it cannot be used. MP_MEMORY. */
static mp_err use(mp_user_handle *self, const mp_buf *text) {
    char why[MP_MESSAGE] = "";
    mp_err err = take(self, text, why);
    if (err != MP_INVALID)
        return err;
    if (self->user.consent == MP_CONSENT_REFUSED)
        report_refusal(self, why);
    else
        quarantine(self, why);
    self->unsaved = self->user.consent == MP_CONSENT_REFUSED;
    return MP_OK;
}

mp_err mp_user_state_load(mp_user_handle *self, const char *path,
                          char message[MP_MESSAGE]) {
    mp_buf text = {0};
    mp_file_info seen;
    mp_err err = keep_path(self, path);
    if (err != MP_OK)
        return err;
    if (mp_file_look(MP_FILE_HERE, self->path, &seen) == 0 &&
        seen.kind == MP_FILE_OTHER)
        return MP_INVALID;
    self->file = mp_state_file_open(self->path);
    if (!self->file)
        return MP_MEMORY;
    int failed = mp_state_file_read(self->file, MOST, &text);
    if (failed == 0)
        err = use(self, &text);
    mp_buf_free(&text);
    if (failed == ENOMEM || err == MP_MEMORY)
        return MP_MEMORY;
    if (failed != 0 && failed != ENOENT) {
        mp_state_file_describe(self->file, "read", failed, message);
        return MP_STATE;
    }
    mp_state_file_learn(self->file, &self->user);
    mp_state_file_get(self->file, &self->user);
    if (self->unsaved)
        mp_user_save(self); /* no event will */
    return MP_OK;
}

/* The consent of a table that may hold anything else. */
static mp_consent read_consent(lua_State *L, int table) {
    lua_pushliteral(L, "consent");
    lua_rawget(L, table);
    const char *text =
        lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    bool refuses = strcmp(text, "refused") == 0;
    lua_pop(L, 1);
    return refuses ? MP_CONSENT_REFUSED : MP_CONSENT_UNKNOWN;
}

mp_err mp_user_state_import(lua_State *L, mp_user_handle *self, int table) {
    char message[MP_MESSAGE], why[MP_MESSAGE] = "";
    mp_scratch *scratch = mp_scratch_new(L);
    mp_encode e = {.L = L, .out = &scratch->body, .list_max = SIZE_MAX};
    mp_fault_start(&e.fault, "state");
    scratch->body.limit = MOST;
    lua_pushvalue(L, table);
    mp_encode_value(&e, 0);
    lua_pop(L, 1);
    mp_err err = mp_encode_err(&e);
    snprintf(why, sizeof why, "%s", e.fault.reason);
    if (err == MP_OK)
        err = take(self, e.out, why);
    if (err == MP_OK || err == MP_MEMORY)
        return err;
    keep_refusal(self, read_consent(L, table));
    snprintf(message, sizeof message,
             "option 'state': this table cannot be used: %.160s", why);
    if (self->client->project)
        mp_project_report_state(self->client->project, message);
    return MP_OK;
}

/* ---- methods ---- */

/* ([timeout]) */
static int save(lua_State *L) {
    char message[MP_MESSAGE] = "";
    int64_t timeout_ms = 10000;
    mp_user_handle *self = mp_user_self(L);
    if (!lua_isnoneornil(L, 2))
        timeout_ms = mp_argument_timeout(L, 2);
    int refused = mp_user_refuse(L, self);
    if (refused > 0)
        return refused;
    if (!self->path)
        return mp_fail(L, MP_INVALID,
                       "save: this user has no state file: give one as "
                       "option 'state' of mp:user");
    if (self->unsaved)
        mp_user_save(self);
    if (self->unsaved)
        return mp_fail(L, MP_MEMORY, "out of memory");
    mp_err err = mp_engine_await_save(self->client->project, self->file,
                                      timeout_ms, message);
    if (err != MP_OK)
        return mp_fail(L, err, message);
    lua_pushboolean(L, 1);
    return 1;
}

static int export_state(lua_State *L) {
    mp_user_handle *self = mp_user_self(L);
    mp_scratch *scratch = mp_scratch_take(L);
    if (self->file)
        mp_state_file_get(self->file, &self->user);
    if (mp_user_write(&self->user, &scratch->body) != MP_OK)
        mp_raise_memory(L);
    mp_decode_push(L, scratch->body.data, scratch->body.len);
    mp_scratch_give(scratch);
    return 1;
}

const luaL_Reg mp_user_states[] = {
    {"save", save},
    {"export_state", export_state},
    {NULL, NULL},
};
