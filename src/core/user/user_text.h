/* A user as text, to outlive the process: one JSON object.
 *
 *     {"version":1,"distinct_id":"u1","device_id":"…","user_id":"u1",
 *      "identified":true,"consent":"given",
 *      "properties":{"plan":"\"pro\""},"timers":{"Level":1795460000123},
 *      "held":["{\"$set\":{…}}"],"flags_at":1795460000123,
 *      "flags":"{\"new-ui\":{\"variant_key\":…}}"}
 *
 * The values of properties, pending updates, and the variants of flags are
 * strings that hold JSON, so that no reader can cost a number its digits. What
 * is empty is left out. */
#ifndef MP_USER_TEXT_H
#define MP_USER_TEXT_H

#include "core/user/user.h"

#define MP_USER_TEXT_START "{\"version\":"

enum {
    MP_USER_TEXT_VERSION = 1
};

/* Appends the text of the user. MP_MEMORY. */
mp_err mp_user_write(const mp_user *user, mp_buf *out);

/* True for the first bytes of what mp_user_write makes, and for what is empty
 * or all zeros, as a file may be that was written when the power went. Nothing
 * else is replaced. */
bool mp_user_text_is_ours(const char *text, size_t len);

/* True for what a newer version of this module wrote. */
bool mp_user_text_is_newer(const char *text, size_t len);

/* True for a text that holds a refusal of consent, whole or cut. */
bool mp_user_text_refuses(const char *text, size_t len);

/* True for a text that keeps who the user is. */
bool mp_user_text_has_ids(const char *text, size_t len);

/* Fills an all-zero user from a text. MP_INVALID with a message, MP_MEMORY;
 * free the user even then. A text without ids leaves it without. A
 * refusal is there even of a text that cannot be used. Of too many properties
 * it reads one more than there may be. */
mp_err mp_user_read(mp_user *user, const char *text, size_t len,
                    char message[MP_MESSAGE]);

#endif
