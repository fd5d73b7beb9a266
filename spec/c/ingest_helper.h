/* Reads texts with mp_ingest, for its specs. */
#ifndef MP_INGEST_HELPER_H
#define MP_INGEST_HELPER_H

#include "core/ingest/ingest.h"
#include "unit.h"

#include <stdlib.h>

static const mp_ingest_token helper_tokens[] = {{"T", "T"}, {"other", "mine"}};

/* What most specs read with; each may change its copy. */
static mp_ingest_rules helper_rules(mp_lane_id lane) {
    return (mp_ingest_rules){
        .lane = lane,
        .tokens = helper_tokens,
        .token_count = 2,
        .now_ms = 1795460000123,
        .records_max = 2000,
    };
}

static mp_ingest *helper_ingest;
static mp_ingest_result helper_result;

/* The text is copied into a block of its size, so that ASan sees whoever reads
 * beyond it. */
static mp_err helper_read(const mp_ingest_rules *rules, const char *text,
                          size_t len) {
    static char *copy;
    free(copy);
    copy = malloc(len > 0 ? len : 1);
    memcpy(copy, text, len);
    if (!helper_ingest)
        helper_ingest = mp_ingest_new(42);
    return mp_ingest_read(helper_ingest, rules, copy, len, &helper_result);
}

#define CHECK_NUMBER(number, expected)                                         \
    do {                                                                       \
        size_t unit_got = (number), unit_want = (expected);                    \
        CHECK(unit_got == unit_want);                                          \
        if (unit_got != unit_want)                                             \
            fprintf(stderr, "got %zu, expected %zu\n", unit_got, unit_want);   \
    } while (0)

/* The record of a text that holds one, which must be taken. */
static inline const mp_record *helper_record(const mp_ingest_rules *rules,
                                             const char *text) {
    static const mp_record none = {.head = ""};
    mp_err err = helper_read(rules, text, strlen(text));
    CHECK(err == MP_OK && helper_result.taken == 1);
    if (err == MP_OK && helper_result.refused > 0)
        fprintf(stderr, "refused: %s: %s\n", helper_result.refusals->field,
                helper_result.refusals->reason);
    return err == MP_OK && helper_result.taken == 1 ? helper_result.records
                                                    : &none;
}

#define CHECK_TAKEN(rules, text, expected)                                     \
    do {                                                                       \
        const mp_record *taken = helper_record((rules), (text));               \
        CHECK_TEXT(taken->head, taken->head_len, (expected));                  \
    } while (0)

/* Of a text with one record, which must be refused. */
#define CHECK_REFUSED(rules, text, where, why)                                 \
    do {                                                                       \
        mp_err refused_err = helper_read((rules), (text), strlen(text));       \
        bool is_refused = refused_err == MP_OK && helper_result.taken == 0 &&  \
                          helper_result.refused == 1;                          \
        CHECK(is_refused);                                                     \
        if (is_refused) {                                                      \
            const mp_ingest_refusal *r = helper_result.refusals;               \
            CHECK_TEXT(r->field, strlen(r->field), (where));                   \
            CHECK_TEXT(r->reason, strlen(r->reason), (why));                   \
        }                                                                      \
    } while (0)

/* Of a text that is no JSON. */
#define CHECK_ERROR(rules, text, at, why)                                      \
    do {                                                                       \
        CHECK(helper_read((rules), (text), strlen(text)) == MP_INVALID);       \
        CHECK_NUMBER(helper_result.error_at, (at));                            \
        if (helper_result.error)                                               \
            CHECK_TEXT(helper_result.error, strlen(helper_result.error),       \
                       (why));                                                 \
        CHECK(helper_result.error &&helper_result.taken == 0);                 \
    } while (0)

#endif
