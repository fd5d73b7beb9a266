#include "core/user/user_text.h"

#include "core/base/json.h"
#include "core/base/num.h"
#include "core/record/operation.h"
#include "core/record/parse.h"

#include <stdio.h>

enum {
    /* Bytes of an id once what is no UTF-8 in it was replaced. */
    LONGEST_ID = (int)sizeof MP_DEVICE_PREFIX + 3 * MP_ID_MAX
};

/* ---- writing ---- */

static mp_err put_string(mp_buf *out, const char *text, size_t len) {
    bool repaired = false;
    return mp_json_string(out, text, len, &repaired);
}

/* ,"name":"id" unless it is empty. `name` has nothing to escape. */
static mp_err put_id(mp_buf *out, const char *name, const mp_buf *id) {
    if (id->len == 0)
        return MP_OK;
    mp_err err = mp_buf_puts(out, ",\"");
    if (err == MP_OK)
        err = mp_buf_puts(out, name);
    if (err == MP_OK)
        err = mp_buf_puts(out, "\":");
    return err == MP_OK ? put_string(out, id->data, id->len) : err;
}

static mp_err put_ids(mp_buf *out, const mp_ids *ids) {
    mp_err err = put_id(out, "distinct_id", &ids->distinct_id);
    if (err == MP_OK)
        err = put_id(out, "device_id", &ids->device_id);
    if (err == MP_OK)
        err = put_id(out, "user_id", &ids->user_id);
    if (err == MP_OK)
        err = put_id(out, "alias", &ids->alias);
    if (err == MP_OK && ids->had_distinct_id)
        err = mp_buf_puts(out, ",\"had_distinct_id\":true");
    return err;
}

/* The names are JSON already. */
static mp_err put_properties(mp_buf *out, const mp_dict *kept) {
    mp_err err = MP_OK;
    for (uint32_t i = 0; err == MP_OK && i < kept->count; i++) {
        const mp_pair *pair = &kept->pairs[i];
        err = mp_buf_puts(out, i == 0 ? ",\"properties\":{\"" : ",\"");
        if (err == MP_OK)
            err = mp_buf_add(out, pair->name, pair->name_len);
        if (err == MP_OK)
            err = mp_buf_puts(out, "\":");
        if (err == MP_OK)
            err = put_string(out, pair->value, pair->len);
    }
    return err == MP_OK && kept->count > 0 ? mp_buf_puts(out, "}") : err;
}

static mp_err put_timers(mp_buf *out, const mp_timers *timers) {
    mp_err err = MP_OK;
    char number[MP_NUM_MAX];
    for (uint32_t i = 0; err == MP_OK && i < timers->dict.count; i++) {
        const mp_pair *pair = &timers->dict.pairs[i];
        char *end = mp_num_int64(number, mp_timers_get(timers, i).wall_ms);
        err = mp_buf_puts(out, i == 0 ? ",\"timers\":{" : ",");
        if (err == MP_OK)
            err = put_string(out, pair->name, pair->name_len);
        if (err == MP_OK)
            err = mp_buf_puts(out, ":");
        if (err == MP_OK)
            err = mp_buf_add(out, number, (size_t)(end - number));
    }
    return err == MP_OK && timers->dict.count > 0 ? mp_buf_puts(out, "}") : err;
}

static mp_err put_pending(mp_buf *out, const mp_pending *pending) {
    if (pending->count == 0)
        return MP_OK;
    mp_err err = mp_buf_puts(out, ",\"held\":[");
    if (err == MP_OK)
        err = mp_buf_add(out, pending->json.data, pending->json.len);
    return err == MP_OK ? mp_buf_puts(out, "]") : err;
}

static const char *const consents[] = {
    [MP_CONSENT_UNKNOWN] = "",
    [MP_CONSENT_GIVEN] = ",\"consent\":\"given\"",
    [MP_CONSENT_REFUSED] = ",\"consent\":\"refused\"",
};

mp_err mp_user_write(const mp_user *user, mp_buf *out) {
    mp_err err = mp_buf_puts(out, "{\"version\":1");
    if (err == MP_OK)
        err = mp_buf_puts(out, consents[user->consent]);
    if (err == MP_OK && !user->forgetful) {
        err = put_ids(out, &user->ids);
        if (err == MP_OK && user->identified)
            err = mp_buf_puts(out, ",\"identified\":true");
        if (err == MP_OK)
            err = put_properties(out, &user->kept);
        if (err == MP_OK)
            err = put_timers(out, &user->timers);
        if (err == MP_OK)
            err = put_pending(out, &user->pending);
    }
    return err == MP_OK ? mp_buf_puts(out, "}\n") : err;
}

/* ---- reading ---- */

/* One that refuses what is not there for a reason: each returns MP_OK for a
 * member that is absent, MP_INVALID with a message for one of another type. */

static mp_err refuse(char message[MP_MESSAGE], const char *member) {
    snprintf(message, MP_MESSAGE, "its member \"%s\" is not what it should be",
             member);
    return MP_INVALID;
}

static mp_err get_id(const json_t *state, const char *member, mp_buf *id,
                     char message[MP_MESSAGE]) {
    const json_t *value = json_object_get(state, member);
    if (!value)
        return MP_OK;
    size_t len = json_string_length(value);
    if (!json_is_string(value) || len == 0 || len > LONGEST_ID)
        return refuse(message, member);
    return mp_buf_add(id, json_string_value(value), len);
}

