/* Rows of CSV (RFC 4180) as JSON: fields between commas or another byte, in
 * quotes if they hold it, quotes (doubled) or line ends. Knows nothing of
 * events. */
#ifndef MP_CSV_H
#define MP_CSV_H

#include "core/base/buf.h"
#include "core/base/fault.h"
#include "core/base/span.h"

enum {
    MP_CSV_COLUMNS = 2000
};

/* What becomes of the fields of a column. */
typedef struct mp_csv_column {
    const char *name; /* as JSON, with its quotes and colon; NULL: left out */
    bool outside;     /* a member of the record, not of its properties */
    bool is_text;     /* whatever it looks like */
} mp_csv_column;

/* All rows become {OUTSIDE,columns outside,INSIDE:{columns inside}}. */
typedef struct mp_csv {
    char separator;
    const mp_csv_column *columns;
    size_t count;
    const char *outside; /* members as JSON, each with a comma; "": none */
    const char *inside;  /* such as "properties" with its quotes and colon */
    const char *members; /* of it, as `outside` */
    const char *header;  /* the text of the row that names the columns, which
                          * is refused if it comes again; NULL: none */
} mp_csv;

typedef struct mp_csv_fields {
    mp_span *fields;
    size_t cap, count;
    mp_buf text; /* of fields with quotes in them */
} mp_csv_fields;

/* The end of the row that begins at `at`, without its line end; NULL: it goes
 * on behind `end`. */
const char *mp_csv_row(const mp_csv *csv, const char *at, const char *end);

/* Appends the row as JSON. MP_INVALID: with a reason in `fault`; MP_MEMORY. */
mp_err mp_csv_read(const mp_csv *csv, mp_csv_fields *fields, const mp_span *row,
                   mp_buf *out, mp_fault *fault);

void mp_csv_fields_free(mp_csv_fields *fields);

#endif
