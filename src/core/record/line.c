#include "core/record/line.h"

#include "core/base/hash.h"
#include "core/os/random.h"
#include "core/record/event_name.h"
#include "core/record/event_time.h"
#include "core/record/operation.h"
#include "core/record/parse.h"

#include <stdatomic.h>

uint64_t mp_line_ordering_seed(void) {
    static _Atomic uint64_t seed; /* 0: not drawn yet */
    uint64_t drawn = atomic_load_explicit(&seed, memory_order_relaxed);
    if (drawn == 0) {
        uint64_t fresh = mp_random_bits() | 1;
        if (atomic_compare_exchange_strong(&seed, &drawn, fresh))
            drawn = fresh;
    }
    return drawn;
}

uint64_t mp_line_ordering_key(uint64_t hash, const char *id, size_t len) {
    return mp_hash(hash, id, len);
}

static bool read_event(const json_t *root, mp_record *out) {
    const json_t *event = json_object_get(root, "event");
    const json_t *properties = json_object_get(root, "properties");
    if (!json_is_string(event) || !json_is_object(properties))
        return false;
    if (mp_event_name_is_identity(json_string_value(event),
                                  json_string_length(event)))
        out->kind = MP_IDENTITY;
    double time = json_number_value(json_object_get(properties, "time"));
    if (time < MP_EVENT_TIME_MIN_MS) /* as SDKs send it: in seconds */
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

static bool read_profile(const json_t *root, mp_record *out) {
    out->ordering_key = mp_line_ordering_seed();
    for (const mp_operation *o = mp_operations; o->name; o++)
        if (o->kind != MP_PLAIN && json_object_get(root, o->name))
            out->kind = o->kind;
    return hash_text(root, "$distinct_id", &out->ordering_key) ||
           (hash_text(root, "$group_key", &out->ordering_key) &&
            hash_text(root, "$group_id", &out->ordering_key));
}

/* The encoder writes 64-bit integers without a sign, which jansson takes only
 * when told so, and zero bytes, also in the names of properties. */
mp_err mp_line_read(const char *json, size_t len, const mp_endpoint *endpoint,
                    mp_record *out) {
    json_error_t error;
    json_t *root = mp_parse_any_key(json, len, JSON_DECODE_INT_AS_REAL, &error);
    *out = (mp_record){.head = json, .head_len = len};
    if (!root)
        return mp_parse_failure(&error);
    bool read =
        json_is_object(root) &&
        (endpoint->profiles ? read_profile(root, out) : read_event(root, out));
    json_decref(root);
    return read ? MP_OK : MP_INVALID;
}
