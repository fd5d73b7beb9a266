/* Any bytes as the state of a user: what is taken is written again, and that
 * is taken and written the same. */
#include "fuzz.h"

#include "core/record/parse.h"
#include "core/user/user_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char message[MP_MESSAGE] = "";
    mp_user user = {0}, again = {0};
    mp_buf first = {0}, second = {0};
    mp_parse_set_up(1);
    mp_err err = mp_user_read(&user, (const char *)data, size, message);
    MUST(err == MP_OK || (err == MP_INVALID && message[0]));
    if (err == MP_OK && user.ids.distinct_id.len > 0) {
        MUST(mp_user_write(&user, &first) == MP_OK);
        MUST(mp_user_read(&again, first.data, first.len, message) == MP_OK);
        MUST(mp_user_write(&again, &second) == MP_OK);
        MUST(first.len == second.len);
        MUST(memcmp(first.data, second.data, first.len) == 0);
    }
    mp_buf_free(&first);
    mp_buf_free(&second);
    mp_user_free(&user);
    mp_user_free(&again);
    return 0;
}
