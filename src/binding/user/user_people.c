/* The profile of a user: updates without an id, held until there is one. */
#include "binding/user/user_handle.h"

#include "binding/profile/update.h"

#include "core/base/json.h"
#include "core/engine/engine.h"
#include "core/record/line.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- records ---- */

static void put_id(mp_buf *out, const char *name, const mp_buf *id) {
    bool repaired;
    if (id->len == 0)
        return;
    mp_buf_puts(out, name);
    mp_json_string(out, id->data, id->len, &repaired);
}

mp_err mp_user_people_head(const mp_user_handle *self, mp_buf *out) {
    const mp_ids *ids = &self->user.ids;
    mp_buf_puts(out, "{\"$token\":\"");
    mp_buf_puts(out, mp_project_config(self->client->project)->token);
    put_id(out, "\",\"$distinct_id\":", &ids->distinct_id);
    put_id(out, ",\"$device_id\":", &ids->device_id);
    put_id(out, ",\"$user_id\":", &ids->user_id);
    if (ids->had_distinct_id)
        mp_buf_puts(out, ",\"$had_persisted_distinct_id\":true");
    return out->err;
}

mp_err mp_user_people_no_ip(const mp_user_handle *self, mp_buf *out) {
    bool geolocate = mp_project_geolocate(self->client->project);
    return mp_buf_puts(out, geolocate ? "" : MP_PROFILE_NO_IP);
}

uint32_t mp_user_ordering_key(const mp_user_handle *self) {
    const mp_buf *id = &self->user.ids.distinct_id;
    return mp_line_ordering_key(MP_ORDERING_KEY, id->data, id->len);
}

/* ---- holding and releasing ---- */

static mp_err add_pending(mp_user_handle *self, const mp_record *record,
                          bool has_ip, mp_fault *fault) {
    const mp_pending_update update = {
        .body = record->body,
        .len = record->body_len,
        .kind = record->kind,
        .has_ip = has_ip,
        .repaired = record->repaired,
    };
    mp_err err = mp_pending_add(&self->user.pending, &update);
    if (err == MP_OK) {
        mp_user_save(self);
    } else if (err == MP_QUEUE_FULL) {
        mp_fault_start(fault, "people");
        mp_fault_set(fault,
                     "%u updates wait for identify already: at most %d, or %d "
                     "bytes, are held",
                     self->user.pending.count, MP_PENDING_MAX,
                     MP_PENDING_BYTES);
    }
    return err;
}

/* The records of all pending updates; each points to one of two heads. */
static mp_record *make_records(const mp_user_handle *self, mp_buf *head,
                               size_t *plain_len) {
    const mp_pending *pending = &self->user.pending;
    bool geolocate = mp_project_geolocate(self->client->project);
    mp_record *records = calloc(pending->count, sizeof *records);
    if (!records || mp_user_people_head(self, head) != MP_OK)
        goto fail;
    *plain_len = head->len;
    if (mp_buf_puts(head, MP_PROFILE_NO_IP) != MP_OK)
        goto fail;
    for (uint32_t i = 0; i < pending->count; i++) {
        const mp_pending_update *update = &pending->updates[i];
        records[i] = (mp_record){
            .head = head->data,
            .head_len = update->has_ip || geolocate ? *plain_len : head->len,
            .body = update->body,
            .body_len = update->len,
            .ordering_key = mp_user_ordering_key(self),
            .repaired = update->repaired,
            .kind = update->kind,
        };
    }
    return records;
fail:
    free(records);
    return NULL;
}

mp_err mp_user_people_release(mp_user_handle *self) {
    mp_buf head = {0};
    size_t plain_len = 0;
    mp_pending *pending = &self->user.pending;
    if (!self->user.identified || pending->count == 0)
        return MP_OK;
    mp_record *records = make_records(self, &head, &plain_len);
    mp_err err = MP_MEMORY;
    if (records)
        err = mp_engine_push(self->client->project, MP_LANE_PEOPLE, records,
                             pending->count);
    free(records);
    mp_buf_free(&head);
    if (err == MP_OK) {
        mp_pending_clear(pending);
        mp_user_save(self);
    }
    return err;
}

mp_err mp_user_people_accept(mp_user_handle *self, const mp_record *record,
                             bool has_ip, mp_fault *fault) {
    if (!self->user.identified)
        return add_pending(self, record, has_ip, fault);
    mp_err err = mp_user_people_release(self); /* what was held goes first */
    if (err == MP_OK)
        err = mp_engine_push(self->client->project, MP_LANE_PEOPLE, record, 1);
    if (err == MP_OK && self->unsaved)
        mp_user_save(self);
    return err;
}

/* ---- the calls of update.h ---- */

static mp_user_profile_handle *handle_of(lua_State *L) {
    return lua_touserdata(L, 1);
}

static int refuse(lua_State *L) {
    return mp_user_refuse_sending(L, handle_of(L)->self);
}

static void put_head(mp_update *u) {
    const mp_user_handle *self = handle_of(u->call.e.L)->self;
    if (mp_user_is_gone(self)) {
        mp_encode_note(&u->call.e, MP_CLOSED);
        return;
    }
    u->ordering_key = mp_user_ordering_key(self);
    mp_user_people_head(self, u->call.e.out);
    if (!u->given.ip)
        mp_user_people_no_ip(self, u->call.e.out);
}

static mp_err accept(mp_update *u, const mp_record *record) {
    return mp_user_people_accept(handle_of(u->call.e.L)->self, record,
                                 u->given.ip, &u->call.e.fault);
}

static const mp_owner owner = {refuse, put_head, accept};

static const mp_target people = {
    .type = MP_USER_PEOPLE,
    .lane = MP_LANE_PEOPLE,
    .owner = &owner,
};

/* ---- methods ---- */

static int delete_user(lua_State *L) {
    const mp_user_profile_handle *handle = mp_handle_self(L);
    int refused = mp_user_refuse_sending(L, handle->self);
    if (refused > 0)
        return refused;
    if (!handle->self->user.identified)
        return mp_fail(L, MP_INVALID,
                       "delete_user: nobody is identified, so there is no "
                       "profile to delete: call identify first");
    return mp_update_delete(L);
}

/* (update[, modifiers]) */
static int update_any(lua_State *L) {
    const mp_user_profile_handle *handle = mp_handle_self(L);
    if (lua_istable(L, 2) && !handle->self->user.identified) {
        lua_pushliteral(L, "$delete");
        lua_rawget(L, 2);
        bool deletes = !lua_isnil(L, -1);
        lua_pop(L, 1);
        if (deletes)
            return delete_user(L);
    }
    return mp_update_any(L);
}

const luaL_Reg mp_user_people_methods[] = {
    {"delete_user", delete_user},
    {"update", update_any},
    {NULL, NULL},
};

void mp_user_people_push(lua_State *L, int index, int client) {
    mp_user_profile_handle *handle =
        mp_update_push(L, &people, sizeof *handle, client);
    handle->self = lua_touserdata(L, index);
    mp_lua_getuser(L, -1);
    lua_pushvalue(L, index);
    lua_rawseti(L, -2, 2);
    lua_pop(L, 1);
}
