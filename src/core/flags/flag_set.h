/* All flags of a project: what the server sent, compiled into one snapshot
 * that nobody changes and many threads read at once. */
#ifndef MP_FLAG_SET_H
#define MP_FLAG_SET_H

#include "core/flags/flag.h"

typedef struct mp_flag_set mp_flag_set;

enum {
    MP_FLAG_SET_BYTES = 16 * 1024 * 1024 /* of JSON, at the most */
};

/* Compiles an answer of /flags/definitions: {"flags": […]}. The set has one
 * reference, the caller's. MP_MEMORY; or MP_INVALID, and the message says
 * why, for what is no such answer. A flag in it that is malformed is left
 * out, and mp_flag_set_faults tells. Of flags with one key the last counts. */
mp_err mp_flag_set_compile(const char *text, size_t len, mp_flag_set **out,
                           char message[MP_MESSAGE]);

/* Thread: any. The last reference that is dropped frees the set. */
mp_flag_set *mp_flag_set_keep(mp_flag_set *set); /* one more */
void mp_flag_set_drop(mp_flag_set *set);         /* NULL: nothing */

uint32_t mp_flag_set_count(const mp_flag_set *set);
const mp_flag *mp_flag_set_at(const mp_flag_set *set, uint32_t i);

/* The flag of a key; NULL: none. */
const mp_flag *mp_flag_set_find(const mp_flag_set *set, const char *key,
                                size_t len);

/* How many flags are left out or never hold for what is wrong with them, and
 * what is wrong with the first: "" if there are none. */
uint32_t mp_flag_set_faults(const mp_flag_set *set, const char **first);

#endif
