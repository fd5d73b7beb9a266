/* A lane: the records of one endpoint from acceptance to outcome, as a state
 * machine without thread, network or clock.
 *
 * mp_lane_next gives the next batch to send, or when to ask again;
 * mp_lane_handle_reply takes what the API said of it. In between the batch
 * belongs to the caller, who only reads it, but for its origin. The lane counts
 * in the mp_stats it was made with. The project's lock is held for every call.
 */
#ifndef MP_LANE_H
#define MP_LANE_H

#include "core/config/settings.h"
#include "core/lane/fate.h"
#include "core/lane/report.h"
#include "core/record/batch.h"
#include "core/record/batch_file.h"
#include "core/record/queue.h"
#include "core/wire/response.h"

typedef struct mp_lane mp_lane;

/* An empty lane that counts in `stats`. Equal seeds give equal jitter. NULL:
 * out of memory. */
mp_lane *mp_lane_new(mp_lane_id id, mp_stats *stats, mp_host_kind host,
                     uint64_t seed);
void mp_lane_free(mp_lane *lane); /* with every record; NULL is allowed */

/* Where the lane tells what happened to records; NULL, as at first: nowhere.
 * Outlives the lane. */
void mp_lane_report_to(mp_lane *lane, mp_reports *reports);

/* In a forked child: forgets every record, whose bytes the child does not
 * have, and all history. The counters are the caller's. */
void mp_lane_clear(mp_lane *lane, uint64_t seed);

/* ---- records in ---- */

/* How many spare segments must be given before `n` records can be added. */
uint32_t mp_lane_missing(const mp_lane *lane, const mp_settings *settings,
                         const mp_record *records, size_t n);
void mp_lane_give(mp_lane *lane, mp_segment *segment);

/* Adds a record for which nothing is missing. True: a batch is full. */
bool mp_lane_add(mp_lane *lane, const mp_settings *settings,
                 const mp_record *record, uint64_t seq, int64_t now_ms);

/* What the wall clock is ahead of the monotonic one for records that are added
 * from now on: an event's age is what it was when it was accepted, and the
 * monotonic time since. */
void mp_lane_set_ahead(mp_lane *lane, int64_t ahead_ms);

/* Drops the oldest records that are not in a request: what is left of their
 * batch, or a whole segment; or has what was read together leave memory. False:
 * there are none. */
bool mp_lane_drop_oldest(mp_lane *lane, int64_t now_ms);

/* The sequence number of the record that mp_lane_drop_oldest would drop first;
 * UINT64_MAX: none. */
uint64_t mp_lane_droppable(const mp_lane *lane);

/* ---- batches out ---- */

/* The next batch to send, else NULL and in *next_ms when to ask again
 * (INT64_MAX: after the next mp_lane_add or mp_lane_handle_reply). `slots`: how
 * many more requests the project may have under way. */
mp_batch *mp_lane_next(mp_lane *lane, const mp_settings *settings,
                       int64_t now_ms, uint32_t slots, int64_t *next_ms);

/* Ends what is older than max_age of what waits in memory, as mp_lane_next
 * does. Returns when to ask again. INT64_MAX: nothing grows too old. */
int64_t mp_lane_expire(mp_lane *lane, const mp_settings *settings,
                       int64_t now_ms);

/* From now on no request has more, unless it is a single record: beside what
 * the endpoint and the settings say. At first there is no such limit. */
void mp_lane_limit(mp_lane *lane, uint32_t records, size_t bytes);

/* True if the lane is asked again after a reply or a pause and cannot go on
 * before, so that nobody need come to send what is added meanwhile. As the last
 * mp_lane_next found, or as it was set since. */
bool mp_lane_waits(const mp_lane *lane);
void mp_lane_set_waits(mp_lane *lane, bool waits);

/* Takes what was said of a batch, which is the lane's again.
 * `retry_after_ms`: of the reply. */
void mp_lane_handle_reply(mp_lane *lane, const mp_settings *settings,
                          mp_batch *batch, const mp_response *response,
                          int64_t retry_after_ms, int64_t now_ms);

/* Takes what is known of the batch's body, once it is made: its bytes as sent.
 * Must follow mp_lane_next. False: its route is known to refuse so many; the
 * batch is the lane's again, in two halves. */
bool mp_lane_fits(mp_lane *lane, mp_batch *batch, size_t bytes, int64_t now_ms);

/* Takes back a batch for which no request could be made. */
void mp_lane_undo(mp_lane *lane, mp_batch *batch, int64_t now_ms);

/* Records up to `seq` do not linger from now on. */
void mp_lane_flush_up_to(mp_lane *lane, uint64_t seq);

/* ---- batches on disk ---- */

/* Sequence numbers of adopted records on lanes without order: later than any
 * that a process gives. On lanes with order they are earlier, see
 * mp_lane_adopt. */
#define MP_LANE_LATER (UINT64_C(1) << 62)

/* From now on segments may have files, which others remove, and what
 * the API refuses is also appended to `rejected`, as lines of JSON. */
void mp_lane_on_disk(mp_lane *lane, mp_buf *rejected);

