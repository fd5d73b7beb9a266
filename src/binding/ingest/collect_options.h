/* The options of collect. */
#ifndef MP_COLLECT_OPTIONS_H
#define MP_COLLECT_OPTIONS_H

#include "binding/lua/compat.h"

#include "core/base/reader.h"
#include "core/ingest/ingest.h"

enum {
    MP_COLLECT_TOKENS = 64 /* of an option */
};

/* Texts of the table, valid until Lua runs again. */
typedef struct mp_collect_options {
    bool gzip;
    const char *unknown_encoding; /* one that nobody reads; NULL: none */
    const char *address;          /* NULL: none */
    mp_span query;                /* the URL's, behind the ? */
    bool describes;               /* option describe is a function */
    mp_ingest_token tokens[MP_COLLECT_TOKENS + 1]; /* from 1 on; see rules */
    size_t token_count;                            /* the first included */
} mp_collect_options;

/* Reads the table at an argument, or nothing for nil, and allocates nothing in
 * Lua. Raises for what is no such option. The first token is left to the
 * caller. */
void mp_collect_options_read(lua_State *L, int arg, mp_collect_options *out);

#endif
