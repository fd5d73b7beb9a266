/* Whose directories are believed: what is read from one is sent with the
 * credentials of this process, so whoever can write to it must be trusted. */
#ifndef MP_TRUST_H
#define MP_TRUST_H

#include "core/base/err.h"

typedef enum mp_trust {
    MP_TRUST_OWNER, /* this process's user and root */
    MP_TRUST_ANY    /* any owner, and a group; never everybody */
} mp_trust;

/* Finds out whether an open directory is believed. Returns 0 or an errno
 * value, with the reason; EPERM: it is not. Blocks as long as the disk does. */
int mp_trust_check(int dir, mp_trust trust, char why[MP_MESSAGE]);

#endif
