/* A Lua function that may change the records of a body, or drop them. */
#ifndef MP_DESCRIBE_H
#define MP_DESCRIBE_H

#include "binding/lua/compat.h"

#include "core/base/buf.h"
#include "core/ingest/ingest.h"

/* All zero but `ingest`, which the maker sets: empty. */
typedef struct mp_described {
    mp_ingest *ingest; /* reads the changed records */
    mp_buf text;       /* the records that are left, a list */
    mp_buf indexes;    /* of these in the body, uint32_t */
    mp_buf refusals;   /* mp_ingest_refusal, of all that were found */
    mp_buf scratch;
    size_t left_out;
} mp_described;

/* Calls the function at stack index `hook` with a table for each record of a
 * result; false drops the record, and an error, or what is no record any more,
 * refuses it. Raises when out of memory. */
void mp_described_run(lua_State *L, int hook, mp_described *d,
                      const mp_ingest_result *result);

/* Reads what is left as a result of its own, with the refusals of the one
 * before. MP_MEMORY; MP_INVALID cannot be. */
mp_err mp_described_read(mp_described *d, const mp_ingest_rules *rules,
                         mp_ingest_result *result);

void mp_described_free(mp_described *d);

#endif
