/* Updates of people and groups as Mixpanel takes them: operations, their
 * payloads, and the modifiers beside them. */
#ifndef MP_PROFILE_H
#define MP_PROFILE_H

#include "binding/encode/encode.h"
#include "binding/encode/id.h"
#include "binding/lua/handle.h"

#include "core/project/project.h"
#include "core/record/operation.h"

/* In front of an update of people: no place is made up from the sender's. */
#define MP_PROFILE_NO_IP ",\"$ip\":\"0\""

/* Appends ,"$time": and now, in milliseconds, to an update of people, unless
 * the option 'profile_time' is false: Mixpanel applies updates in the order of
 * their times (Mixpanel docs, user profiles). */
void mp_profile_put_time(mp_buf *out, const mp_project *project);

/* Errors of the functions below stay in the encoder: see encode.h. They take
 * the indexes of stack slots, which must be positive. */

/* Appends ,"$set": and the value at the top, checked as the payload.
 * *nothing: all that it had was excluded. */
void mp_profile_operate(mp_encode *e, const mp_operation *operation,
                        bool *nothing);

/* The same for one property, whose name, a string, is at index `name` and
 * whose value is at the top. */
void mp_profile_operate_one(mp_encode *e, const mp_operation *operation,
                            int name, bool *nothing);

/* Appends ,"$append":{"$transactions":{...}} for the number at index
 * `amount` and the properties at `table` (0: none). */
void mp_profile_charge(mp_encode *e, int amount, int table);

/* The record's first part: {"$token":"T","$distinct_id":"id", or, with two
 * ids, "$group_key" and "$group_id". */
void mp_profile_head(mp_encode *e, const char *token, const mp_id *ids,
                     int count);

#endif
