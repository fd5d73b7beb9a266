/* The one engine of the process: every project, the threads, and what
 * happens to them at fork and exit. Every function may be called from any
 * thread; those that take a timeout block at most that long, the others do
 * not block. */
#ifndef MP_ENGINE_H
#define MP_ENGINE_H

#include "core/project/project.h"

/* Opens the project of this config, new or already there, and puts in force
 * what the client says of its settings. Takes over the config, also when it
 * fails, and `client` if it goes well. The caller gets a
 * reference, to be given back with mp_engine_close. Starts no thread.
 * MP_MEMORY; MP_NETWORK when the transport cannot be set up. */
mp_err mp_engine_open(mp_config *config, mp_overrides *client,
                      mp_project **out);

/* Gives back a reference. The project lives on until its records ended. */
void mp_engine_close(mp_project *project);

/* Accepts records as mp_project_push does and sees to it that the threads
 * that it needs run in this process and are awake when they must be; if one
 * cannot be started, the project says so, and a call a second later tries
 * again. MP_CLOSED once the process exits. */
mp_err mp_engine_push(mp_project *project, mp_lane_id lane,
                      const mp_record *records, size_t n);

/* Sends what the project holds and waits for outcomes, at most `timeout_ms`
 * (0 only wakes the threads, and returns MP_OK). MP_TIMEOUT with the number
 * of records in *left, with the manual transport at once; with a message:
 * MP_THREAD or MP_MEMORY when a thread cannot be started, MP_CLOSED once the
 * process exits. */
mp_err mp_engine_flush(mp_project *project, int64_t timeout_ms, uint64_t *left,
                       char message[MP_MESSAGE]);

/* As mp_project_configure; what waits may be due earlier now. */
mp_err mp_engine_configure(mp_project *project, mp_overrides *client,
                           const mp_overrides *more);

/* As mp_project_permit, and has the threads come for it. */
void mp_engine_permit(mp_project *project, int64_t until_ms);

/* As mp_engine_flush with timeout 0, and returns a sequence number for
 * mp_project_left. */
uint64_t mp_engine_mark(mp_project *project);

/* Asks /import whether host and credentials are accepted, and waits for the
 * reply at most `timeout_ms`: see mp_project_await_check. */
mp_err mp_engine_check(mp_project *project, int64_t timeout_ms,
                       char message[MP_MESSAGE]);

/* Has the disk thread write a state file, as mp_project_save; MP_CLOSED once
 * the process exits. */
mp_err mp_engine_save(mp_project *project, mp_state_file *file);

/* Has it done at once and waits for it, at most `timeout_ms`: see
 * mp_project_await_save. */
mp_err mp_engine_await_save(mp_project *project, const mp_state_file *file,
                            int64_t timeout_ms, char message[MP_MESSAGE]);

/* Sees to it that the flags of the project are kept up to date in this process:
 * see mp_flags_start. The project has some. */
void mp_engine_start_flags(mp_project *project);

/* Has the server asked for them at once and waits for what comes, at most
 * `timeout_ms`; 0: it does not wait, and returns MP_OK. MP_TIMEOUT, with the
 * manual transport at once; MP_NETWORK, or why a thread does not run; all
 * with a message. */
mp_err mp_engine_refresh_flags(mp_project *project, int64_t timeout_ms,
                               char message[MP_MESSAGE]);

/* Waits until there are definitions of flags, as mp_engine_refresh_flags does
 * for new ones. */
mp_err mp_engine_await_flags(mp_project *project, int64_t timeout_ms,
                             char message[MP_MESSAGE]);

/* Has Mixpanel decide the flags of a context, which is JSON: see mp_flags_ask;
 * it is held only if that goes well.
 * A thread sends that; if it cannot be started the context waits, and the
 * message says so. MP_OK, or why not. The project has flags. */
mp_err mp_engine_ask_flags(mp_project *project, const char *context, size_t len,
                           bool hold, uint64_t *id, char message[MP_MESSAGE]);

/* As mp_engine_flush, for a close. State files that wait are due from then on,
 * so that a wait for records is not what delays them; it waits for none.
 * `timeout_ms` below 0: the project's exit_timeout less what earlier closes
 * waited in vain, until a request succeeds. What it waits in vain itself, the
 * end of the process and later closes wait less. */
mp_err mp_engine_flush_at_close(mp_project *project, int64_t timeout_ms,
                                uint64_t *left, char message[MP_MESSAGE]);

#endif
