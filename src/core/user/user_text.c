#include "core/user/user_text.h"

#include "core/base/json.h"
#include "core/base/num.h"
#include "core/base/text.h"
#include "core/record/operation.h"
#include "core/record/parse.h"
#include "core/record/refused_id.h"

#include <stdio.h>

enum {
    /* Bytes of an id once what is no UTF-8 in it was replaced. */
    LONGEST_ID = (int)sizeof MP_DEVICE_PREFIX + 3 * MP_ID_MAX
};

/* ---- writing ---- */

/* Nothing here asks whether it could write: the buffer remembers. */

static void put_string(mp_buf *out, const char *text, size_t len) {
    bool repaired;
    mp_json_string(out, text, len, &repaired);
}

/* ,"name":"id" unless it is empty. `name` has nothing to escape. */
static void put_id(mp_buf *out, const char *name, const mp_buf *id) {
    if (id->len == 0)
        return;
    mp_buf_puts(out, ",\"");
    mp_buf_puts(out, name);
    mp_buf_puts(out, "\":");
    put_string(out, id->data, id->len);
}

static void put_ids(mp_buf *out, const mp_ids *ids) {
    put_id(out, "distinct_id", &ids->distinct_id);
    put_id(out, "device_id", &ids->device_id);
    put_id(out, "user_id", &ids->user_id);
    put_id(out, "alias", &ids->alias);
    if (ids->had_distinct_id)
        mp_buf_puts(out, ",\"had_distinct_id\":true");
}

/* The names are JSON already. */
static void put_properties(mp_buf *out, const mp_dict *kept) {
    for (uint32_t i = 0; i < kept->count; i++) {
        const mp_pair *pair = &kept->pairs[i];
        mp_buf_puts(out, i == 0 ? ",\"properties\":{\"" : ",\"");
        mp_buf_add(out, pair->name, pair->name_len);
        mp_buf_puts(out, "\":");
        put_string(out, pair->value, pair->len);
    }
    if (kept->count > 0)
        mp_buf_puts(out, "}");
}

static void put_timers(mp_buf *out, const mp_timers *timers) {
    char number[MP_NUM_MAX];
    for (uint32_t i = 0; i < timers->dict.count; i++) {
        const mp_pair *pair = &timers->dict.pairs[i];
        char *end = mp_num_int64(number, mp_timers_get(timers, i).wall_ms);
        mp_buf_puts(out, i == 0 ? ",\"timers\":{" : ",");
        put_string(out, pair->name, pair->name_len);
        mp_buf_puts(out, ":");
        mp_buf_add(out, number, (size_t)(end - number));
    }
    if (timers->dict.count > 0)
        mp_buf_puts(out, "}");
}

static void put_pending(mp_buf *out, const mp_pending *pending) {
    if (pending->count == 0)
        return;
    mp_buf_puts(out, ",\"held\":[");
    mp_buf_add(out, pending->json.data, pending->json.len);
    mp_buf_puts(out, "]");
}

static void put_flags(mp_buf *out, const mp_user *user) {
    char number[MP_NUM_MAX];
    if (user->flags.len == 0)
        return;
    mp_buf_puts(out, ",\"flags_at\":");
    char *end = mp_num_int64(number, user->flags_ms);
    mp_buf_add(out, number, (size_t)(end - number));
    mp_buf_puts(out, ",\"flags\":");
    put_string(out, user->flags.data, user->flags.len);
}

static const char *const consents[] = {
    [MP_CONSENT_UNKNOWN] = "",
    [MP_CONSENT_GIVEN] = ",\"consent\":\"given\"",
    [MP_CONSENT_REFUSED] = ",\"consent\":\"refused\"",
};

mp_err mp_user_write(const mp_user *user, mp_buf *out) {
    char number[MP_NUM_MAX];
    char *end = mp_num_int64(number, MP_USER_TEXT_VERSION);
    mp_buf_puts(out, MP_USER_TEXT_START);
    mp_buf_add(out, number, (size_t)(end - number));
    mp_buf_puts(out, consents[user->consent]);
    if (!user->forgetful) {
        put_ids(out, &user->ids);
        if (user->identified)
            mp_buf_puts(out, ",\"identified\":true");
        put_properties(out, &user->kept);
        put_timers(out, &user->timers);
        put_pending(out, &user->pending);
        put_flags(out, user);
    }
    return mp_buf_puts(out, "}\n");
}

