/* Any bytes as a line of the spool: what is read of it points into it. Input:
 * a byte that says whether it is a profile's, the line. */
#include "fuzz.h"

#include "core/record/line.h"
#include "core/record/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mp_record record;
    if (size < 1)
        return 0;
    mp_parse_set_up(1);
    const char *json = (const char *)data + 1;
    mp_lane_id lane = data[0] & 1 ? MP_LANE_PEOPLE : MP_LANE_EVENTS;
    mp_err err = mp_line_read(json, size - 1, &mp_endpoints[lane], &record);
    MUST(err == MP_OK || err == MP_INVALID);
    MUST(err != MP_OK || (record.head == json && record.head_len == size - 1));
    return 0;
}
