/* Any bytes as a part of a file: lines, values, rows of CSV. Input: a byte of
 * options, one for the separator, the bytes. What is read whole and what is
 * read in two pieces, cut anywhere, is the same. */
#include "fuzz.h"

#include "core/ingest/ingest.h"
#include "core/record/line.h"
#include "core/record/parse.h"

static const mp_ingest_token token = {"T", "T"};

static const mp_csv_column columns[] = {
    {.name = "\"event\":", .outside = true, .is_text = true},
    {.name = "\"time\":", .is_text = true},
    {.name = NULL},
    {.name = "\"x\":"},
};

static mp_csv csv = {
    .columns = columns,
    .count = sizeof columns / sizeof *columns,
    .outside = "",
    .inside = "\"properties\":",
    .members = "\"distinct_id\":\"d\",",
    .header = "event,time,,x",
};

static mp_ingest_rules read_rules(uint8_t options) {
    static const mp_lane_id lanes[] = {MP_LANE_IMPORT, MP_LANE_EVENTS,
                                       MP_LANE_PEOPLE, MP_LANE_IMPORT};
    return (mp_ingest_rules){
        .lane = lanes[options & 3],
        .items = (mp_ingest_items)(MP_INGEST_LINES + (options >> 2 & 3) % 3),
        .csv = &csv,
        .split = options & 16,
        .time_text = options & 32,
        .time_required = options & 64,
        .reject = options & 128,
        .tokens = &token,
        .token_count = 1,
        .token_optional = true,
        .keep_equal = true,
        .profile_time = true,
        .no_address = true,
        .may_merge = true,
        .now_ms = 1795460000123,
        .records_max = SIZE_MAX,
    };
}

/* What all records of a text come to, in any order. */
typedef struct sums {
    size_t taken, refused;
    uint32_t hashes;
} sums;

static void add_bytes(sums *s, const char *bytes, size_t len) {
    uint32_t hash = 2166136261; /* FNV-1a, which wraps around */
    for (size_t i = 0; i < len; i++)
        hash =
            (uint32_t)((hash ^ (unsigned char)bytes[i]) * UINT64_C(16777619));
    s->hashes = (uint32_t)((uint64_t)s->hashes + hash);
}

static void check_refusal(const mp_ingest_rules *rules,
                          const mp_ingest_result *result,
                          const mp_ingest_refusal *refusal, size_t len) {
    MUST(refusal->offset + refusal->len <= len);
    MUST(refusal->len > 0);
    MUST(rules->split || refusal->reason[0] != '\0');
    if (refusal->json_len > 0) {
        MUST(rules->items == MP_INGEST_ROWS);
        MUST(result->rows[refusal->json] == '{');
        MUST(result->rows[refusal->json + refusal->json_len - 1] == '}');
    }
}

/* Reads a text, which begins at `position`; returns how many bytes of it. */
static size_t read_part(mp_ingest_rules *rules, const char *text, size_t len,
                        uint64_t position, sums *s) {
    static mp_ingest *ingest;
    mp_ingest_result result;
    mp_record back;
    if (!ingest)
        ingest = mp_ingest_new(7);
    rules->position = position;
    MUST(mp_ingest_read(ingest, rules, text, len, &result) == MP_OK);
    MUST(result.consumed <= len && (!rules->last || result.consumed == len));
    MUST(!rules->split || result.taken == 0);
    for (size_t i = 0; i < result.taken; i++) {
        const mp_record *record = &result.records[i];
        const mp_endpoint *to = &mp_endpoints[result.marks[i].lane];
        MUST(result.marks[i].offset < len);
        MUST(!memchr(record->head, '\n', record->head_len));
        MUST(mp_line_read(record->head, record->head_len, to, NULL, &back,
                          NULL) == MP_OK);
        add_bytes(s, record->head, record->head_len);
    }
    for (size_t i = 0; i < result.refused; i++) {
        const mp_ingest_refusal *refusal = &result.refusals[i];
        check_refusal(rules, &result, refusal, len);
        if (refusal->json_len > 0)
            add_bytes(s, result.rows + refusal->json, refusal->json_len);
    }
    s->taken += result.taken;
    s->refused += result.refused;
    return result.consumed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 3)
        return 0;
    mp_parse_set_up(1);
    mp_ingest_rules rules = read_rules(data[0]);
    const char *text = (const char *)data + 3;
    size_t len = size - 3, cut = len > 0 ? data[2] % len : 0;
    sums whole = {0}, parts = {0};
    csv.separator = data[1] & 1 ? ',' : (char)data[1];
    rules.last = true;
    read_part(&rules, text, len, 0, &whole);
    rules.last = false;
    size_t done = read_part(&rules, text, cut, 0, &parts);
    rules.last = true;
    read_part(&rules, text + done, len - done, done, &parts);
    MUST(whole.taken == parts.taken && whole.refused == parts.refused);
    MUST(whole.hashes == parts.hashes);
    return 0;
}
