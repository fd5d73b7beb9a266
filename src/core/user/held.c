#include "core/user/held.h"

#include "core/base/json.h"

#include <stdlib.h>

static mp_err grow(mp_held *held) {
    uint32_t cap = held->cap > 0 ? 2 * held->cap : 16;
    mp_held_update *updates = realloc(held->updates, cap * sizeof *updates);
    if (!updates)
        return MP_MEMORY;
    held->updates = updates;
    held->cap = cap;
    return MP_OK;
}

/* The comma in front of the body gives way to the bracket of an object. */
static mp_err add_json(mp_held *held, char *body, size_t len) {
    bool repaired = false;
    size_t start = held->json.len;
    body[0] = '{';
    mp_err err = start > 0 ? mp_buf_puts(&held->json, ",") : MP_OK;
    if (err == MP_OK)
        err = mp_json_string(&held->json, body, len, &repaired);
    body[0] = ',';
    if (err != MP_OK)
        held->json.len = start;
    return err;
}

mp_err mp_held_add(mp_held *held, const mp_held_update *update) {
    if (held->count == MP_HELD_MAX || update->len > MP_HELD_BYTES - held->bytes)
        return MP_QUEUE_FULL;
    if (held->count == held->cap && grow(held) != MP_OK)
        return MP_MEMORY;
    char *body = malloc(update->len);
    if (!body)
        return MP_MEMORY;
    memcpy(body, update->body, update->len);
    mp_err err = add_json(held, body, update->len);
    if (err != MP_OK) {
        free(body);
        return err;
    }
    held->updates[held->count] = *update;
    held->updates[held->count++].body = body;
    held->bytes += update->len;
    return MP_OK;
}

void mp_held_clear(mp_held *held) {
    for (uint32_t i = 0; i < held->count; i++)
        free((char *)held->updates[i].body);
    free(held->updates);
    mp_buf_free(&held->json);
    *held = (mp_held){0};
}
