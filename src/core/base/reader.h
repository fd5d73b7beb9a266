/* Reads JSON text (RFC 8259) piece by piece, strictly, without building
 * anything: the caller asks for what it expects next. Knows nothing of what the
 * text means, and sets no limit but to nesting.
 *
 * A function that returns false found the text to be no JSON, or other than
 * what was asked for; `error` then says why, `at` where. Nothing can be read
 * after that. White space in front of what is read is skipped. */
#ifndef MP_READER_H
#define MP_READER_H

#include "core/base/span.h"

enum {
    MP_READER_DEPTH = 1024 /* levels that mp_reader_skip follows */
};

typedef struct mp_reader {
    const char *start, *at, *end;
    const char *error; /* a static text; NULL: nothing is wrong so far */
    bool ill_formed;   /* some string so far is no well-formed UTF-8 */
} mp_reader;

/* A byte order mark in front of the text is skipped. */
void mp_reader_start(mp_reader *r, const char *text, size_t len);

/* The first byte of what comes next, which tells its kind: one of {["tfn-0..9
 * for a value. '\0': the end, or a zero byte, which is an error to read. */
static inline char mp_reader_peek(mp_reader *r);

/* Sets the error; always returns false. */
bool mp_reader_fail(mp_reader *r, const char *error);

/* Reads the { or [ of a value that mp_reader_peek told to begin so. Then
 * mp_reader_more reads what stands in front of each member or element,
 * *first is true for the first one; false: `close`, } or ], was read, or there
 * is an error. */
void mp_reader_open(mp_reader *r, bool *first);
bool mp_reader_more(mp_reader *r, char close, bool *first);

/* What stands between the quotes. *clean: it has no escapes and is well-formed
 * UTF-8, so that it says what it means. */
bool mp_reader_string(mp_reader *r, mp_span *text, bool *clean);

/* The same of a member's name, and reads the colon. */
bool mp_reader_name(mp_reader *r, mp_span *text, bool *clean);

bool mp_reader_number(mp_reader *r, mp_span *text);

/* true, false or null. */
bool mp_reader_literal(mp_reader *r, mp_span *text);

/* Reads a value of any kind. */
bool mp_reader_skip(mp_reader *r);

/* ---- how most text, which has no white space, is looked at ---- */

char mp_reader_peek_behind_space(mp_reader *r);

static inline char mp_reader_peek(mp_reader *r) {
    if (r->at < r->end && (unsigned char)*r->at > ' ')
        return *r->at;
    return mp_reader_peek_behind_space(r);
}

#endif