/* Takes over a batch that is on disk only: of another process, which gets
 * sequence numbers, in the order of the calls; or of this one. */
void mp_lane_adopt(mp_lane *lane, mp_batch_file *file);
void mp_lane_add_file(mp_lane *lane, mp_batch_file *file);

/* The batch that must be read before mp_lane_next, which has just returned
 * NULL, can go on; NULL: none. It still counts as the lane's; mp_lane_restore,
 * mp_lane_put_back, mp_lane_put_off or mp_lane_lose must follow. */
mp_batch_file *mp_lane_wanted(mp_lane *lane);

/* Of small batches, as of many short processes, several share a request.
 *
 * The next one to be read into the segment, that of what was wanted; NULL:
 * none. It is wanted too from then on. mp_lane_joins says whether, once read,
 * its records may go into the segment, by mp_segment_join; else
 * mp_lane_unwanted must follow: it keeps its place. */
mp_batch_file *mp_lane_wanted_too(mp_lane *lane, const mp_settings *settings,
                                  const mp_segment *segment, int64_t now_ms);
bool mp_lane_joins(const mp_lane *lane, const mp_segment *segment,
                   const mp_segment *other, int64_t now_ms);
void mp_lane_unwanted(mp_lane *lane, mp_batch_file *file);

/* What is wanted was read: takes over the segment. False: out of memory, and
 * nothing changed. */
bool mp_lane_restore(mp_lane *lane, const mp_settings *settings,
                     mp_segment *segment);

/* Nothing can be read now: nothing is sent before `until_ms`. */
void mp_lane_put_back(mp_lane *lane, int64_t until_ms);

/* This one cannot be read now. It is tried again after a second, then after
 * twice as long each time. Meanwhile others go first; in order only once it
 * failed several times. */
void mp_lane_put_off(mp_lane *lane, int64_t now_ms);

/* It never can: its records end here. Ensures: the file is the caller's. */
void mp_lane_lose(mp_lane *lane, mp_fate fate);

/* The oldest sealed segment in memory, to be written to disk; NULL: none.
 * mp_lane_spilled must follow, with the batch that holds it now or, when that
 * failed, NULL. */
mp_segment *mp_lane_spill(mp_lane *lane);
void mp_lane_spilled(mp_lane *lane, mp_batch_file *file);

/* Lets the memory of a batch go that waits to be sent again and stands on
 * disk whole. False: there is none. */
bool mp_lane_unload(mp_lane *lane);

/* Seals the open segment. */
void mp_lane_seal(mp_lane *lane);

/* The oldest batch that is on disk only; NULL: none is. */
mp_batch_file *mp_lane_oldest_file(const mp_lane *lane);

/* The same for those in adopted runs. */
mp_batch_file *mp_lane_oldest_adopted(const mp_lane *lane);

/* Takes one of these out of the lane, its records counted as evicted. */
void mp_lane_evict(mp_lane *lane, mp_batch_file *oldest);

/* Visits every segment at least once, those under way and spares too; the
 * visit may not change the lane. */
void mp_lane_each_segment(mp_lane *lane,
                          void (*visit)(mp_segment *segment, void *user),
                          void *user);

/* The segment that got the last record. */
mp_segment *mp_lane_last_segment(const mp_lane *lane);

/* The segment that mp_lane_spill would give. */
const mp_segment *mp_lane_oldest_sealed(const mp_lane *lane);

/* True if many of these hold far less than their files take up. */
bool mp_lane_wastes_disk(const mp_lane *lane);

/* Takes back a segment that got another reference by mp_segment_retain, when
 * that proved to be the last one. */
void mp_lane_retire(mp_lane *lane, mp_segment *segment);

/* ---- check ---- */

/* Nothing is sent before (mp_clock_mono_ms). */
int64_t mp_lane_backoff_until(const mp_lane *lane);

uint32_t mp_lane_in_flight(const mp_lane *lane); /* batches */
bool mp_lane_empty(const mp_lane *lane);

/* How many records up to `seq` have no outcome yet. */
uint64_t mp_lane_left(const mp_lane *lane, uint64_t seq);

/* When the oldest record without outcome came in, rounded down to the birth
 * of its segment (mp_clock_mono_ms); INT64_MAX: there is none. */
int64_t mp_lane_oldest(const mp_lane *lane);

/* True when the lane filled a segment and has no spare at hand; on disk, where
 * they take longer to make, it wants one from its first record on, and a few
 * once it filled a segment. What a record in need is given is no spare, or the
 * next one would find none either. */
bool mp_lane_wants_spare(const mp_lane *lane);
void mp_lane_give_spare(mp_lane *lane, mp_segment *spare);

/* Makes garbage of spares that nobody used for MP_SPARE_MS; on disk one stays.
 * Returns when to come again; INT64_MAX: it need not. */
int64_t mp_lane_expire_spares(mp_lane *lane, int64_t now_ms);

/* What a spare will hold, see mp_segment_warm: about as much as others did. */
void mp_lane_expects(const mp_lane *lane, uint32_t *records, size_t *bytes);

/* Segments that are no longer needed, linked by `next`, now the caller's. */
mp_segment *mp_lane_garbage(mp_lane *lane);

#endif
