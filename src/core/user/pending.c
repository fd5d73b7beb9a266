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

void mp_pending_clear(mp_pending *pending) {
    for (uint32_t i = 0; i < pending->count; i++)
        free((char *)pending->updates[i].body);
    free(pending->updates);
    mp_buf_free(&pending->json);
    *pending = (mp_pending){0};
}
