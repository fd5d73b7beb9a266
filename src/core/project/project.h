/* A project: where records of one key go, a lane for each endpoint, their
 * counters and the lock that guards them.
 *
 * Thread: any, but for what its own alone calls: see mp_role. Locks: a function
 * takes the project's lock itself and gives it back, unless it says otherwise;
 * the caller may not hold it. None waits for the network, and only those wait
 * for the disk that say so. */
#ifndef MP_PROJECT_H
#define MP_PROJECT_H

#include "core/config/config.h"
#include "core/config/overrides.h"
#include "core/flags/flags.h"
#include "core/lane/lane.h"
#include "core/lane/report.h"
#include "core/record/segment.h"
#include "core/transport/transport_manual.h"
#include "core/user/state_file.h"
#include "core/wire/exchange.h"

typedef struct mp_project mp_project;

/* Who makes a project's requests and takes their replies: the thread that
 * sends, unless the project keeps files, that is a spool or a debug trace; then
 * the thread for the disk, and the other only carries them. With the manual
 * transport the host's thread that is in mp_project_checkout or
 * mp_project_complete. */
typedef enum mp_role {
    MP_SENDER,
    MP_DISK,
    MP_HOST
} mp_role;

enum {
    MP_THREADS = 2 /* the roles that are threads of ours */
};

/* A set of threads is a sum of these. */
#define MP_THREAD(role) (1u << (role))

/* Takes over the config, also when it fails. The settings are the defaults.
 * One reference for the caller. NULL: out of memory. */
mp_project *mp_project_new(mp_config *config);
void mp_project_retain(mp_project *project);

/* Gives a reference back; the last one frees the project, and with a spool
 * blocks as long as the disk does. */
void mp_project_release(mp_project *project);

const mp_config *mp_project_config(const mp_project *project);

/* The settings in force, with a reference for the caller. */
mp_settings *mp_project_settings(mp_project *project);

/* A client opens: takes over what it says, if that goes well, and puts it in
 * force; what closed clients said lapses. MP_MEMORY, and nothing changed. */
mp_err mp_project_add_client(mp_project *project, mp_overrides *client);

/* The client closes, and `client` may not be used any more: what it said
 * stays in force until another is open. */
void mp_project_close_client(mp_project *project, mp_overrides *client);

/* The client says more. MP_MEMORY, and what it said before is in force. */
mp_err mp_project_configure(mp_project *project, mp_overrides *client,
                            const mp_overrides *more);

/* The settings that records ask for, read without the lock. */
bool mp_project_geolocate(const mp_project *project);
bool mp_project_profile_time(const mp_project *project);
bool mp_project_reject_invalid(const mp_project *project);

/* False, and counted as refused, for more bytes than the queue can hold when
 * it is empty: so a list is given up while it is made. Read without the
 * lock. */
bool mp_project_can_hold(mp_project *project, size_t bytes);

/* Accepts all `n` records into one lane, or none. *wake: its thread sleeps
 * too long for what came in and must be woken. MP_QUEUE_FULL, MP_MEMORY.
 * With a spool it waits for the disk when no spare segment is ready, and where
 * segments cannot be mapped. */
mp_err mp_project_push(mp_project *project, mp_lane_id lane,
                       const mp_record *records, size_t n, bool *wake);

/* From now on requests are under way only until then (mp_clock_mono_ms):
 * afterwards none is handed out, and the sender, which must be woken, breaks
 * off the others. INT64_MAX, as at first: at any time. A forked child goes by
 * what was said before the fork. */
void mp_project_permit(mp_project *project, int64_t until_ms);
int64_t mp_project_permitted_until(const mp_project *project);

static inline bool mp_project_may_send(const mp_project *project,
                                       int64_t now_ms) {
    int64_t until_ms = mp_project_permitted_until(project);
    return until_ms == INT64_MAX || now_ms < until_ms;
}

/* The sequence number of the last record accepted; 0: none yet. */
uint64_t mp_project_mark(mp_project *project);

/* How many records up to `seq` have no outcome yet. */
uint64_t mp_project_left(mp_project *project, uint64_t seq);

