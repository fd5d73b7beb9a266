/* Any bytes as the body of a request, or as the inside of a record. Input: a
 * byte of options, the bytes. */
#include "fuzz.h"

#include "core/ingest/body.h"
#include "core/ingest/ingest.h"
#include "core/record/line.h"
#include "core/record/parse.h"

enum {
    MOST = 64 * 1024
};

static const mp_ingest_token token = {"T", "T"};

static mp_ingest_rules read_rules(uint8_t options) {
    return (mp_ingest_rules){
        .lane = (mp_lane_id)(options & 3),
        .tokens = &token,
        .token_count = 1,
        .token_optional = true,
        .may_merge = options & 4,
        .reject = options & 8,
        .lines = options & 16,
        .keep_equal = options & 32,
        .no_address = true,
        .profile_time = true,
        .now_ms = 1795460000123,
        .records_max = 100,
    };
}

/* A record is one line that reads back as what it was taken for. */
static void check_record(const mp_record *record, const mp_endpoint *endpoint) {
    mp_record back;
    MUST(record->head_len <= MP_RECORD_MAX);
    MUST(!memchr(record->head, '\n', record->head_len));
    MUST(mp_line_read(record->head, record->head_len, endpoint, NULL, &back,
                      NULL) == MP_OK);
    MUST(back.kind == record->kind &&
         back.ordering_key == record->ordering_key);
    MUST(endpoint->profiles || llabs(back.time_ms - record->time_ms) <= 1);
}

static void check_refusal(const mp_ingest_refusal *refusal, size_t len) {
    MUST(refusal->offset + refusal->len <= len && refusal->len > 0);
    MUST(refusal->reason[0] != '\0');
}

/* Taken once more, it stays what it is: what is put in place moves to its end
 * once, and then stays there. */
static void check_again(const mp_ingest_rules *rules, const mp_record *record,
                        int times) {
    static mp_ingest *ingests[3];
    mp_ingest_result result;
    if (!ingests[times])
        ingests[times] = mp_ingest_new(7);
    MUST(mp_ingest_read(ingests[times], rules, record->head, record->head_len,
                        &result) == MP_OK);
    MUST(result.taken == 1);
    if (times > 0)
        MUST(result.records->head_len == record->head_len &&
             memcmp(result.records->head, record->head, record->head_len) == 0);
    else
        check_again(rules, result.records, times + 1);
}

static void check_text(const mp_ingest_rules *rules, const char *text,
                       size_t len) {
    static mp_ingest *ingest;
    mp_ingest_result result;
    if (!ingest)
        ingest = mp_ingest_new(7);
    mp_err err = mp_ingest_read(ingest, rules, text, len, &result);
    MUST(err == MP_OK || err == MP_INVALID);
    MUST((err == MP_OK) == !result.error);
    MUST(err == MP_OK || result.error_at <= len);
    for (size_t i = 0; i < result.taken; i++) {
        check_record(&result.records[i], &mp_endpoints[rules->lane]);
        check_again(rules, &result.records[i], 0);
    }
    for (size_t i = 0; i < result.refused; i++)
        check_refusal(&result.refusals[i], len);
}

/* What the bytes become the inside of, for each endpoint. */
static const char *const heads[] = {
    "{\"event\":\"E\",\"properties\":{",
    "[{\"event\":\"E\",\"properties\":{\"time\":1700000000,",
    "{\"$token\":\"T\",\"$distinct_id\":\"d\",",
    "{\"$group_key\":\"k\",\"$group_id\":\"i\",\"$set\":{",
};
static const char *const tails[] = {"}}", "}}]", "}", "}}"};

static void check_inside(const mp_ingest_rules *rules, const char *inside,
                         size_t len) {
    const char *head = heads[rules->lane], *tail = tails[rules->lane];
    size_t head_len = strlen(head), tail_len = strlen(tail);
    char *text = malloc(head_len + len + tail_len);
    MUST(text);
    memcpy(text, head, head_len);
    memcpy(text + head_len, inside, len);
    memcpy(text + head_len + len, tail, tail_len);
    check_text(rules, text, head_len + len + tail_len);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static mp_body body;
    if (size < 1)
        return 0;
    mp_parse_set_up(1);
    mp_ingest_rules rules = read_rules(data[0]);
    const char *bytes = (const char *)data + 1;
    if (data[0] & 128) {
        check_inside(&rules, bytes, size - 1);
        return 0;
    }
    mp_err err = mp_body_read(&body, bytes, size - 1, data[0] & 64, MOST);
    MUST(err == MP_OK || err == MP_INVALID);
    MUST((err == MP_OK) == !body.reason);
    if (err == MP_OK)
        check_text(&rules, body.json, body.len);
    return 0;
}
