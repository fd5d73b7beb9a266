#include "core/base/dict.h"

#include <stdlib.h>
#include <string.h>

static mp_pair *find(const mp_dict *dict, const char *name, size_t len) {
    for (uint32_t i = 0; i < dict->count; i++) {
        mp_pair *pair = &dict->pairs[i];
        if (pair->name_len == len && memcmp(pair->name, name, len) == 0)
            return pair;
    }
    return NULL;
}

const mp_pair *mp_dict_find(const mp_dict *dict, const char *name, size_t len) {
    return find(dict, name, len);
}

/* Name and value share a block, which the name begins. */
static mp_err copy(mp_pair *pair, const char *name, size_t name_len,
                   const void *value, size_t len) {
    char *block = malloc(name_len + len + 1); /* never of 0 bytes */
    if (!block)
        return MP_MEMORY;
    memcpy(block, name, name_len);
    if (len > 0)
        memcpy(block + name_len, value, len);
    *pair = (mp_pair){name_len, len, block, block + name_len};
    return MP_OK;
}

static void free_pair(mp_pair *pair) {
    free((char *)pair->name);
}

static mp_err grow(mp_dict *dict) {
    uint32_t cap = dict->cap > 0 ? 2 * dict->cap : 8;
    mp_pair *pairs = realloc(dict->pairs, cap * sizeof *pairs);
    if (!pairs)
        return MP_MEMORY;
    dict->pairs = pairs;
    dict->cap = cap;
    return MP_OK;
}

static mp_err append(mp_dict *dict, const char *name, size_t name_len,
                     const void *value, size_t len) {
    if (dict->count == dict->cap && grow(dict) != MP_OK)
        return MP_MEMORY;
    mp_err err = copy(&dict->pairs[dict->count], name, name_len, value, len);
    dict->count += err == MP_OK;
    return err;
}

mp_err mp_dict_set(mp_dict *dict, const char *name, size_t name_len,
                   const void *value, size_t len) {
    mp_pair fresh, *pair = find(dict, name, name_len);
    if (!pair)
        return append(dict, name, name_len, value, len);
    if (copy(&fresh, name, name_len, value, len) != MP_OK)
        return MP_MEMORY;
    free_pair(pair);
    *pair = fresh;
    return MP_OK;
}

bool mp_dict_remove(mp_dict *dict, const char *name, size_t len) {
    mp_pair *pair = find(dict, name, len);
    if (!pair)
        return false;
    free_pair(pair);
    dict->count--;
    size_t behind = (size_t)(dict->pairs + dict->count - pair);
    memmove(pair, pair + 1, behind * sizeof *pair);
    return true;
}

mp_err mp_dict_copy(mp_dict *dict, const mp_dict *other) {
    for (uint32_t i = 0; i < other->count; i++) {
        const mp_pair *pair = &other->pairs[i];
        mp_err err =
            append(dict, pair->name, pair->name_len, pair->value, pair->len);
        if (err != MP_OK)
            return err;
    }
    return MP_OK;
}

void mp_dict_clear(mp_dict *dict) {
    for (uint32_t i = 0; i < dict->count; i++)
        free_pair(&dict->pairs[i]);
    free(dict->pairs);
    *dict = (mp_dict){0};
}
