#include "binding/ingest/describe.h"

#include "binding/ingest/record_table.h"
#include "binding/lua/handle.h"

#include <stdio.h>
#include <string.h>

enum {
    KEPT = 1024 * 1024 /* bytes of a buffer between two bodies */
};

/* ---- memory ---- */

static void empty(mp_buf *buf) {
    if (buf->cap > KEPT)
        mp_buf_free(buf);
    mp_buf_clear(buf);
    buf->limit = 0;
}

void mp_described_free(mp_described *d) {
    mp_ingest_free(d->ingest);
    mp_buf_free(&d->text);
    mp_buf_free(&d->indexes);
    mp_buf_free(&d->refusals);
    mp_buf_free(&d->scratch);
    *d = (mp_described){0};
}

static void must(lua_State *L, mp_err err) {
    if (err != MP_OK)
        mp_raise_memory(L);
}

/* ---- refusals ---- */

static void start_refusal(mp_ingest_refusal *refusal, uint32_t index) {
    memset(refusal, 0, sizeof *refusal);
    refusal->index = index;
}

/* What the function raised, on one line: it may quote the record. */
static void refuse_error(lua_State *L, mp_described *d, uint32_t index) {
    mp_ingest_refusal refusal;
    char shown[MP_SHOWN];
    size_t len = 0;
    const char *text = lua_type(L, -1) == LUA_TSTRING
                           ? lua_tolstring(L, -1, &len)
                           : mp_fault_show(L, -1, shown);
    start_refusal(&refusal, index);
    snprintf(refusal.reason, sizeof refusal.reason, "describe failed: %s",
             text);
    for (char *at = refusal.reason; *at; at++)
        if (*at < ' ' || *at > '~')
            *at = '?';
    must(L, mp_buf_add(&d->refusals, &refusal, sizeof refusal));
}

static void refuse_fault(lua_State *L, mp_described *d, uint32_t index,
                         const mp_fault *fault) {
    mp_ingest_refusal refusal;
    start_refusal(&refusal, index);
    mp_fault_where(fault, refusal.field);
    snprintf(refusal.reason, sizeof refusal.reason, "%s",
             fault->reason[0] ? fault->reason : "the record is too long");
    must(L, mp_buf_add(&d->refusals, &refusal, sizeof refusal));
}

/* ---- records ---- */

/* Appends the record that the table at the top has become. */
static void write_back(lua_State *L, mp_described *d, const mp_record *record,
                       uint32_t index) {
    size_t start = d->text.len;
    mp_record_text text = {.L = L, .scratch = &d->scratch};
    mp_encode e = {.L = L, .out = &d->text, .list_max = SIZE_MAX};
    mp_fault_start(&e.fault, "");
    mp_reader_start(&text.reader, record->head, record->head_len);
    d->text.limit = start + MP_BODY_MAX;
    mp_buf_add(e.out, ",", 1);
    if (lua_istable(L, -1))
        mp_record_table_write(&text, &e);
    mp_err err = mp_encode_err(&e);
    if (err == MP_MEMORY)
        mp_raise_memory(L);
    if (err == MP_OK) {
        must(L, mp_buf_add(&d->indexes, &index, sizeof index));
        return;
    }
    mp_buf_rewind(&d->text, start);
    refuse_fault(L, d, index, &e.fault);
}

static void describe(lua_State *L, int hook, mp_described *d,
                     const mp_record *record, uint32_t index) {
    int top = lua_gettop(L);
    mp_record_text text = {.L = L, .scratch = &d->scratch};
    mp_reader_start(&text.reader, record->head, record->head_len);
    mp_record_table_push(&text);
    lua_pushvalue(L, hook);
    lua_pushvalue(L, top + 1);
    int failed = lua_pcall(L, 1, 1, 0);
    if (failed == LUA_ERRMEM) {
        mp_raise_memory(L);
    } else if (failed) {
        refuse_error(L, d, index);
    } else if (lua_isboolean(L, -1) && !lua_toboolean(L, -1)) {
        d->left_out++;
    } else {
        lua_settop(L, top + 1);
        write_back(L, d, record, index);
    }
    lua_settop(L, top);
}

void mp_described_run(lua_State *L, int hook, mp_described *d,
                      const mp_ingest_result *result) {
    empty(&d->text);
    empty(&d->indexes);
    empty(&d->refusals);
    empty(&d->scratch);
    d->left_out = result->left_out;
    luaL_checkstack(L, 8, NULL);
    must(L, mp_buf_add(&d->refusals, result->refusals,
                       result->refused * sizeof *result->refusals));
    for (size_t i = 0; i < result->taken; i++)
        describe(L, hook, d, &result->records[i], result->marks[i].index);
    d->text.limit = 0;
    if (d->text.len == 0)
        mp_buf_add(&d->text, "[", 1);
    else
        d->text.data[0] = '[';
    must(L, mp_buf_add(&d->text, "]", 1));
}

/* ---- the result ---- */

mp_err mp_described_read(mp_described *d, const mp_ingest_rules *rules,
                         mp_ingest_result *result) {
    const uint32_t *indexes = (const void *)d->indexes.data;
    mp_err err =
        mp_ingest_read(d->ingest, rules, d->text.data, d->text.len, result);
    for (size_t i = 0; err == MP_OK && i < result->refused; i++) {
        mp_ingest_refusal refusal = result->refusals[i];
        refusal.index = indexes[refusal.index];
        refusal.offset = refusal.len = 0; /* it stands so in no text */
        err = mp_buf_add(&d->refusals, &refusal, sizeof refusal);
    }
    result->left_out += d->left_out;
    result->refusals = (const void *)d->refusals.data;
    result->refused = d->refusals.len / sizeof *result->refusals;
    return err;
}
