/* How many records, and how many bytes of them, a project may send in a minute.
 *
 * Promised, of each of the two rates that is set: in every window of 60 seconds
 * what was taken and not given back is at most 60 * rate. Also
 *
 * of the first window: it begins in debt, as if a request that was as large as
 * may be had just been sent, so that a process that takes the place of another,
 * at the same rate, keeps the promise together with it. After a new rate: in
 * windows that begin behind it at most 60 times the new one, in those around
 * it, or around several, at most 60 times the highest one; where there was none
 * before it begins as above.
 *
 * The level of a meter rises evenly up to what a second is worth; a request may
 * start when it is not below zero, and is taken off it whole. So a window sees
 * at most what a second is worth, the largest request, and what the level rises
 * by; that rise is what the other two leave of 60 * rate: at least 93 % of it,
 * or 70 % where the largest request is a single record. Shorter windows are
 * bounded in the same way. What holds up a request behind its start, a disk or
 * a connection, is not seen.
 *
 * Pure: the caller passes the time, of mp_clock_mono_ms, which may stand still;
 * one that goes back counts as standing still. It serialises every use. */
#ifndef MP_BUDGET_H
#define MP_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of one rate. In millionths of a record or byte. */
typedef struct mp_meter {
    double rate;     /* a second; 0: no limit */
    int64_t level;   /* below 0: a debt */
    int64_t top;     /* of the level */
    int64_t rise;    /* a millisecond */
    int64_t largest; /* request */
} mp_meter;

/* All zero: nothing is limited. */
typedef struct mp_budget {
    mp_meter records, bytes;
    int64_t ms; /* the time of the levels */
} mp_budget;

/* Puts rates in force; 0: no limit. Each is in the range of its option. */
void mp_budget_set(mp_budget *budget, double rate, double byte_rate,
                   int64_t now_ms);

/* Begins anew, in debt, with the same rates. */
void mp_budget_restart(mp_budget *budget, int64_t now_ms);

/* When the next request may start: `now_ms`, or later. */
int64_t mp_budget_opens(mp_budget *budget, int64_t now_ms);

/* So many records or bytes a request may have; but a single record always
 * may. */
uint32_t mp_budget_most_records(const mp_budget *budget);
size_t mp_budget_most_bytes(const mp_budget *budget);

/* A request starts, or did not start after all. */
void mp_budget_take(mp_budget *budget, uint32_t records, size_t bytes);
void mp_budget_give_back(mp_budget *budget, uint32_t records, size_t bytes);

#endif
