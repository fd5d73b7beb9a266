/* What Mixpanel decided for a context: an answer of /flags, which nobody
 * changes and many threads read at once. */
#ifndef MP_VARIANTS_H
#define MP_VARIANTS_H

#include "core/flags/value.h"

typedef struct mp_variants mp_variants;

enum {
    MP_VARIANTS_BYTES = 4 * 1024 * 1024 /* of JSON, at the most */
};

/* When it was asked for and when it came; wall clock. */
typedef struct mp_variants_times {
    int64_t asked_ms, came_ms;
} mp_variants_times;

/* Reads {"flags": {"<key>": {"variant_key": …}}}. It has one reference, the
 * caller's. MP_MEMORY; or MP_INVALID, and the message says why, for what is no
 * such answer. What is no variant in it is left out. */
mp_err mp_variants_read(const char *text, size_t len,
                        const mp_variants_times *times, mp_variants **out,
                        char message[MP_MESSAGE]);

/* Thread: any. The last reference that is dropped frees it. */
mp_variants *mp_variants_keep(mp_variants *variants); /* one more */
void mp_variants_drop(mp_variants *variants);         /* NULL: nothing */

mp_variants_times mp_variants_when(const mp_variants *variants);

/* The variant of a flag, an object; NULL: this context has none. */
const mp_value *mp_variants_find(const mp_variants *variants, const char *flag,
                                 size_t len);

/* A field of a variant; undefined: none. */
mp_value mp_variants_field(const mp_value *variant, const char *name);

/* All of them: an object of objects, by the keys of the flags. */
const mp_value *mp_variants_all(const mp_variants *variants);

#endif
