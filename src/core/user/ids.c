#include "core/user/ids.h"

#include "core/base/json.h"
#include "core/os/rng.h"

static void copy_text(mp_buf *to, const char *text, size_t len) {
    mp_buf_clear(to);
    mp_buf_add(to, text, len);
}

static void copy(mp_buf *to, const mp_buf *from) {
    copy_text(to, from->data, from->len);
}

/* What filling them in came to. */
static mp_err error_of(const mp_ids *ids) {
    return ids->distinct_id.err || ids->device_id.err || ids->user_id.err ||
                   ids->alias.err
               ? MP_MEMORY
               : MP_OK;
}

mp_err mp_ids_of_device(mp_ids *ids, const char *device, size_t len) {
    mp_buf_puts(&ids->distinct_id, MP_DEVICE_PREFIX);
    mp_buf_add(&ids->distinct_id, device, len);
    copy_text(&ids->device_id, device, len);
    return error_of(ids);
}

mp_err mp_ids_of_new_device(mp_ids *ids) {
    char uuid[MP_UUID];
    mp_uuid(uuid);
    return mp_ids_of_device(ids, uuid, MP_UUID);
}

mp_err mp_ids_of_user(mp_ids *ids, const char *user, size_t len,
                      const char *device, size_t device_len) {
    copy_text(&ids->distinct_id, user, len);
    copy_text(&ids->user_id, user, len);
    copy_text(&ids->device_id, device, device_len);
    return error_of(ids);
}

/* The device of `now`; a user without one gets the old id for it, so that
 * old and new events can be joined. */
static void keep_device(mp_ids *ids, const mp_ids *now) {
    bool none = now->device_id.len == 0;
    ids->had_distinct_id = none || now->had_distinct_id;
    copy(&ids->device_id, none ? &now->distinct_id : &now->device_id);
}

mp_err mp_ids_identified(mp_ids *ids, const mp_ids *now, const char *user,
                         size_t len) {
    keep_device(ids, now);
    copy_text(&ids->distinct_id, user, len);
    copy_text(&ids->user_id, user, len);
    return error_of(ids);
}

/* The distinct_id stays: the alias will lead to it. */
mp_err mp_ids_aliased(mp_ids *ids, const mp_ids *now, const char *alias,
                      size_t len) {
    keep_device(ids, now);
    copy(&ids->distinct_id, &now->distinct_id);
    copy_text(&ids->user_id, alias, len);
    copy_text(&ids->alias, alias, len);
    return error_of(ids);
}

void mp_ids_free(mp_ids *ids) {
    mp_buf_free(&ids->distinct_id);
    mp_buf_free(&ids->device_id);
    mp_buf_free(&ids->user_id);
    mp_buf_free(&ids->alias);
    ids->had_distinct_id = false;
}

static bool is_text(const mp_buf *id, const char *text, size_t len) {
    return id->len == len && (len == 0 || memcmp(id->data, text, len) == 0);
}

bool mp_ids_equal(const mp_buf *id, const char *text, size_t len) {
    mp_buf a = {0}, b = {0};
    bool repaired = false;
    if (is_text(id, text, len))
        return true;
    mp_json_string(&a, id->data, id->len, &repaired);
    mp_json_string(&b, text, len, &repaired);
    bool same = !a.err && !b.err && repaired && is_text(&a, b.data, b.len);
    mp_buf_free(&a);
    mp_buf_free(&b);
    return same;
}

static bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
           (c >= 'A' && c <= 'F');
}

bool mp_ids_is_uuid4(const char *text, size_t len) {
    static const char form[] = "xxxxxxxx-xxxx-4xxx-vxxx-xxxxxxxxxxxx";
    if (len != sizeof form - 1)
        return false;
    for (size_t i = 0; i < len; i++) {
        bool fits = form[i] == 'x'   ? is_hex(text[i])
                    : form[i] == 'v' ? strchr("89abAB", text[i]) && text[i]
                                     : text[i] == form[i];
        if (!fits)
            return false;
    }
    return true;
}
