#include "core/user/pending.h"

#include "core/base/json.h"

#include <stdlib.h>

static mp_err grow(mp_pending *pending) {
    uint32_t cap = pending->cap > 0 ? 2 * pending->cap : 16;
    mp_pending_update *updates =
        realloc(pending->updates, cap * sizeof *updates);
    if (!updates)
        return MP_MEMORY;
    pending->updates = updates;
    pending->cap = cap;
    return MP_OK;
}

/* The comma in front of the body gives way to the bracket of an object. */
static mp_err add_json(mp_pending *pending, char *body, size_t len) {
    bool repaired = false;
    size_t start = pending->json.len;
    body[0] = '{';
    mp_buf_puts(&pending->json, start > 0 ? "," : "");
    mp_err err = mp_json_string(&pending->json, body, len, &repaired);
    body[0] = ',';
    if (err != MP_OK)
        mp_buf_rewind(&pending->json, start);
    return err;
}

mp_err mp_pending_add(mp_pending *pending, const mp_pending_update *update) {
    if (pending->count == MP_PENDING_MAX ||
        update->len > MP_PENDING_BYTES - pending->bytes)
        return MP_QUEUE_FULL;
    if (pending->count == pending->cap && grow(pending) != MP_OK)
        return MP_MEMORY;
    char *body = malloc(update->len);
    if (!body)
        return MP_MEMORY;
    memcpy(body, update->body, update->len);
    mp_err err = add_json(pending, body, update->len);
    if (err != MP_OK) {
        free(body);
        return err;
    }
    pending->updates[pending->count] = *update;
    pending->updates[pending->count++].body = body;
    pending->bytes += update->len;
    return MP_OK;
}

/* ---- properties that are not sent ---- */

/* A name, with its quotes, and its value. */
typedef struct member {
    const char *name, *colon, *end;
} member;

static member read_member(const char *at, const char *end) {
    member m = {.name = at, .colon = mp_json_skip(at, end)};
    m.end = m.colon < end ? mp_json_skip(m.colon + 1, end) : end;
    return m;
}

static bool is_excluded(const member *m, const mp_dict *excluded) {
    size_t len = (size_t)(m->colon - m->name);
    return len > 2 && mp_dict_find(excluded, m->name + 1, len - 2);
}

/* Appends the object from `at` to `end` without those. False: there were
 * properties, and none is left. */
static bool filter_object(const char *at, const char *end,
                          const mp_dict *excluded, mp_buf *out) {
    bool any = false, left = false;
    mp_buf_puts(out, "{");
    for (at++; at < end - 1; at++) {
        member m = read_member(at, end - 1);
        any = true;
        at = m.end;
        if (is_excluded(&m, excluded))
            continue;
        mp_buf_puts(out, left ? "," : "");
        mp_buf_add(out, m.name, (size_t)(m.end - m.name));
        left = true;
    }
    mp_buf_puts(out, "}");
    return left || !any;
}

mp_err mp_pending_filter(const mp_pending_update *update,
                         const mp_dict *excluded, mp_buf *out) {
    const char *at = update->body + 1, *end = update->body + update->len - 1;
    size_t start = out->len;
    while (at < end) {
        member m = read_member(at, end);
        const char *value = m.colon + 1;
        mp_buf_puts(out, ",");
        mp_buf_add(out, m.name, (size_t)(value - m.name));
        if (*value != '{')
            mp_buf_add(out, value, (size_t)(m.end - value));
        else if (!filter_object(value, m.end, excluded, out))
            goto nothing;
        at = m.end + 1;
    }
    return mp_buf_puts(out, "}");
nothing:
    out->len = start;
    return out->err;
}

void mp_pending_clear(mp_pending *pending) {
    for (uint32_t i = 0; i < pending->count; i++)
        free((char *)pending->updates[i].body);
    free(pending->updates);
    mp_buf_free(&pending->json);
    *pending = (mp_pending){0};
}
