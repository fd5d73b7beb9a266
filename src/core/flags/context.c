#include "core/flags/context.h"

#include "core/flags/value_json.h"

#include <stdlib.h>
#include <string.h>

enum {
    FEW = 16 /* entries that are sorted where they are */
};

struct mp_context_entry {
    const char *key, *given; /* NULL: the entry has none */
    uint32_t key_len, given_len;
    mp_value value;
};

void mp_context_begin(mp_context *context) {
    mp_arena_reset(&context->arena);
    context->arena.limit = MP_CONTEXT_BYTES;
    context->count = 0;
    context->levels = 0;
    context->as_given = false;
    context->key = NULL;
    context->problem = NULL;
    context->err = MP_OK;
}

static void fail(mp_context *context, mp_err err, const char *problem) {
    context->err = err;
    context->problem = problem;
}

/* What the arena did not give. */
static void fail_for_room(mp_context *context) {
    fail(context, mp_arena_failure(&context->arena), "larger than 4 MiB");
}

/* ---- values ---- */

static bool grow(mp_context *context) {
    uint32_t cap = context->cap > 0 ? 2 * context->cap : FEW;
    mp_context_entry *entries =
        realloc(context->entries, cap * sizeof *entries);
    if (!entries) {
        fail(context, MP_MEMORY, NULL);
        return false;
    }
    context->entries = entries;
    context->cap = cap;
    return true;
}

static void add(mp_context *context, mp_value value) {
    if (context->err != MP_OK ||
        (context->count == context->cap && !grow(context)))
        return;
    context->entries[context->count++] = (mp_context_entry){
        .key = context->key,
        .given = context->given_key,
        .key_len = context->key_len,
        .given_len = context->given_len,
        .value = value,
    };
    context->key = NULL;
}

void mp_context_null(mp_context *context) {
    add(context, mp_value_null());
}

void mp_context_boolean(mp_context *context, bool boolean) {
    add(context, mp_value_boolean(boolean));
}

void mp_context_number(mp_context *context, double number) {
    add(context, mp_value_number(number));
}

void mp_context_integer(mp_context *context, int64_t integer) {
    add(context, mp_value_integer(integer));
}

/* A text of the arena; NULL when it gives none. */
static const char *convert(mp_context *context, const char *text, size_t len,
                           uint32_t *converted) {
    if (!context->as_given)
        return mp_value_lower(text, len, &context->arena, converted);
    *converted = (uint32_t)len;
    return len < context->arena.limit
               ? mp_arena_copy(&context->arena, text, len)
               : NULL;
}

void mp_context_text(mp_context *context, const char *text, size_t len) {
    uint32_t lower_len;
    if (context->err != MP_OK)
        return;
    const char *lower = convert(context, text, len, &lower_len);
    if (lower)
        add(context, mp_value_text(lower, lower_len));
    else
        fail_for_room(context);
}

bool mp_context_key(mp_context *context, const char *key, size_t len,
                    const mp_flag *flag) {
    uint32_t lower_len;
    if (context->err != MP_OK)
        return false;
    const char *lower = convert(context, key, len, &lower_len);
    if (!lower) {
        fail_for_room(context);
        return false;
    }
    if (flag && !mp_flag_reads(flag, lower, lower_len)) {
        mp_arena_trim(&context->arena, lower);
        return false;
    }
    context->key = lower;
    context->key_len = lower_len;
    context->given_key = key;
    context->given_len = (uint32_t)len;
    return true;
}

/* ---- tables ---- */

void mp_context_open(mp_context *context) {
    if (context->levels > MP_VALUE_LEVELS && context->err == MP_OK)
        fail(context, MP_INVALID, "nested deeper than 64 levels");
    add(context, mp_value_undefined()); /* until it is closed */
    if (context->err == MP_OK)
        context->first[context->levels++] = context->count;
}

/* Ends the table whose value is known. */
static void close_table(mp_context *context, mp_value value) {
    context->count = context->first[--context->levels];
    context->entries[context->count - 1].value = value;
}

void mp_context_close_array(mp_context *context) {
    if (context->err != MP_OK)
        return;
    uint32_t first = context->first[context->levels - 1];
    uint32_t count = context->count - first;
    mp_value *items = mp_arena_array(&context->arena, count, sizeof *items);
    if (!items) {
        fail_for_room(context);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        items[i] = context->entries[first + i].value;
    close_table(
        context,
        (mp_value){.kind = MP_VALUE_ARRAY, .len = count, .as.items = items});
}

static bool was_lower(const mp_context_entry *entry) {
    return entry->key_len == entry->given_len &&
           memcmp(entry->key, entry->given, entry->key_len) == 0;
}

/* By key; of equal ones first what wins. */
static int compare(const void *a, const void *b) {
    const mp_context_entry *x = a, *y = b;
    int order = mp_value_order(x->key, x->key_len, y->key, y->key_len);
    if (order != 0)
        return order;
    order = was_lower(y) - was_lower(x);
    return order != 0
               ? order
               : mp_value_order(x->given, x->given_len, y->given, y->given_len);
}

static void sort(mp_context_entry *entries, uint32_t count) {
    if (count > FEW) {
        qsort(entries, count, sizeof *entries, compare);
        return;
    }
    for (uint32_t i = 1; i < count; i++) {
        mp_context_entry entry = entries[i];
        uint32_t j = i;
        for (; j > 0 && compare(&entry, &entries[j - 1]) < 0; j--)
            entries[j] = entries[j - 1];
        entries[j] = entry;
    }
}

void mp_context_close_object(mp_context *context) {
    if (context->err != MP_OK)
        return;
    uint32_t first = context->first[context->levels - 1], used = 0;
    uint32_t count = context->count - first;
    mp_context_entry *entries = &context->entries[first];
    mp_member *members =
        mp_arena_array(&context->arena, count, sizeof *members);
    if (!members) {
        fail_for_room(context);
        return;
    }
    sort(entries, count);
    for (uint32_t i = 0; i < count; i++) {
        const mp_context_entry *entry = &entries[i];
        if (used > 0 &&
            mp_value_order(entry->key, entry->key_len, members[used - 1].key,
                           members[used - 1].key_len) == 0)
            continue;
        members[used++] = (mp_member){entry->key, entry->key_len, entry->value};
    }
    close_table(context, (mp_value){.kind = MP_VALUE_OBJECT,
                                    .len = used,
                                    .as.members = members});
}

const mp_value *mp_context_value(const mp_context *context) {
    return context->err == MP_OK && context->count > 0
               ? &context->entries[0].value
               : NULL;
}

void mp_context_free(mp_context *context) {
    mp_arena_free(&context->arena);
    free(context->entries);
    *context = (mp_context){0};
}