/* The same for the lanes of `lanes`, a sum of 1 << mp_lane_id. */
uint64_t mp_project_left_on(mp_project *project, uint64_t seq, unsigned lanes);

/* Makes everything up to `seq` due now, even if it does not fill a request.
 * Never shortens a pause that the API asked for. */
void mp_project_flush_up_to(mp_project *project, uint64_t seq);

/* As mp_project_wait, but it also ends when every record is in a file of the
 * spool and none can be sent before the deadline. For UINT64_MAX it waits for
 * adopted records too. */
uint64_t mp_project_wait_hopeful(mp_project *project, uint64_t seq,
                                 int64_t deadline_ms);

/* Waits until every record up to `seq` has an outcome, at most until
 * `deadline` (mp_clock_mono_ms), and returns how many have none. */
uint64_t mp_project_wait(mp_project *project, uint64_t seq,
                         int64_t deadline_ms);

/* True if everything without an outcome is in the files of a spool. */
bool mp_project_is_kept(mp_project *project);

void mp_project_stats(mp_project *project, mp_stats *out);

/* Takes the oldest report; its contents are the caller's. False: there is
 * none. */
bool mp_project_take_report(mp_project *project, mp_report *report);

/* Starts a check to /import whether host and credentials are accepted;
 * returns its number. */
uint64_t mp_project_check(mp_project *project);

/* Waits for the reply to a check, at most until `deadline_ms`. MP_OK:
 * accepted. MP_UNAUTHORIZED, MP_NETWORK, MP_TIMEOUT with a message. */
mp_err mp_project_await_check(mp_project *project, uint64_t check,
                              int64_t deadline_ms, char message[MP_MESSAGE]);

/* ---- state files ---- */

/* Has the disk thread write the newest text of the file within a second. *wake:
 * it sleeps too long for that. MP_MEMORY. */
mp_err mp_project_save(mp_project *project, mp_state_file *file, bool *wake);

/* Makes the file due now, if it waits. */
void mp_project_flush_save(mp_project *project, const mp_state_file *file);

/* Waits until the file does not wait, at most until `deadline_ms`.
 * MP_TIMEOUT; MP_STATE when writing failed meanwhile; both with a message. */
mp_err mp_project_await_save(mp_project *project, const mp_state_file *file,
                             int64_t deadline_ms, char message[MP_MESSAGE]);

/* Makes all that waits due now. True: any does. */
bool mp_project_flush_saves(mp_project *project);

/* Waits until each file that is due was written, or could not be, at most until
 * `deadline_ms`. */
void mp_project_await_saves(mp_project *project, int64_t deadline_ms);

/* Reports what is wrong with a state. */
void mp_project_report_state(mp_project *project, const char *message);

/* Says that nothing is sent since a thread cannot be started: as the last
 * error and, once in a process, as a report. */
void mp_project_report_start(mp_project *project, const char *message);

/* Counts pending updates that will never be sent. */
void mp_project_count_pending_dropped(mp_project *project, uint32_t n);

/* Counts an event that goes without what the function of a client was to add;
 * `message`: reports it too, unless NULL. */
void mp_project_count_properties_failed(mp_project *project,
                                        const char *message);

/* ---- feature flags ---- */

/* A client wants the flags of the project, kept in its spool if it has one. May
 * wait for the disk. MP_MEMORY; MP_INVALID with a message: see mp_flags_join.
 */
mp_err mp_project_join_flags(mp_project *project, mp_flag_options *options,
                             char message[MP_MESSAGE]);

/* The client closes. */
void mp_project_leave_flags(mp_project *project);

/* The flags, as long as the project lives; NULL: no client wanted them. */
mp_flags *mp_project_flags(mp_project *project);

/* ---- for whoever makes the requests ----
 *
 * Thread: that of the role, unless a function says otherwise. A project without
 * files never blocks for a disk. The role may change at any time, so for such a
 * project both threads may be in here. Times are of mp_clock_mono_ms. */

/* Writes the state files that are due. Thread: the one for the disk. Blocks as
 * long as the disk does. Returns when the next is due; INT64_MAX: none
 * waits. */
int64_t mp_project_write_saves(mp_project *project);

