/* Reads a record back from its line of JSON: what a batch is cut by, for
 * records that come from a file. */
#ifndef MP_LINE_H
#define MP_LINE_H

#include "core/record/segment.h"

/* The hash of an ordering key: an id, or a group's key and then its id. Begins
 * with a number that nobody knows, or somebody could choose ids that hold up
 * those of others. Equal ids have equal ones in one process. */
uint64_t mp_line_ordering_seed(void);
uint64_t mp_line_ordering_key(uint64_t hash, const char *id, size_t len);

/* Fills in the record of `json`, which stays the caller's, as this endpoint
 * takes them, and in *foreign whether it names a project of another token;
 * without a token nobody asks for that, and both are NULL. MP_INVALID: it is no
 * such record; MP_MEMORY. */
mp_err mp_line_read(const char *json, size_t len, const mp_endpoint *endpoint,
                    const char *token, mp_record *out, bool *foreign);

#endif
