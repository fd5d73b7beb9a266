/* Jitter, and the ids of events. */
#ifndef MP_RNG_H
#define MP_RNG_H

#include "core/base/err.h"

#include <stdint.h>

/* A small generator for jitter, seeded by its owner; equal seeds give equal
 * sequences, which is what tests want. Not thread-safe. */
typedef struct mp_rng {
    uint64_t state;
} mp_rng;

/* The next number in [0, 1). */
double mp_rng_unit(mp_rng *rng);

enum {
    MP_INSERT_ID = 32
};

/* Writes 32 hex digits, no NUL: 16 of a random prefix drawn once per process
 * and 16 of a counter, so ids never repeat within a process and a forked
 * child that calls mp_insert_id_reseed() shares none with its parent.
 * Mixpanel allows at most 36 bytes of [A-Za-z0-9-] (docs, import events).
 * Thread: any. */
void mp_insert_id(char out[MP_INSERT_ID]);

enum {
    MP_UUID = 36
};

/* Writes a random UUID (version 4, RFC 9562) in lower case, no NUL.
 * Thread: any. */
void mp_uuid(char out[MP_UUID]);

/* Draws a new prefix. Called before the first id and in a forked child,
 * while no other thread can be minting one. */
void mp_insert_id_reseed(void);

#endif
