/* A record as a Lua table, and back: what was not changed stays as it was
 * written, numbers to the last digit. */
#ifndef MP_RECORD_TABLE_H
#define MP_RECORD_TABLE_H

#include "binding/encode/encode.h"

#include "core/base/reader.h"

/* JSON that mp_ingest_read made, and room to read its strings. */
typedef struct mp_record_text {
    lua_State *L;
    mp_reader reader;
    mp_buf *scratch; /* not the caller's own: a Lua error must not leak it */
} mp_record_text;

/* Pushes the value that comes next: null as mixpanel.null, a number as the
 * nearest that Lua has. Raises when out of memory. */
void mp_record_table_push(mp_record_text *text);

/* Appends the value at the top, which was made of the value that comes next
 * and may have been changed since. Errors, and what they leave on the stack,
 * are as in encode.h; raises when out of memory. */
void mp_record_table_write(mp_record_text *text, mp_encode *e);

#endif
