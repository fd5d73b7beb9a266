/* Any bytes as a line of the spool: what is read of it points into it, and says
 * what jansson finds in it. Input: a byte that says whether it is a profile's,
 * the line. */
#include "fuzz.h"

#include "core/record/event_name.h"
#include "core/record/event_time.h"
#include "core/record/line.h"
#include "core/record/operation.h"
#include "core/record/parse.h"

#include <math.h>

static const char token[] = "T";

/* ---- as jansson reads it ---- */

static bool describe_event(const json_t *root, mp_record *out) {
    const json_t *event = json_object_get(root, "event");
    const json_t *properties = json_object_get(root, "properties");
    if (!json_is_string(event) || !json_is_object(properties))
        return false;
    if (mp_event_name_is_identity(json_string_value(event),
                                  json_string_length(event)))
        out->kind = MP_IDENTITY;
    double time = json_number_value(json_object_get(properties, "time"));
    if (time < MP_EVENT_TIME_MIN_MS)
        time *= 1000;
    out->time_ms = time > 0 && time < 1e18 ? (int64_t)time : 0;
    return true;
}

static bool hash_text(const json_t *root, const char *key, uint64_t *hash) {
    const json_t *text = json_object_get(root, key);
    if (!json_is_string(text))
        return false;
    *hash = mp_line_ordering_key(*hash, json_string_value(text),
                                 json_string_length(text));
    return true;
}

static bool describe_profile(const json_t *root, mp_record *out) {
    out->ordering_key = mp_line_ordering_seed();
    for (const mp_operation *o = mp_operations; o->name; o++)
        if (o->kind != MP_PLAIN && json_object_get(root, o->name))
            out->kind = o->kind;
    return hash_text(root, "$distinct_id", &out->ordering_key) ||
           (hash_text(root, "$group_key", &out->ordering_key) &&
            hash_text(root, "$group_id", &out->ordering_key));
}

static bool is_foreign(const json_t *root, bool profile) {
    const json_t *named =
        profile ? json_object_get(root, "$token")
                : json_object_get(json_object_get(root, "properties"), "token");
    return named &&
           (json_string_length(named) != sizeof token - 1 ||
            memcmp(json_string_value(named), token, sizeof token - 1) != 0);
}

/* ---- both ---- */

/* True if jansson may refuse what we take: half of a character, a number beyond
 * all doubles, a zero byte in a name. */
static bool differs(const char *json, size_t len) {
    return len > 300 || memchr(json, '\\', len) || memchr(json, 'e', len) ||
           memchr(json, 'E', len);
}

static bool is_near(int64_t a, int64_t b) {
    return fabs((double)a - (double)b) <= 1 + fabs((double)a) * 1e-15;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mp_record record, other = {.kind = MP_PLAIN};
    bool foreign = false;
    json_error_t error;
    if (size < 1)
        return 0;
    mp_parse_set_up(1);
    const char *json = (const char *)data + 1;
    bool profile = data[0] & 1;
    mp_lane_id lane = profile ? MP_LANE_PEOPLE : MP_LANE_EVENTS;
    mp_err err = mp_line_read(json, size - 1, &mp_endpoints[lane], token,
                              &record, &foreign);
    MUST(err == MP_OK || err == MP_INVALID);
    MUST(err != MP_OK || (record.head == json && record.head_len == size - 1));
    json_t *root = mp_parse(json, size - 1,
                            JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
    bool read = root && json_is_object(root) &&
                (profile ? describe_profile(root, &other)
                         : describe_event(root, &other));
    if (root) {
        MUST(read == (err == MP_OK));
        MUST(!read || (record.kind == other.kind &&
                       record.ordering_key == other.ordering_key &&
                       is_near(record.time_ms, other.time_ms) &&
                       foreign == is_foreign(root, profile)));
    } else {
        MUST(err == MP_INVALID || differs(json, size - 1));
    }
    json_decref(root);
    return 0;
}
