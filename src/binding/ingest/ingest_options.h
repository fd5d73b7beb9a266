/* The options of ingest. */
#ifndef MP_INGEST_OPTIONS_H
#define MP_INGEST_OPTIONS_H

#include "binding/lua/compat.h"

#include "core/ingest/ingest.h"

/* Texts of the table, valid until Lua runs again. */
typedef struct mp_ingest_options {
    mp_ingest_items items;
    bool last, time_text;
    bool split;  /* see ingest.h */
    bool dry;    /* queue nothing */
    bool places; /* say where the records stand */
    bool gzip;
    bool collected; /* they go the way of collect's */
    bool complete;  /* see ingest.h */
    bool in_doubt;  /* refuse what may not be sent twice */
    size_t skip;    /* records that are queued already */
    uint64_t position, doubt_end;
    mp_csv csv;
    mp_csv_column columns[MP_CSV_COLUMNS];
} mp_ingest_options;

/* Reads the table at an argument, or nothing for nil. Raises for what is no
 * such option. */
void mp_ingest_options_read(lua_State *L, int arg, mp_ingest_options *out);

/* Puts them into the rules, which then refer to them. */
void mp_ingest_options_set(const mp_ingest_options *options,
                           mp_ingest_rules *rules);

#endif
