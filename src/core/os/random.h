/* Random bits of the system. */
#ifndef MP_RANDOM_H
#define MP_RANDOM_H

#include <stdint.h>

/* 64 bits from the kernel. Where it has none yet or a sandbox denies them,
 * bits that differ between processes and between calls. Never blocks.
 * Thread: any. */
uint64_t mp_random_bits(void);

#endif