/* ---- reading ---- */

/* A text in the reading. The first failure stays, and the user that was read
 * until then is of no use. */
typedef struct reading {
    const json_t *state;
    mp_user *user;
    char *message; /* MP_MESSAGE bytes; for MP_INVALID */
    mp_err err;
} reading;

/* A member that may be missing, but is not what it should be. */
static void refuse(reading *r, const char *member) {
    if (r->err == MP_OK)
        snprintf(r->message, MP_MESSAGE,
                 "its member \"%s\" is not what it should be", member);
    r->err = r->err ? r->err : MP_INVALID;
}

/* Notes what reading a member came to; false once something failed. */
static bool note(reading *r, const char *member, mp_err err) {
    if (err == MP_MEMORY)
        r->err = err;
    else if (err)
        refuse(r, member);
    return r->err == MP_OK;
}

static void get_id(reading *r, const char *member, mp_buf *id) {
    const json_t *value = json_object_get(r->state, member);
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);
    if (value && (len == 0 || len > LONGEST_ID || mp_refused_id(text, len)))
        refuse(r, member);
    else if (value)
        note(r, member, mp_buf_add(id, text, len));
}

static void get_flag(reading *r, const char *member, bool *flag) {
    const json_t *value = json_object_get(r->state, member);
    if (value && !json_is_boolean(value))
        refuse(r, member);
    *flag = json_is_true(value);
}

static void get_ids(reading *r) {
    mp_ids *ids = &r->user->ids;
    get_id(r, "distinct_id", &ids->distinct_id);
    get_id(r, "device_id", &ids->device_id);
    get_id(r, "user_id", &ids->user_id);
    get_id(r, "alias", &ids->alias);
    get_flag(r, "had_distinct_id", &ids->had_distinct_id);
    get_flag(r, "identified", &r->user->identified);
}

static void get_consent(reading *r) {
    const json_t *value = json_object_get(r->state, "consent");
    const char *text = json_string_value(value);
    if (text && strcmp(text, "given") == 0)
        r->user->consent = MP_CONSENT_GIVEN;
    else if (text && strcmp(text, "refused") == 0)
        r->user->consent = MP_CONSENT_REFUSED;
    else if (value)
        refuse(r, "consent");
}

static void get_version(reading *r) {
    if (json_integer_value(json_object_get(r->state, "version")) !=
        MP_USER_TEXT_VERSION)
        refuse(r, "version");
}

/* MP_INVALID unless the string holds JSON without a line break, as a record
 * must be. */
static mp_err holds_json(const json_t *string) {
    static const size_t flags = JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL;
    const char *text = json_string_value(string);
    size_t len = json_string_length(string);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ')
            return MP_INVALID;
    if (len == 0)
        return MP_INVALID;
    json_error_t why;
    json_t *parsed = mp_parse_any_key(text, len, flags, &why);
    json_decref(parsed);
    return parsed ? MP_OK : mp_parse_failure(&why);
}

/* The same for what parts are taken from, or compared with names and ids: only
 * the spelling that is written here will do. */
static mp_err holds_own_json(const json_t *string) {
    mp_err err = holds_json(string);
    bool own = err == MP_OK && mp_json_is_own(json_string_value(string),
                                              json_string_length(string));
    return err || own ? err : MP_INVALID;
}

static mp_err read_property(mp_dict *kept, const char *key,
                            const json_t *value) {
    mp_err err = holds_own_json(value);
    if (err != MP_OK)
        return err;
    mp_buf name = {0};
    put_string(&name, key, strlen(key));
    err = name.err ? name.err
                   : mp_dict_set(kept, name.data + 1, name.len - 2,
                                 json_string_value(value),
                                 json_string_length(value));
    mp_buf_free(&name);
    return err;
}

/* The member, if it is what each element is to be read from. */
static json_t *open_member(reading *r, const char *member, json_type type) {
    json_t *all = json_object_get(r->state, member);
    if (!all || json_typeof(all) == type)
        return all;
    refuse(r, member);
    return NULL;
}

