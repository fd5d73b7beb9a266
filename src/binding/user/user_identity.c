/* Who the user is: identify, alias, reset. */
#include "binding/user/user_handle.h"

#include "core/engine/engine.h"

/* ---- events of identity ---- */

/* One or two events in the making, one behind the other in the head of the
 * scratch, so that both are queued or none. */
typedef struct sending {
    mp_user_handle *self;
    mp_call call;
    mp_record records[2];
    size_t n;
} sending;

static void start(sending *s, lua_State *L, mp_user_handle *self) {
    luaL_checkstack(L, 16, NULL);
    s->self = self;
    mp_call_begin(&s->call, L, self->client, MP_LIST_MAX, "event");
    s->n = 0;
}

static void put_id(mp_event *event, const char *name, const mp_buf *id) {
    const mp_id text = {.text = id->data, .len = id->len};
    if (id->len > 0)
        mp_event_id(event, name, &text);
}

static mp_err finish(sending *s, mp_event *event) {
    mp_record *record = &s->records[s->n];
    mp_err err = mp_event_finish(event, record);
    if (err != MP_OK)
        return err;
    s->n++;
    return mp_event_keep(s->call.scratch, record);
}

/* Queues the events. */
static mp_err push(sending *s) {
    mp_event_place(s->call.scratch, s->records, s->n);
    return s->n == 0 ? MP_OK
                     : mp_engine_push(s->self->client->project, MP_LANE_EVENTS,
                                      s->records, s->n);
}

static void begin(sending *s, mp_event *event, const char *name) {
    mp_user_begin(s->self, event, &s->call, name, strlen(name));
}

/* ---- $identify ---- */

/* The properties that make `next` of the ids `now`. What is the same is
 * among those that every event of the user carries. */
static void put_identify(mp_event *event, const mp_ids *now,
                         const mp_ids *next) {
    put_id(event, "distinct_id", &next->user_id);
    put_id(event, "$anon_distinct_id", &now->distinct_id);
    put_id(event, "$device_id", &next->device_id);
    put_id(event, "$user_id", &next->user_id);
    if (next->had_distinct_id && !now->had_distinct_id)
        mp_event_raw(event, "$had_persisted_distinct_id", "true", 4);
}

/* Sends what was held, and tells what came of it. */
static int release(lua_State *L, mp_user_handle *self) {
    mp_fault fault;
    mp_err err = mp_user_people_release(self);
    mp_fault_start(&fault, "identify");
    if (err == MP_QUEUE_FULL)
        mp_fault_set(&fault,
                     "the id was taken, but the queue is full: %u profile "
                     "updates are still held",
                     self->user.pending.count);
    return mp_user_result(L, err, &fault);
}

static void take(mp_user_handle *self, mp_ids *next) {
    mp_ids_free(&self->user.ids);
    self->user.ids = *next;
    self->user.identified = true;
    mp_user_changed(self);
    mp_user_flags_ask(self);
}

/* Ends the call. Without an error the user has the ids `next` now. */
static bool end(sending *s, mp_err err, mp_ids *next, int *results) {
    if (err != MP_OK) {
        mp_ids_free(next);
        *results = mp_call_end(&s->call, err);
        return false;
    }
    *results = mp_call_end(&s->call, MP_OK);
    take(s->self, next);
    return true;
}

static bool is_disabled(const mp_user_handle *self, const char *name) {
    return mp_user_is_disabled(self, name, strlen(name));
}

/* A new id. It is taken also when nothing may be sent: events that are sent
 * later, after opting in, are of whom it names. */
static int identify_new(lua_State *L, mp_user_handle *self, const mp_id *id) {
    sending s;
    mp_event event;
    mp_ids next = {0};
    int results;
    start(&s, L, self);
    begin(&s, &event, "$identify");
    mp_encode_note(&s.call.e, mp_ids_identified(&next, &self->user.ids,
                                                id->text, id->len));
    put_identify(&event, &self->user.ids, &next);
    mp_err err = finish(&s, &event);
    bool out = mp_user_opted_out(self);
    if (err == MP_OK && !out && !is_disabled(self, "$identify"))
        err = push(&s);
    if (!end(&s, err, &next, &results))
        return results;
    if (out)
        return mp_fail(L, MP_OPTED_OUT,
                       "this user has opted out: the id was taken, nothing "
                       "was sent");
    return release(L, self);
}

/* The id that the user has already, or none: what was held is of the profile
 * of this id. */
static int identify_same(lua_State *L, mp_user_handle *self) {
    if (!self->user.identified) {
        self->user.identified = true;
        mp_user_changed(self);
    }
    if (!mp_user_opted_out(self))
        return release(L, self);
    lua_pushboolean(L, 1);
    return 1;
}