/* Before each mp_project_next_request: adopts what dead processes left, and
 * keeps spare segments. Blocks as long as the disk does. */
void mp_project_prepare(mp_project *project, int64_t now_ms);

/* The next request to send, else NULL and in *next_ms when to ask again
 * (INT64_MAX: not before it is woken). `role`: who asks, and takes the reply.
 * The project owns the request until
 * mp_project_handle_reply or mp_project_fail_request frees it. Blocks as long
 * as the disk does. */
mp_request *mp_project_next_request(mp_project *project, mp_role role,
                                    int64_t now_ms, int64_t *next_ms);

/* The same for definitions of flags that are kept in a file, while the role of
 * the project is MP_SENDER, which leaves them out. Thread: the one for the
 * disk. */
mp_request *mp_project_next_definitions(mp_project *project, int64_t now_ms,
                                        int64_t *next_ms);

/* When there is nothing to send: gives back memory that is not used any more,
 * lets records go from memory to disk, syncs, evicts. Blocks as long as the
 * disk does. Returns when to come again (INT64_MAX: not for this). */
int64_t mp_project_maintain(mp_project *project, int64_t now_ms);

/* Instead of all three while nothing can be sent. Blocks as long as the disk
 * does. Returns when to come again (INT64_MAX: once something can be sent). */
int64_t mp_project_stand_by(mp_project *project, int64_t now_ms);

/* Takes the reply to a request and frees the request. Blocks as long as the
 * disk does. */
void mp_project_handle_reply(mp_project *project, mp_request *request,
                             const mp_reply *reply, int64_t now_ms);

/* The same for a request that cannot be sent, since memory ran out. */
void mp_project_fail_request(mp_project *project, mp_request *request,
                             int64_t now_ms);

/* As mp_project_next_request, for the host to carry. The caller may read it
 * until mp_project_release_request; no reply to it is taken before. Thread:
 * any. Locks: `sending`, so that calls of several threads wait for each other.
 */
const mp_handout *mp_project_checkout(mp_project *project, int64_t now_ms,
                                      int64_t *next_ms);
void mp_project_release_request(mp_project *project, uint64_t number);

/* As mp_project_handle_reply. False: no request of this number waits for a
 * reply. Thread: any. */
bool mp_project_complete(mp_project *project, uint64_t number,
                         const mp_reply *reply, int64_t now_ms);

/* True if both keep their files in one directory. */
bool mp_project_same_disk(const mp_project *a, const mp_project *b);

/* Whether this project adopts what dead processes left in its directory. */
void mp_project_adopts(mp_project *project, bool adopts);

/* True if it has a spool. */
bool mp_project_on_disk(const mp_project *project);

/* Appends what is in its spool, which it must have: see mp_look_list. Blocks as
 * long as the disk does, and until what was counted as rejected stands in
 * its file, a second at the most. */
int mp_project_look(mp_project *project, mp_buf *out, char message[MP_MESSAGE]);

/* Once no more requests are sent: writes what is left to disk, and removes the
 * files that hold nothing. Blocks as long as the disk does. */
void mp_project_finish(mp_project *project);

/* True when no record, adopted ones included, and no state file waits and
 * none is under way. */
bool mp_project_idle(mp_project *project);

/* The same for records alone. */
bool mp_project_is_empty(mp_project *project);

/* ---- who does what: project_role.c ---- */

/* MP_SENDER or MP_DISK: whose turns the project has. Settings may change it. */
mp_role mp_project_role(const mp_project *project);

/* True if definitions of flags are kept in a file, so that the disk thread
 * fetches them. */
bool mp_project_keeps_flags(mp_project *project);

/* The threads that must run for its records. */
unsigned mp_project_threads(const mp_project *project);

/* True if the disk thread has something to do for it beside its records: state
 * files, definitions of flags. */
bool mp_project_needs_disk(mp_project *project);

/* True if there is nothing to do, now or later, in the turns of that thread. */
bool mp_project_idle_for(mp_project *project, mp_role role);

/* The exit_timeout in force, in ms. */
int64_t mp_project_exit_timeout(mp_project *project);

#endif
