/* Any bytes as the reply to any request: what is read of them is well-formed.
 * Input: a byte for the status, one for the number of records, the body. */
#include "fuzz.h"

#include "core/record/parse.h"
#include "core/wire/response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const int statuses[] = {200, 400, 401, 403, 404, 413,
                                   429, 500, 302, 204, 100, 0};
    if (size < 2)
        return 0;
    mp_parse_set_up(1);
    uint32_t count = data[1] + 1U;
    mp_reply reply = {
        .status = statuses[data[0] % (sizeof statuses / sizeof *statuses)],
        .body = (const char *)data + 2,
        .len = size - 2,
    };
    mp_response response;
    mp_lane_id lane = data[0] >= 128 ? MP_LANE_IMPORT : MP_LANE_EVENTS;
    MUST(mp_response_read(&response, &reply, &mp_endpoints[lane], count) ==
         MP_OK);
    MUST(memchr(response.text, '\0', sizeof response.text));
    MUST(response.failed_count <= count && response.missing <= count);
    MUST((response.result == MP_RESULT_PARTLY) == (response.failed_count > 0));
    for (uint32_t i = 0; i < response.failed_count; i++) {
        const mp_failed *failed = &response.failed[i];
        MUST(failed->index < count);
        MUST(i == 0 || failed->index > failed[-1].index);
        MUST(memchr(failed->field, '\0', sizeof failed->field));
        MUST(memchr(failed->message, '\0', sizeof failed->message));
    }
    mp_response_free(&response);
    return 0;
}
