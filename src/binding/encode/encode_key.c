/* The keys of objects. */
#include "binding/encode/encode_scalar.h"

#include <stdlib.h>

void mp_encode_name(mp_encode *e, const char *name) {
    mp_buf_puts(e->out, ",\"");
    mp_buf_puts(e->out, name);
    mp_buf_puts(e->out, "\":");
}

/* A key that is a number: as its text, unless that is a key as well. */
static void encode_number_key(mp_encode *e, int table, int key) {
    lua_State *L = e->L;
    mp_encode_char(e, '"');
    if (!mp_buf_reserve(e->out, MP_NUM_MAX))
        return;
    const char *text = e->out->data + e->out->len;
    if (!mp_encode_put_number(e, key)) {
        mp_encode_refuse(e, "an infinite key has no JSON form");
        return;
    }
    size_t len = (size_t)(e->out->data + e->out->len - text);
    lua_pushlstring(L, text, len);
    lua_rawget(L, table);
    if (!lua_isnil(L, -1))
        mp_encode_refuse(e,
                         "key \"%.*s\" occurs twice, as a number and as a "
                         "string",
                         (int)len, text);
    lua_pop(L, 1);
    mp_encode_char(e, '"');
}

static void encode_string_key(mp_encode *e, int key) {
    size_t len;
    char shown[MP_SHOWN];
    const char *text = lua_tolstring(e->L, key, &len);
    bool repaired = false;
    mp_json_string(e->out, text, len, &repaired);
    if (repaired && e->reject)
        mp_encode_refuse(e, "key %s is not valid UTF-8",
                         mp_fault_quote(text, len, shown));
    e->repaired += repaired;
}

bool mp_encode_any_key(mp_encode *e, int table, int key) {
    int type = lua_type(e->L, key);
    mp_encode_char(e, ',');
    if (type == LUA_TSTRING)
        encode_string_key(e, key);
    else if (type == LUA_TNUMBER)
        encode_number_key(e, table, key);
    else
        mp_encode_refuse(e, "a %s as key has no JSON form",
                         lua_typename(e->L, type));
    mp_encode_char(e, ':');
    return !mp_encode_err(e);
}

/* ---- keys that repair makes the same ---- */

typedef struct name {
    const char *text; /* without its quotes */
    size_t len;
} name;

static int compare(const void *a, const void *b) {
    const name *x = a, *y = b;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return memcmp(x->text, y->text, x->len);
}

/* Reads the names of pairs into `names` (NULL: nowhere); returns how many. */
static size_t read_names(const char *at, const char *end, name *names) {
    size_t n = 0;
    while (at < end) {
        const char *colon = mp_json_skip(++at, end); /* behind the comma */
        if (names)
            names[n] = (name){at + 1, (size_t)(colon - at) - 2};
        n++;
        at = mp_json_skip(colon + 1, end);
    }
    return n;
}

/* Sorted, names that are the same are neighbours, and no choice of names makes
 * that take long. */
void mp_encode_compare_keys(mp_encode *e, size_t start) {
    if (mp_encode_err(e) || e->out->len == start)
        return;
    char shown[MP_SHOWN];
    const char *at = e->out->data + start, *end = e->out->data + e->out->len;
    size_t n = read_names(at, end, NULL);
    if (n < 2)
        return;
    name *names = malloc(n * sizeof *names);
    if (!names) {
        mp_encode_note(e, MP_MEMORY);
        return;
    }
    read_names(at, end, names);
    qsort(names, n, sizeof *names, compare);
    for (size_t i = 1; i < n; i++)
        if (compare(&names[i - 1], &names[i]) == 0)
            mp_encode_refuse(
                e, "key %s occurs twice once it is valid UTF-8",
                mp_fault_quote(names[i].text, names[i].len, shown));
    free(names);
}