static void get_properties(reading *r) {
    const char *key;
    json_t *value, *all = open_member(r, "properties", JSON_OBJECT);
    json_object_foreach(all, key, value) {
        if (r->user->kept.count > MP_USER_PROPERTIES_MAX ||
            !note(r, "properties", read_property(&r->user->kept, key, value)))
            break;
    }
}

static mp_err read_timer(mp_timers *timers, const char *key,
                         const json_t *value) {
    mp_timer timer = {json_integer_value(value), INT64_MIN};
    if (!json_is_integer(value) || timer.wall_ms < 0)
        return MP_INVALID;
    return mp_timers_start(timers, key, strlen(key), &timer);
}

static void get_timers(reading *r) {
    const char *key;
    json_t *value, *all = open_member(r, "timers", JSON_OBJECT);
    json_object_foreach(all, key, value) {
        if (!note(r, "timers", read_timer(&r->user->timers, key, value)))
            break;
    }
}

/* Reads from a name in an update, with its quotes, how it may be sent. False:
 * no update that was held has this name. */
static bool classify_name(mp_pending_update *update, const char *quoted,
                          size_t len) {
    if (len < 2)
        return false;
    const char *name = quoted + 1;
    const mp_operation *operation = mp_operation_find(name, len - 2);
    if (!operation || operation->payload == MP_NOTHING) {
        update->has_ip |= len == 5 && memcmp(name, "$ip", 3) == 0;
        return mp_operation_is_modifier(name, len - 2);
    }
    if (operation->kind != MP_PLAIN)
        update->kind = operation->kind;
    return true;
}

/* The same for all of an update. False also for one without names. */
static bool classify(mp_pending_update *update) {
    const char *at = update->body + 1, *end = update->body + update->len - 1;
    bool any = false;
    while (at < end) {
        const char *name_end = mp_json_skip(at, end);
        if (!classify_name(update, at, (size_t)(name_end - at)))
            return false;
        any = true;
        at = name_end < end ? mp_json_skip(name_end + 1, end) + 1 : end;
    }
    return any;
}

static mp_err read_update(mp_pending *pending, const json_t *string) {
    size_t len = json_string_length(string);
    bool fits = len > 0 && len <= MP_RECORD_MAX;
    mp_err err = fits ? holds_own_json(string) : MP_INVALID;
    if (err != MP_OK || json_string_value(string)[0] != '{')
        return err ? err : MP_INVALID;
    mp_buf body = {0};
    err = mp_buf_add(&body, json_string_value(string), len);
    if (body.data) {
        mp_pending_update update = {.body = body.data, .len = len};
        body.data[0] = ',';
        err = classify(&update) ? mp_pending_add(pending, &update) : MP_INVALID;
    }
    mp_buf_free(&body);
    return err;
}

static void get_pending(reading *r) {
    size_t i;
    json_t *value, *all = open_member(r, "held", JSON_ARRAY);
    json_array_foreach(all, i, value) {
        if (!note(r, "held", read_update(&r->user->pending, value)))
            break;
    }
}

static void get_flags(reading *r) {
    const json_t *text = json_object_get(r->state, "flags");
    const json_t *at = json_object_get(r->state, "flags_at");
    mp_buf *flags = &r->user->flags;
    if (!text)
        return;
    mp_err err = json_is_integer(at) ? holds_json(text) : MP_INVALID;
    if (err == MP_OK)
        err = mp_buf_add(flags, json_string_value(text),
                         json_string_length(text));
    r->user->flags_ms = json_integer_value(at);
    note(r, "flags", err);
}

mp_err mp_user_read(mp_user *user, const char *text, size_t len,
                    char message[MP_MESSAGE]) {
    json_error_t why;
    if (mp_user_text_refuses(text, len))
        user->consent = MP_CONSENT_REFUSED; /* whatever the rest is */
    json_t *state =
        mp_parse(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
    if (!state) {
        if (mp_parse_failure(&why) == MP_MEMORY)
            return MP_MEMORY;
        snprintf(message, MP_MESSAGE, "it is no JSON: %s", why.text);
        return MP_INVALID;
    }
    reading r = {.state = state, .user = user, .message = message};
    get_consent(&r);
    get_version(&r);
    get_ids(&r);
    get_properties(&r);
    get_timers(&r);
    get_pending(&r);
    get_flags(&r);
    json_decref(state);
    return r.err;
}
