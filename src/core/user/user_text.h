/* A user as text, to outlive the process: one JSON object.
 *
 *     {"version":1,"distinct_id":"u1","device_id":"…","user_id":"u1",
 *      "identified":true,"consent":"given",
 *      "properties":{"plan":"\"pro\""},"timers":{"Level":1795460000123},
 *      "held":["{\"$set\":{…}}"]}
 *
 * The values of properties, and pending updates, are strings that hold JSON, so
 * that no reader can cost a number its digits. What is empty is left out. */
#ifndef MP_USER_TEXT_H
#define MP_USER_TEXT_H

#include "core/user/user.h"

/* Appends the text of the user. MP_MEMORY. */
mp_err mp_user_write(const mp_user *user, mp_buf *out);

/* Fills an all-zero user from a text. MP_INVALID with a message, MP_MEMORY;
 * free the user even then. A text without ids leaves it without. The consent
 * is there even of a text whose other members cannot be used. */
mp_err mp_user_read(mp_user *user, const char *text, size_t len,
                    char message[MP_MESSAGE]);

#endif
