/* A fast hash of bytes: for tables with a seed that nobody knows, so that
 * nobody can choose names that collide; with a fixed seed for ids, equal on
 * every machine. Not for secrets. */
#ifndef MP_HASH_H
#define MP_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t mp_hash(uint64_t seed, const void *bytes, size_t len);

#endif
