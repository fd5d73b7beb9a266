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

uint64_t mp_user_ordering_key(const mp_user_handle *self) {
    const mp_buf *id = &self->user.ids.distinct_id;
    return mp_line_ordering_key(mp_line_ordering_seed(), id->data, id->len);
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

/* Pending updates in the making of records: two heads, of which each has one,
 * and bodies, if some properties are never sent. */
typedef struct releasing {
    mp_record *records;
    size_t n, plain_len;
    mp_buf heads, bodies;
} releasing;

static void free_releasing(releasing *r) {
    free(r->records);
    mp_buf_free(&r->heads);
    mp_buf_free(&r->bodies);
}

static mp_err make_heads(releasing *r, const mp_user_handle *self) {
    mp_user_people_head(self, &r->heads);
    r->plain_len = r->heads.len;
    return mp_buf_puts(&r->heads, MP_PROFILE_NO_IP);
}

/* The update's record, but for a body that was filtered: it may still move. */
static void add_record(releasing *r, const mp_user_handle *self,
                       const mp_pending_update *update, size_t body_len) {
    bool plain = update->has_ip || mp_project_geolocate(self->client->project);
    r->records[r->n++] = (mp_record){
        .head = r->heads.data,
        .head_len = plain ? r->plain_len : r->heads.len,
        .body = update->body,
        .body_len = body_len,
        .ordering_key = mp_user_ordering_key(self),
        .repaired = update->repaired,
        .kind = update->kind,
    };
}

static mp_err add_filtered(releasing *r, const mp_user_handle *self,
                           const mp_dict *excluded) {
    const mp_pending *pending = &self->user.pending;
    for (uint32_t i = 0; i < pending->count; i++) {
        size_t start = r->bodies.len;
        mp_pending_filter(&pending->updates[i], excluded, &r->bodies);
        if (r->bodies.len > start)
            add_record(r, self, &pending->updates[i], r->bodies.len - start);
    }
    const char *body = r->bodies.data;
    for (size_t i = 0; i < r->n; body += r->records[i++].body_len)
        r->records[i].body = body;
    return r->bodies.err;
}

/* Makes the records of all pending updates. What the client excludes may have
 * been held before it did. MP_MEMORY. */
static mp_err make_records(releasing *r, const mp_user_handle *self) {
    const mp_pending *pending = &self->user.pending;
    const mp_dict *excluded = mp_defaults_excluded(self->client->defaults);
    r->records = calloc(pending->count, sizeof *r->records);
    if (!r->records || make_heads(r, self) != MP_OK)
        return MP_MEMORY;
    if (excluded)
        return add_filtered(r, self, excluded);
    for (uint32_t i = 0; i < pending->count; i++)
        add_record(r, self, &pending->updates[i], pending->updates[i].len);
    return MP_OK;
}

mp_err mp_user_people_release(mp_user_handle *self) {
    mp_pending *pending = &self->user.pending;
    releasing r = {.records = NULL};
    if (!self->user.identified || pending->count == 0)
        return MP_OK;
    mp_err err = make_records(&r, self);
    if (err == MP_OK && r.n > 0)
        err = mp_engine_push(self->client->project, MP_LANE_PEOPLE, r.records,
                             r.n);
    free_releasing(&r);
    if (err != MP_OK)
        return err;
    mp_pending_clear(pending);
    mp_user_save(self);
    return MP_OK;
}

mp_err mp_user_people_accept(mp_user_handle *self, const mp_record *record,
                             bool has_ip, mp_fault *fault) {
    if (!self->user.identified)
        return add_pending(self, record, has_ip, fault);
    mp_err err = mp_user_people_release(self); /* what was held goes first */
    if (err != MP_OK)
        return err;
    err = mp_engine_push(self->client->project, MP_LANE_PEOPLE, record, 1);
    if (self->unsaved)
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
