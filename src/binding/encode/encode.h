/* Lua values as JSON text, straight into a buffer. Knows nothing of events
 * or profiles, only of the limits that Mixpanel sets to values.
 *
 * Nothing here returns an error: the first one stays in `out`, what is written
 * behind it does nothing, and the caller asks once, at the end. MP_INVALID has
 * its reason and path in `fault`, or no reason when the buffer's limit was
 * reached. The bytes written until then, and what they left on the stack, are
 * the caller's to drop. Lua code runs in two places: LuaJIT's 64-bit integers
 * write their text, protected; and keys that are numbers, or tables with a
 * metatable, may set off finalisers, whose errors Lua before 5.4 passes on. So
 * the caller holds nothing that a longjmp would lose. They need 8 free stack
 * slots.
 */
#ifndef MP_ENCODE_H
#define MP_ENCODE_H

#include "binding/lua/compat.h"
#include "binding/lua/fault_lua.h"

#include "core/base/dict.h"
#include "core/base/json.h"
#include "core/record/limits.h"

enum {
    /* Bytes that a record may take while it is encoded, far above what
     * Mixpanel takes, so that a message can tell by how much it is too long.
     * A table that holds another one many times over ends here. */
    MP_BODY_MAX = 8 * 1024 * 1024
};

typedef struct mp_encode {
    lua_State *L;
    mp_buf *out;             /* and the first error of all that is encoded */
    size_t list_max;         /* elements of a list; SIZE_MAX: any number */
    bool reject;             /* refuse what could be repaired */
    const mp_dict *excluded; /* names of properties that are left out, as JSON
                              * without quotes; NULL: none */
    uint32_t repaired;       /* values and keys so far */
    uint32_t truncated;      /* texts and keys of more than MP_TEXT_MAX bytes */
    mp_fault fault;
} mp_encode;

/* ---- errors ---- */

/* What failed first, MP_OK if nothing did. */
static inline mp_err mp_encode_err(const mp_encode *e) {
    return e->out->err;
}

/* Notes the result of a step, unless it is MP_OK; for MP_INVALID the fault says
 * why. */
static inline void mp_encode_note(mp_encode *e, mp_err err) {
    if (err)
        mp_buf_fail(e->out, err);
}

/* Fails with MP_INVALID and this reason. */
void mp_encode_refuse(mp_encode *e, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Has what follows written into another buffer, which takes over the error of
 * the one before. */
static inline void mp_encode_into(mp_encode *e, mp_buf *out) {
    if (e->out->err)
        mp_buf_fail(out, e->out->err);
    e->out = out;
}

/* Judges a record that is complete with `len` bytes, or that failed: what
 * failed without a reason, or is longer than Mixpanel takes, becomes
 * MP_INVALID with a reason. Returns the error. */
mp_err mp_encode_judge(mp_encode *e, size_t len);

/* ---- values ---- */

/* Appends the value at the top, of a property, or of an object that lies
 * `objects` objects deep in one. */
static inline void mp_encode_value(mp_encode *e, int objects);

/* Appends the array at the top, where the API wants one: a table with keys
 * 1..n or none, or what is marked as array. */
void mp_encode_list(mp_encode *e);

/* Appends the number at the top, which must be one and finite. */
void mp_encode_number(mp_encode *e);

/* Appends a string. */
static inline void mp_encode_text(mp_encode *e, const char *text, size_t len);

/* ---- pairs of an object ---- */

/* Appends ,"name": for a name without anything to escape. */
void mp_encode_name(mp_encode *e, const char *name);

/* Appends ,"key": for the key at stack index `key` of the table at index
 * `table`; both are positive. False when that fails, as when the key has no
 * text, or that of another key which is a string. */
static inline bool mp_encode_key(mp_encode *e, int table, int key);

/* Ends pairs that were written one behind the other since `start`: two keys
 * that are the same text once they are valid UTF-8 are refused. The keys
 * of a Lua table differ, so that can happen only when one was repaired. */
void mp_encode_compare_keys(mp_encode *e, size_t start);
static inline void mp_encode_check_keys(mp_encode *e, size_t start) {
    if (e->repaired > 0)
        mp_encode_compare_keys(e, start);
}

/* Makes the comma in front of the first pair or element since `start` the
 * opening bracket, and closes it. */
void mp_encode_close(mp_encode *e, size_t start, const char brackets[2]);

/* ---- how most texts and keys need no more than copying ---- */

/* A text that is not plain. */
void mp_encode_any_text(mp_encode *e, const char *text, size_t len);

static inline void mp_encode_text(mp_encode *e, const char *text, size_t len) {
    if (len > MP_TEXT_MAX)
        e->truncated++;
    if (!mp_json_put_plain(e->out, text, len))
        mp_encode_any_text(e, text, len);
}

/* The string at the top. */
static inline void mp_encode_string(mp_encode *e) {
    size_t len;
    const char *text = lua_tolstring(e->L, -1, &len);
    mp_encode_text(e, text, len);
}

/* A value of another type. */
void mp_encode_other(mp_encode *e, int type, int objects);

static inline void mp_encode_value(mp_encode *e, int objects) {
    int type = lua_type(e->L, -1);
    if (type == LUA_TSTRING)
        mp_encode_string(e);
    else
        mp_encode_other(e, type, objects);
}

bool mp_encode_any_key(mp_encode *e, int table, int key);

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

static inline bool mp_encode_key(mp_encode *e, int table, int key) {
    if (lua_type(e->L, key) == LUA_TSTRING) {
        size_t len;
        const char *text = lua_tolstring(e->L, key, &len);
        if (len > MP_TEXT_MAX)
            e->truncated++;
        if (mp_encode_plain_key(e->out, text, len))
            return true;
    }
    return mp_encode_any_key(e, table, key);
}

#endif
