#include "core/project/budget.h"

#include "core/record/segment.h"

enum {
    UNIT = 1000000, /* parts of a record or byte */
    WINDOW_S = 60,
    WINDOW_MS = WINDOW_S * 1000,
    PARTS = 20 /* of a window's worth: the largest request is one, unless a
                * segment holds less */
};

/* ---- a meter ---- */

static int64_t clamp(int64_t n, int64_t least, int64_t most) {
    if (n < least)
        return least;
    return n > most ? most : n;
}

/* `least` and `most`: of the largest request, whole records or bytes. */
static void set_rate(mp_meter *meter, double rate, int64_t least,
                     int64_t most) {
    bool begins = meter->rate == 0;
    if (rate == 0)
        *meter = (mp_meter){.rate = 0};
    if (rate == 0 || rate == meter->rate)
        return;
    int64_t window = (int64_t)(rate * WINDOW_S * UNIT), rise = meter->rise;
    meter->rate = rate;
    meter->largest = clamp(window / UNIT / PARTS, least, most);
    meter->top = window / WINDOW_S;
    meter->rise = (window - meter->top - meter->largest * UNIT) / WINDOW_MS;
    if (begins)
        meter->level = -meter->largest * UNIT;
    else if (meter->level < 0) /* it takes as long as before to be paid */
        meter->level = (int64_t)((double)meter->level / (double)rise *
                                 (double)meter->rise);
    else if (meter->level > meter->top)
        meter->level = meter->top;
}

static void advance(mp_meter *meter, int64_t ms) {
    if (meter->rate == 0)
        return;
    int64_t missing = meter->top - meter->level;
    if (ms > missing / meter->rise)
        meter->level = meter->top;
    else
        meter->level += meter->rise * ms;
}

/* Milliseconds until a request may start. */
static int64_t wait_of(const mp_meter *meter) {
    return meter->level < 0 ? (-meter->level + meter->rise - 1) / meter->rise
                            : 0;
}

static void take(mp_meter *meter, int64_t n) {
    if (meter->rate > 0)
        meter->level = clamp(meter->level - n * UNIT, INT64_MIN, meter->top);
}

/* ---- both ---- */

static void advance_to(mp_budget *budget, int64_t now_ms) {
    if (now_ms <= budget->ms)
        return;
    advance(&budget->records, now_ms - budget->ms);
    advance(&budget->bytes, now_ms - budget->ms);
    budget->ms = now_ms;
}

void mp_budget_set(mp_budget *budget, double rate, double byte_rate,
                   int64_t now_ms) {
    if (budget->records.rate == 0 && budget->bytes.rate == 0)
        budget->ms = now_ms;
    advance_to(budget, now_ms);
    set_rate(&budget->records, rate, 1, MP_SEGMENT_RECORDS);
    set_rate(&budget->bytes, byte_rate, MP_RECORD_MAX + 2, MP_SEGMENT_BYTES);
}

void mp_budget_restart(mp_budget *budget, int64_t now_ms) {
    double rate = budget->records.rate, byte_rate = budget->bytes.rate;
    *budget = (mp_budget){.ms = now_ms};
    mp_budget_set(budget, rate, byte_rate, now_ms);
}

int64_t mp_budget_opens(mp_budget *budget, int64_t now_ms) {
    advance_to(budget, now_ms);
    int64_t records_ms = wait_of(&budget->records);
    int64_t bytes_ms = wait_of(&budget->bytes);
    int64_t wait_ms = records_ms > bytes_ms ? records_ms : bytes_ms;
    if (wait_ms == 0)
        return now_ms;
    return budget->ms < INT64_MAX - wait_ms ? budget->ms + wait_ms : INT64_MAX;
}

uint32_t mp_budget_most_records(const mp_budget *budget) {
    return budget->records.rate > 0 ? (uint32_t)budget->records.largest
                                    : UINT32_MAX;
}

size_t mp_budget_most_bytes(const mp_budget *budget) {
    return budget->bytes.rate > 0 ? (size_t)budget->bytes.largest : SIZE_MAX;
}

void mp_budget_take(mp_budget *budget, uint32_t records, size_t bytes) {
    take(&budget->records, records);
    take(&budget->bytes, (int64_t)bytes);
}

void mp_budget_give_back(mp_budget *budget, uint32_t records, size_t bytes) {
    take(&budget->records, -(int64_t)records);
    take(&budget->bytes, -(int64_t)bytes);
}
