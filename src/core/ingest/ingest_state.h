/* What the files of ingest.h share: the record in the making, and its parts
 * that events and updates of profiles have in common. The functions return
 * what those of copier.h do. */
#ifndef MP_INGEST_STATE_H
#define MP_INGEST_STATE_H

#include "core/ingest/copier.h"
#include "core/ingest/ingest.h"

struct mp_ingest {
    const mp_ingest_rules *rules;
    mp_copier copier;

    const char *origin; /* in the reader's text: where the record begins */
    uint64_t position;  /* of the origin */
    mp_buf row, rows;   /* as JSON; of those that were refused */
    mp_csv_fields fields;

    /* The record being read. */
    mp_record record;
    mp_ingest_mark mark;
    bool nothing;               /* is left of it */
    bool expired;               /* too old, see `fault` */
    mp_buf group_key, group_id; /* of its group */

    /* Those read: mp_record, mp_ingest_mark, mp_ingest_refusal. */
    mp_buf records, marks, refusals;
    uint32_t taken, refused, left_out;
    bool too_many;
};

/* Appends the record that comes next, if it is one. */
mp_err mp_ingest_record(mp_ingest *in);

/* Begins a record at the reader's place. */
void mp_ingest_begin(mp_ingest *in);

/* Takes the record that was appended from `begin` on. */
mp_err mp_ingest_take(mp_ingest *in, size_t begin);

/* Reads the text by its items; *consumed bytes of it. */
mp_err mp_ingest_read_items(mp_ingest *in, const char *text, size_t len,
                            size_t *consumed);

/* Each appends the record that comes next, an object. */
mp_err mp_ingest_event(mp_ingest *in);
mp_err mp_ingest_profile(mp_ingest *in);

/* The token that comes next, if it is a token at all: sets *given and the
 * mark, and appends the one that is sent instead. */
mp_err mp_ingest_read_token(mp_ingest *in, bool *given);

/* MP_INVALID if a token must be given. */
mp_err mp_ingest_check_token(mp_ingest *in, bool given);

/* The token that the record is sent with. */
const char *mp_ingest_token_sent(const mp_ingest *in);

/* Appends the id that comes next, as a string. *id: what it says, valid until
 * the copier's text changes; data NULL, and nothing is appended, for null. */
mp_err mp_ingest_id(mp_ingest *in, mp_span *id);

/* Appends the event's time that comes next, or nothing for null. */
mp_err mp_ingest_time(mp_ingest *in, int64_t *time_ms);

/* Appends the event's $insert_id that comes next, if it is one. */
mp_err mp_ingest_insert_id(mp_ingest *in, bool *given);

/* Appends the address that comes next, or nothing when the rules have another,
 * for null, and for what a repair makes null. */
mp_err mp_ingest_address(mp_ingest *in, bool *given);

/* Appends ,"name": for the property of an object that comes next; with
 * *excluded appends nothing and skips its value too. */
mp_err mp_ingest_property(mp_ingest *in, uint32_t object, mp_span *name,
                          bool *excluded);

/* Appends any text. */
mp_err mp_ingest_put(mp_ingest *in, const char *text);

/* Append ,"name":value; the text has nothing to escape. */
mp_err mp_ingest_put_text(mp_ingest *in, const char *name, const char *text);
mp_err mp_ingest_put_number(mp_ingest *in, const char *name, int64_t number);

/* Reads null. *null: it was there. */
mp_err mp_ingest_null(mp_ingest *in, bool *null);

#endif