/* ([id]) */
static int identify(lua_State *L) {
    mp_id id = {.text = NULL};
    mp_fault fault;
    mp_user_handle *self = mp_user_self(L);
    bool none = lua_isnoneornil(L, 2);
    if (!none)
        mp_id_check(L, 2, "id");
    mp_fault_start(&fault, "id");
    mp_err err = none ? MP_OK : mp_id_argument(L, 2, &id, &fault);
    int refused = mp_user_refuse(L, self);
    if (refused > 0)
        return refused;
    if (err != MP_OK)
        return mp_user_result(L, err, &fault);
    const mp_ids *ids = &self->user.ids;
    if (none || mp_ids_equal(&ids->distinct_id, id.text, id.len) ||
        mp_ids_equal(&ids->alias, id.text, id.len))
        return identify_same(L, self);
    err = mp_user_check_id(&id, &fault);
    if (err != MP_OK)
        return mp_user_result(L, err, &fault);
    return identify_new(L, self, &id);
}

/* ---- alias ---- */

/* What alias(alias, original) sends before it identifies. */
static void put_alias(mp_event *event, const mp_ids *now, const mp_id *alias,
                      const mp_id *original) {
    const mp_buf *id = &now->distinct_id;
    const mp_id current = {.text = id->data, .len = id->len};
    mp_event_id(event, "alias", alias);
    mp_event_id(event, "distinct_id", original->len > 0 ? original : &current);
}

/* Reads the alias at argument 2 and, if it is given, the original at 3. */
static mp_err read_alias(lua_State *L, mp_id ids[2], bool given,
                         mp_fault *fault) {
    mp_fault_start(fault, "alias");
    mp_err err = mp_id_argument(L, 2, &ids[0], fault);
    if (err != MP_OK || !given)
        return err;
    fault->root = "original";
    return mp_id_argument(L, 3, &ids[1], fault);
}

static mp_err check_alias(const mp_user_handle *self, const mp_id *alias,
                          const mp_id *original, mp_fault *fault) {
    fault->root = "alias";
    mp_err err = mp_user_check_id(alias, fault);
    if (err != MP_OK)
        return err;
    if (mp_ids_equal(&self->user.ids.distinct_id, alias->text, alias->len) ||
        (original->len == alias->len &&
         memcmp(original->text, alias->text, alias->len) == 0))
        return mp_fault_set(fault, "this is the id that it is to be an alias "
                                   "of");
    return MP_OK;
}

static int send_alias(lua_State *L, mp_user_handle *self, const mp_id *alias,
                      const mp_id *original) {
    sending s;
    mp_event event;
    mp_ids next = {0};
    int results;
    start(&s, L, self);
    begin(&s, &event, "$create_alias");
    put_alias(&event, &self->user.ids, alias, original);
    mp_err err = finish(&s, &event);
    if (err != MP_OK)
        return mp_call_end(&s.call, err);
    begin(&s, &event, "$identify"); /* as a rule without allocating */
    mp_encode_note(&s.call.e, mp_ids_aliased(&next, &self->user.ids,
                                             alias->text, alias->len));
    put_identify(&event, &self->user.ids, &next);
    err = finish(&s, &event);
    if (err == MP_OK && !self->silent)
        err = push(&s);
    return end(&s, err, &next, &results) ? release(L, self) : results;
}

/* (alias[, original]) */
static int alias(lua_State *L) {
    mp_id ids[2] = {{.text = NULL}, {.text = NULL}};
    mp_fault fault;
    mp_user_handle *self = mp_user_self(L);
    mp_id_check(L, 2, "alias");
    bool given = !lua_isnoneornil(L, 3);
    if (given)
        mp_id_check(L, 3, "original");
    mp_err err = read_alias(L, ids, given, &fault);
    int refused = mp_user_refuse_sending(L, self);
    if (refused > 0)
        return refused;
    if (err == MP_OK)
        err = check_alias(self, &ids[0], &ids[1], &fault);
    return err == MP_OK ? send_alias(L, self, &ids[0], &ids[1])
                        : mp_user_result(L, err, &fault);
}

/* ---- reset ---- */

static int reset(lua_State *L) {
    mp_user_handle *self = mp_user_self(L);
    int refused = mp_user_refuse(L, self);
    if (refused > 0)
        return refused;
    mp_err err = mp_user_reset(self);
    return mp_user_result(L, err, NULL);
}

static int get_distinct_id(lua_State *L) {
    mp_user_push_id(L, &mp_user_self(L)->user.ids.distinct_id);
    return 1;
}

static int get_device_id(lua_State *L) {
    mp_user_push_id(L, &mp_user_self(L)->user.ids.device_id);
    return 1;
}

const luaL_Reg mp_user_identity[] = {
    {"identify", identify},
    {"alias", alias},
    {"reset", reset},
    {"get_distinct_id", get_distinct_id},
    {"get_device_id", get_device_id},
    {NULL, NULL},
};
