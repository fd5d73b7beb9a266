#include "core/spool/trust.h"

#include "core/os/file.h"
#include "core/os/syserr.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* What the option spool_owner = "any" is for. */
static int refuse_owner(const mp_file_info *seen, char why[MP_MESSAGE]) {
    static const char cure[] = "which spool_owner = \"any\" allows";
    if (seen->owner == MP_FILE_OTHERS)
        snprintf(why, MP_MESSAGE, "it belongs to user %" PRIu32 ", %s",
                 seen->user, cure);
    else if (seen->group_writes)
        snprintf(why, MP_MESSAGE, "its group can write to it, %s", cure);
    else
        return 0;
    return EPERM;
}

int mp_trust_check(int dir, mp_trust trust, char why[MP_MESSAGE]) {
    mp_file_info seen;
    char text[MP_SYSERR];
    int err = mp_file_stat(dir, &seen);
    if (err != 0) {
        snprintf(why, MP_MESSAGE, "%s", mp_syserr_text(err, text));
        return err;
    }
    if (seen.anybody_writes) {
        snprintf(why, MP_MESSAGE, "others can write to it");
        return EPERM;
    }
    return trust == MP_TRUST_ANY ? 0 : refuse_owner(&seen, why);
}
