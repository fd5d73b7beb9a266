/* Copies values from JSON text into a buffer, as records hold them: without
 * white space, in valid UTF-8, no name twice in an object, no deeper and no
 * longer than Mixpanel takes. Numbers stay as they are written, and so do
 * strings, unless they hold escapes: those become the characters they stand
 * for where JSON lets them. Knows nothing of events or profiles.
 *
 * Every function returns MP_OK; MP_MEMORY; or MP_INVALID: with a reason in
 * `fault` the value has no place in a record, else the reader's error says why
 * the text is no JSON. What was appended until then is the caller's to drop. */
#ifndef MP_COPIER_H
#define MP_COPIER_H

#include "core/base/buf.h"
#include "core/base/fault.h"
#include "core/base/reader.h"
#include "core/ingest/names.h"
#include "core/record/limits.h"

/* All zero but `reject` and the seed of `names`: empty. */
typedef struct mp_copier {
    mp_reader reader;
    mp_buf out;
    size_t list_max;    /* elements of a list; SIZE_MAX: any number */
    bool reject;        /* refuse what could be repaired */
    uint32_t repaired;  /* names and values of this record */
    uint32_t truncated; /* texts and names of more than MP_TEXT_MAX bytes */
    mp_fault fault;
    mp_names names;
    mp_buf text; /* scratch */
} mp_copier;

/* Makes it ready for another record, whose fault's path begins with `root`. */
void mp_copier_start(mp_copier *c, const char *root);
void mp_copier_free(mp_copier *c);

/* Appends the value that comes next, of a property or of an object that lies
 * `objects` objects deep in one. */
mp_err mp_copier_value(mp_copier *c, int objects);

/* Appends ,"name": for the member that comes next. *name: what stands between
 * the quotes, in the buffer, with which it moves. */
mp_err mp_copier_any_name(mp_copier *c, mp_span *name);

/* Adds such a name to an object, a number of mp_names_object; MP_INVALID if it
 * has one like it. */
mp_err mp_copier_add_name(mp_copier *c, uint32_t object, const mp_span *name);

/* Both: appends and adds. */
mp_err mp_copier_name(mp_copier *c, uint32_t object, mp_span *name);

/* Appends the string that comes next. *text: what it says, until the scratch
 * or the text that is read from changes. */
mp_err mp_copier_string(mp_copier *c, mp_span *text);

/* Appends the number that comes next. */
mp_err mp_copier_number(mp_copier *c);

/* Ends an object or list of which members or elements were appended since
 * `start`, each with a comma in front, which makes the first its bracket. */
mp_err mp_copier_close(mp_copier *c, size_t start, const char *brackets);

/* Reads the next value and appends nothing. */
mp_err mp_copier_skip(mp_copier *c);

#endif
