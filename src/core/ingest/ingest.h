/* Records out of JSON that others wrote: what a Mixpanel SDK posts to an
 * endpoint, or a file of events, profiles or groups. Each record is judged by
 * itself and comes out as a lane takes it: the token in its place, an
 * $insert_id, a time, nothing that Mixpanel would drop without a word. Knows
 * nothing of requests (see body.h) and delivers nothing. */
#ifndef MP_INGEST_H
#define MP_INGEST_H

#include "core/base/dict.h"
#include "core/base/fault.h"
#include "core/ingest/csv.h"
#include "core/record/endpoint.h"
#include "core/record/segment.h"

typedef struct mp_ingest mp_ingest;

/* A token that records may bear: nothing in it is escaped in JSON. */
typedef struct mp_ingest_token {
    const char *given; /* in the record */
    const char *sent;  /* instead of it */
} mp_ingest_token;

/* What the records of a text are. Of all but the first each is judged by
 * itself, also when it is no JSON, and an unfinished one at the end is left for
 * the next text. */
typedef enum mp_ingest_items {
    MP_INGEST_TEXT,   /* the values of one JSON text */
    MP_INGEST_LINES,  /* one a line */
    MP_INGEST_VALUES, /* objects, with commas, brackets and space between */
    MP_INGEST_ROWS    /* of CSV (RFC 4180) */
} mp_ingest_items;

typedef struct mp_ingest_rules {
    mp_lane_id lane;               /* of the endpoint */
    const mp_ingest_token *tokens; /* records that bear another are refused */
    size_t token_count;            /* at least 1 */
    bool token_optional;           /* a record without one bears the first */
    bool may_merge;                /* $merge is taken */
    bool reject;                   /* refuse what could be repaired */
    bool lines;                    /* one JSON value may follow another */
    bool time_required;      /* an event without a time is refused, unless it
                              * says who somebody is */
    bool keep_equal;         /* records of equal bytes are different ones: their
                              * $insert_id is derived from their position, too */
    bool profile_time;       /* give updates of profiles a $time */
    bool no_address;         /* a record without an address gets none from
                              * where it is sent: "ip":0 */
    bool complete;           /* clients of this module made the records: they
                              * get neither an address nor a $time, and come
                              * out byte for byte; see record/line.h for how a
                              * time reads */
    mp_ingest_items items;   /* how the text is made of records */
    const mp_csv *csv;       /* what rows become, with MP_INGEST_ROWS */
    bool last;               /* nothing follows the text, with items */
    bool split;              /* take none: all items are among the refusals,
                              * those that could be read without a reason */
    bool time_text;          /* the time of an event may be a date */
    uint64_t doubt_end;      /* updates before this position that may not be
                              * sent twice are refused; UINT64_MAX: all */
    const char *address;     /* of whoever sent the records, instead of what
                              * they say; NULL: none */
    const mp_dict *excluded; /* properties that are left out, as JSON without
                              * quotes; NULL: none */
    uint64_t position;       /* of the text, with keep_equal */
    int64_t now_ms;          /* of records without a time */
    int64_t oldest_ms;       /* events before are refused; 0: none is */
    size_t records_max;
} mp_ingest_rules;

/* Beside the record of the same index. */
typedef struct mp_ingest_mark {
    uint32_t index;  /* in the text, from 0 */
    uint32_t token;  /* index of the rule's */
    mp_lane_id lane; /* the rule's, but for events that say who somebody is,
                      * unless they were collected: Mixpanel takes them at one
                      * endpoint only */
    uint32_t offset; /* in the text, with items */
} mp_ingest_mark;

typedef struct mp_ingest_refusal {
    uint32_t index;        /* in the text, from 0 */
    size_t offset, len;    /* of the record as it stands in the text */
    size_t json, json_len; /* of what a row became, in the result's text */
    bool expired;          /* older than oldest_ms */
    char field[MP_WHERE];  /* "properties.time"; "": the record as a whole */
    char reason[MP_MESSAGE];
} mp_ingest_refusal;

/* Valid until the next call; the records' JSON is in their head. */
typedef struct mp_ingest_result {
    const mp_record *records;
    const mp_ingest_mark *marks;
    size_t taken;
    const mp_ingest_refusal *refusals;
    size_t refused;
    const char *rows;  /* JSON of rows that were refused */
    size_t consumed;   /* bytes of the text, with items */
    size_t left_out;   /* updates of which nothing was left by `excluded` */
    const char *error; /* why the text is none, a static text; NULL: it is */
    size_t error_at;   /* byte of the text */
    bool too_many;     /* more records than the rules allow */
} mp_ingest_result;

/* `seed`: a number that nobody outside knows. NULL: out of memory. One thread
 * at a time. */
mp_ingest *mp_ingest_new(uint64_t seed);
void mp_ingest_free(mp_ingest *in); /* NULL is allowed */

/* Reads an object or a list of objects. MP_OK when the text is JSON, whatever
 * became of its records; MP_INVALID: it is not, see `error`, and there are no
 * records; MP_MEMORY. */
mp_err mp_ingest_read(mp_ingest *in, const mp_ingest_rules *rules,
                      const char *text, size_t len, mp_ingest_result *result);

#endif