static mp_err get_flag(const json_t *state, const char *member, bool *flag,
                       char message[MP_MESSAGE]) {
    const json_t *value = json_object_get(state, member);
    if (value && !json_is_boolean(value))
        return refuse(message, member);
    *flag = json_is_true(value);
    return MP_OK;
}

static mp_err get_ids(const json_t *state, mp_user *user,
                      char message[MP_MESSAGE]) {
    mp_ids *ids = &user->ids;
    mp_err err = get_id(state, "distinct_id", &ids->distinct_id, message);
    if (err == MP_OK)
        err = get_id(state, "device_id", &ids->device_id, message);
    if (err == MP_OK)
        err = get_id(state, "user_id", &ids->user_id, message);
    if (err == MP_OK)
        err = get_id(state, "alias", &ids->alias, message);
    if (err == MP_OK)
        err =
            get_flag(state, "had_distinct_id", &ids->had_distinct_id, message);
    return err == MP_OK
               ? get_flag(state, "identified", &user->identified, message)
               : err;
}

static mp_err get_consent(const json_t *state, mp_user *user,
                          char message[MP_MESSAGE]) {
    const json_t *value = json_object_get(state, "consent");
    const char *text = json_string_value(value);
    if (!value)
        return MP_OK;
    if (text && strcmp(text, "given") == 0)
        user->consent = MP_CONSENT_GIVEN;
    else if (text && strcmp(text, "refused") == 0)
        user->consent = MP_CONSENT_REFUSED;
    else
        return refuse(message, "consent");
    return MP_OK;
}

/* MP_INVALID unless the string holds JSON without a line break, as is written
 * here. */
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

static mp_err get_property(mp_user *user, const char *key, const json_t *value,
                           char message[MP_MESSAGE]) {
    mp_buf name = {0};
    mp_err err = holds_json(value);
    if (err != MP_OK)
        return err == MP_MEMORY ? err : refuse(message, "properties");
    err = put_string(&name, key, strlen(key));
    if (err == MP_OK)
        err = mp_dict_set(&user->kept, name.data + 1, name.len - 2,
                          json_string_value(value), json_string_length(value));
    mp_buf_free(&name);
    return err;
}

static mp_err get_properties(const json_t *state, mp_user *user,
                             char message[MP_MESSAGE]) {
    json_t *all = json_object_get(state, "properties");
    const char *key;
    json_t *value;
    mp_err err =
        !all || json_is_object(all) ? MP_OK : refuse(message, "properties");
    if (err != MP_OK)
        return err;
    json_object_foreach(all, key, value) {
        err = get_property(user, key, value, message);
        if (err != MP_OK)
            return err;
    }
    return MP_OK;
}

static mp_err get_timers(const json_t *state, mp_user *user,
                         char message[MP_MESSAGE]) {
    json_t *all = json_object_get(state, "timers");
    const char *key;
    json_t *value;
    if (all && !json_is_object(all))
        return refuse(message, "timers");
    json_object_foreach(all, key, value) {
        mp_timer timer = {json_integer_value(value), INT64_MIN};
        if (!json_is_integer(value) || timer.wall_ms < 0)
            return refuse(message, "timers");
        mp_err err = mp_timers_start(&user->timers, key, strlen(key), &timer);
        if (err != MP_OK)
            return err == MP_MEMORY ? err : refuse(message, "timers");
    }
    return MP_OK;
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

static mp_err get_update(mp_user *user, const json_t *string,
                         char message[MP_MESSAGE]) {
    size_t len = json_string_length(string);
    mp_err err = len > MP_RECORD_MAX ? MP_INVALID : holds_json(string);
    if (err == MP_MEMORY)
        return err;
    if (err != MP_OK || json_string_value(string)[0] != '{')
        return refuse(message, "held");
    mp_buf body = {0};
    err = mp_buf_add(&body, json_string_value(string), len);
    if (err == MP_OK) {
        mp_pending_update update = {.body = body.data, .len = len};
        body.data[0] = ',';
        err = classify(&update) ? mp_pending_add(&user->pending, &update)
                                : refuse(message, "held");
    }
    mp_buf_free(&body);
    return err == MP_QUEUE_FULL ? refuse(message, "held") : err;
}

static mp_err get_pending(const json_t *state, mp_user *user,
                          char message[MP_MESSAGE]) {
    json_t *all = json_object_get(state, "held");
    size_t i;
    json_t *value;
    if (all && !json_is_array(all))
        return refuse(message, "held");
    json_array_foreach(all, i, value) {
        mp_err err = get_update(user, value, message);
        if (err != MP_OK)
            return err;
    }
    return MP_OK;
}

static mp_err get_all(const json_t *state, mp_user *user,
                      char message[MP_MESSAGE]) {
    mp_err err = get_consent(state, user, message); /* whatever the rest is */
    if (err == MP_OK &&
        json_integer_value(json_object_get(state, "version")) != 1)
        err = refuse(message, "version");
    if (err == MP_OK)
        err = get_ids(state, user, message);
    if (err == MP_OK)
        err = get_properties(state, user, message);
    if (err == MP_OK)
        err = get_timers(state, user, message);
    return err == MP_OK ? get_pending(state, user, message) : err;
}

mp_err mp_user_read(mp_user *user, const char *text, size_t len,
                    char message[MP_MESSAGE]) {
    json_error_t why;
    json_t *state =
        mp_parse(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
    if (!state) {
        if (mp_parse_failure(&why) == MP_MEMORY)
            return MP_MEMORY;
        snprintf(message, MP_MESSAGE, "it is no JSON: %s", why.text);
        return MP_INVALID;
    }
    mp_err err = get_all(state, user, message);
    json_decref(state);
    return err;
}
