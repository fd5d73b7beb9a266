/* Lua values as JSON text, straight into a buffer. Knows nothing of events
 * or profiles, only of the limits that Mixpanel sets to values.
 *
 * Every function returns MP_OK; MP_INVALID with the reason and path in
 * `fault`, but without a reason when the buffer's limit was reached; or
 * MP_MEMORY. The bytes written until then, and what they left on the stack,
 * are the caller's to drop. Lua code runs in two places: LuaJIT's 64-bit
 * integers write their text, protected; and keys that are numbers, or tables
 * with a metatable, may set off finalisers, whose errors Lua before 5.4 passes
 * on. So the caller holds nothing that a longjmp would lose. They need 8 free
 * stack slots. */
#ifndef MP_ENCODE_H
#define MP_ENCODE_H

#include "binding/lua/compat.h"
#include "binding/lua/fault.h"

#include "core/base/dict.h"
#include "core/base/json.h"

enum {
    MP_LIST_MAX = 254,  /* elements of a list in an event */
    MP_KEYS_MAX = 254,  /* keys of a nested object */
    MP_OBJECTS_MAX = 3, /* objects in objects below a property */
    MP_TABLES_MAX = 32, /* tables in tables of any kind; ends cycles too */

    /* Bytes that a record may take while it is encoded, far above what
     * Mixpanel takes, so that a message can tell by how much it is too long.
     * A table that holds another one many times over ends here. */
    MP_BODY_MAX = 8 * 1024 * 1024
};

typedef struct mp_encode {
    lua_State *L;
    mp_buf *out;
    size_t list_max;         /* elements of a list; SIZE_MAX: any number */
    bool reject;             /* refuse what could be repaired */
    const mp_dict *excluded; /* names of properties that are left out, as JSON
                              * without quotes; NULL: none */
    uint32_t repaired;       /* values and keys so far */
    mp_fault fault;
} mp_encode;

/* Appends ,"key": for the key at stack index `key` of the table at index
 * `table`; both are positive. MP_INVALID when the key has no text or another
 * key of the table gets the same. */
static inline mp_err mp_encode_key(mp_encode *e, int table, int key);

/* Appends the value at the top, of a property, or of an object that lies
 * `objects` objects deep in one. */
mp_err mp_encode_value(mp_encode *e, int objects);

/* Appends the array at the top, where the API wants one: a table with keys
 * 1..n or none, or what is marked as array. */
mp_err mp_encode_list(mp_encode *e);

/* Appends the number at the top; MP_INVALID when it is none or not finite. */
mp_err mp_encode_number(mp_encode *e);

/* Appends a string. */
mp_err mp_encode_text(mp_encode *e, const char *text, size_t len);

/* Appends ,"name": for a name without anything to escape. */
mp_err mp_encode_name(mp_encode *e, const char *name);

/* Judges a record that is complete with `len` bytes, or that failed with
 * `err`: what failed without a reason, or is longer than Mixpanel takes,
 * becomes MP_INVALID with a reason. */
mp_err mp_encode_judge(mp_encode *e, mp_err err, size_t len);

/* ---- how most keys need no more than copying ---- */

mp_err mp_encode_any_key(mp_encode *e, int table, int key);

/* Appends ,"key": or nothing, and returns false, if the key is not plain. */
static inline bool mp_encode_plain_key(mp_buf *out, const char *text,
                                       size_t len) {
    if (out->cap - out->len < len + 4)
        return false;
    char *at = out->data + out->len;
    if (!mp_json_plain(at + 2, text, len))
        return false;
    at[0] = ',';
    at[1] = '"';
    at[len + 2] = '"';
    at[len + 3] = ':';
    out->len += len + 4;
    return true;
}

static inline mp_err mp_encode_key(mp_encode *e, int table, int key) {
    if (lua_type(e->L, key) == LUA_TSTRING) {
        size_t len;
        const char *text = lua_tolstring(e->L, key, &len);
        if (mp_encode_plain_key(e->out, text, len))
            return MP_OK;
    }
    return mp_encode_any_key(e, table, key);
}

#endif
