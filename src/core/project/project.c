#include "core/project/project_state.h"

#include "core/os/clock.h"
#include "core/os/random.h"
#include "core/wire/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- life ---- */

static void use_settings(mp_project *project, mp_settings *settings) {
    project->settings = settings;
    atomic_store_explicit(&project->geolocate, settings->geolocate,
                          memory_order_relaxed);
    atomic_store_explicit(&project->profile_time, settings->profile_time,
                          memory_order_relaxed);
    atomic_store_explicit(&project->reject_invalid, settings->reject_invalid,
                          memory_order_relaxed);
    atomic_store_explicit(&project->traced, settings->debug != NULL,
                          memory_order_relaxed);
    atomic_store_explicit(&project->max_queue_bytes, settings->max_queue_bytes,
                          memory_order_relaxed);
    mp_budget_set(&project->budget, settings->max_rate, settings->max_byte_rate,
                  mp_clock_mono_ms());
    mp_project_configure_disk(project);
    mp_reports_keep(project->reports, (mp_report_level)settings->reports);
}

mp_project *mp_project_new(mp_config *config) {
    mp_project *project = calloc(1, sizeof *project);
    mp_settings *settings =
        mp_settings_defaults(config->spool ? MP_SPOOLED : MP_IN_MEMORY);
    if (project)
        project->reports = mp_reports_new();
    if (!project || !project->reports ||
        mp_lock_init(&project->sending) != MP_OK ||
        mp_wait_init(&project->wait) != MP_OK) {
        if (project)
            mp_reports_free(project->reports);
        free(project);
        mp_config_free(config);
        mp_settings_release(settings);
        return NULL;
    }
    project->config = *config;
    *config = (mp_config){0};
    atomic_init(&project->refs, 1);
    atomic_init(&project->forks, atomic_load(&mp_project_forks));
    project->looks_ms = INT64_MAX;
    atomic_init(&project->permitted_ms, INT64_MAX);
    mp_project_begin_run(project);
    use_settings(project, settings);
    if (mp_project_open_disk(project) != MP_OK) {
        mp_project_release(project);
        return NULL;
    }
    if (project->spool || project->config.manual) {
        mp_project_begin_change(project);
        mp_project_hold_at_forks(project);
        mp_project_end_change(project);
    }
    return project;
}

mp_err mp_project_make_lanes(mp_project *project) {
    mp_host_kind host = mp_config_host_kind(&project->config);
    mp_lane *lanes[MP_LANES];
    int n = 0;
    mp_err err = mp_reports_prepare(project->reports);
    while (err == MP_OK && n < MP_LANES) {
        lanes[n] =
            mp_lane_new((mp_lane_id)n, &project->stats, host, mp_random_bits());
        if (!lanes[n])
            err = MP_MEMORY;
        else
            mp_lane_report_to(lanes[n++], project->reports);
    }
    if (err == MP_OK) {
        memcpy(project->lanes, lanes, sizeof lanes);
        project->lanes_n = n;
    } else {
        while (n > 0)
            mp_lane_free(lanes[--n]);
    }
    return err;
}

void mp_flight_free(mp_flight *flight) {
    mp_request_free(&flight->request);
    free(flight);
}

void mp_project_retain(mp_project *project) {
    atomic_fetch_add_explicit(&project->refs, 1, memory_order_relaxed);
}

void mp_project_abandon_flights(mp_project *project) {
    mp_flight *flight;
    while ((flight = mp_transport_manual_abort(&project->manual)))
        mp_flight_free(flight);
}

void mp_project_release(mp_project *project) {
    if (atomic_fetch_sub_explicit(&project->refs, 1, memory_order_acq_rel) > 1)
        return;
    mp_project_forget_at_forks(project);
    if (project->spool)
        mp_project_finish(project);
    mp_project_abandon_flights(project);
    for (int i = 0; i < project->lanes_n; i++)
        mp_lane_free(project->lanes[i]);
    mp_flags_free(atomic_load(&project->flags));
    mp_spool_free(project->spool);
    free(project->check_response);
    free(project->reported);
    mp_buf_free(&project->rejected);
    mp_reports_free(project->reports);
    mp_saves_clear(&project->saves);
    mp_trace_close(&project->trace);
    mp_settings_release(project->settings);
    while (project->clients) {
        mp_overrides *next = project->clients->next;
        mp_overrides_free(project->clients);
        project->clients = next;
    }
    mp_config_free(&project->config);
    mp_wait_destroy(&project->wait);
    mp_lock_destroy(&project->sending);
    free(project);
}

const mp_config *mp_project_config(const mp_project *project) {
    return &project->config;
}

/* ---- settings ---- */

mp_settings *mp_project_settings(mp_project *project) {
    mp_project_lock(project);
    mp_settings *settings = mp_settings_retain(project->settings);
    mp_project_unlock(project);
    return settings;
}

/* With the lock held: puts in force what all clients say. MP_MEMORY, and the
 * settings stay as they were. */
static mp_err renew_settings(mp_project *project) {
    mp_settings *settings = mp_overrides_in_force(
        project->clients, project->spool ? MP_SPOOLED : MP_IN_MEMORY);
    if (!settings)
        return MP_MEMORY;
    mp_settings_release(project->settings);
    use_settings(project, settings);
    for (int i = 0; i < project->lanes_n; i++) /* more may be allowed now */
        mp_lane_set_waits(project->lanes[i], false);
    return MP_OK;
}

/* With the lock held. */
static void forget_closed(mp_project *project) {
    for (mp_overrides **at = &project->clients; *at;) {
        mp_overrides *client = *at;
        if (client->closed) {
            *at = client->next;
            mp_overrides_free(client);
        } else {
            at = &client->next;
        }
    }
}

mp_err mp_project_add_client(mp_project *project, mp_overrides *client) {
    mp_project_begin_change(project);
    forget_closed(project);
    mp_overrides_stamp(client, ++project->said);
    client->next = project->clients;
    project->clients = client;
    mp_err err = renew_settings(project);
    if (err != MP_OK)
        project->clients = client->next;
    mp_project_end_change(project);
    return err;
}

void mp_project_close_client(mp_project *project, mp_overrides *client) {
    bool others = false;
    mp_project_begin_change(project);
    client->closed = true;
    for (const mp_overrides *c = project->clients; c; c = c->next)
        others |= !c->closed;
    if (others) {
        forget_closed(project);
        /* Out of memory, what it said lapses with the next change. */
        renew_settings(project);
    }
    mp_project_end_change(project);
}

mp_err mp_project_configure(mp_project *project, mp_overrides *client,
                            const mp_overrides *more) {
    mp_project_begin_change(project);
    mp_err err = mp_overrides_merge(client, more, ++project->said);
    if (err == MP_OK)
        err = renew_settings(project);
    mp_project_end_change(project);
    return err;
}

bool mp_project_on_disk(const mp_project *project) {
    return project->spool != NULL;
}

bool mp_project_geolocate(const mp_project *project) {
    return atomic_load_explicit(&project->geolocate, memory_order_relaxed);
}

bool mp_project_profile_time(const mp_project *project) {
    return atomic_load_explicit(&project->profile_time, memory_order_relaxed);
}

bool mp_project_reject_invalid(const mp_project *project) {
    return atomic_load_explicit(&project->reject_invalid, memory_order_relaxed);
}

int64_t mp_project_exit_timeout(mp_project *project) {
    mp_project_lock(project);
    int64_t timeout_ms = project->settings->exit_timeout_ms;
    mp_project_unlock(project);
    return timeout_ms;
}

/* ---- waking its thread ---- */

bool mp_project_must_wake(mp_project *project, int64_t due_ms) {
    if (project->looks_ms <= due_ms)
        return false;
    project->looks_ms = due_ms;
    return true;
}

/* ---- waiting ---- */

uint64_t mp_project_mark(mp_project *project) {
    mp_project_lock(project);
    uint64_t seq = project->seq;
    mp_project_unlock(project);
    return seq;
}

/* With the lock held. */
static uint64_t count_left_on(const mp_project *project, uint64_t seq,
                              unsigned lanes) {
    if (seq >= MP_LANE_LATER) /* those are adopted, and so are these: */
        seq = MP_LANE_LATER - 1;
    uint64_t left = 0;
    for (int i = 0; i < project->lanes_n; i++) {
        if (!(lanes & 1u << i))
            continue;
        left += mp_lane_left(project->lanes[i], seq);
        if (project->base > 0)
            left -= mp_lane_left(project->lanes[i], project->base);
    }
    return left;
}

/* With the lock held. */
static uint64_t count_left(const mp_project *project, uint64_t seq) {
    if (seq >= project->seq && !project->spool)
        return project->stats.queued + project->stats.in_flight;
    return count_left_on(project, seq, ~0u);
}

uint64_t mp_project_left(mp_project *project, uint64_t seq) {
    mp_project_lock(project);
    uint64_t left = count_left(project, seq);
    mp_project_unlock(project);
    return left;
}

uint64_t mp_project_left_on(mp_project *project, uint64_t seq, unsigned lanes) {
    mp_project_lock(project);
    uint64_t left = count_left_on(project, seq, lanes);
    mp_project_unlock(project);
    return left;
}

void mp_project_flush_up_to(mp_project *project, uint64_t seq) {
    mp_project_lock(project);
    for (int i = 0; i < project->lanes_n; i++)
        mp_lane_flush_up_to(project->lanes[i], seq);
    mp_project_unlock(project);
}

uint64_t mp_project_wait(mp_project *project, uint64_t seq,
                         int64_t deadline_ms) {
    mp_project_lock(project);
    uint64_t left;
    while ((left = count_left(project, seq)) > 0 &&
           mp_wait_until(&project->wait, deadline_ms))
        continue;
    mp_project_unlock(project);
    return left;
}

/* With the lock held: what was adopted counts too, and what is about to be. */
static uint64_t count_all(const mp_project *project) {
    const mp_stats *stats = &project->stats;
    return stats->queued + stats->in_flight + stats->spooled +
           project->adopting;
}

uint64_t mp_project_wait_hopeful(mp_project *project, uint64_t seq,
                                 int64_t deadline_ms) {
    mp_project_lock(project);
    uint64_t left;
    while ((left = seq == UINT64_MAX ? count_all(project)
                                     : count_left(project, seq)) > 0 &&
           !mp_project_safe_until(project, deadline_ms) &&
           mp_wait_until(&project->wait, deadline_ms))
        continue;
    mp_project_unlock(project);
    return left;
}

bool mp_project_is_empty(mp_project *project) {
    mp_project_lock(project);
    bool empty = count_all(project) == 0;
    mp_project_unlock(project);
    return empty;
}

bool mp_project_idle(mp_project *project) {
    mp_project_lock(project);
    bool idle = count_all(project) == 0 && !project->saves.list;
    mp_project_unlock(project);
    return idle;
}

void mp_project_stats(mp_project *project, mp_stats *out) {
    int64_t now_ms = mp_clock_mono_ms(), oldest_ms = INT64_MAX;
    mp_project_lock(project);
    *out = project->stats;
    for (int i = 0; i < project->lanes_n; i++) {
        oldest_ms =
            mp_clock_earlier(oldest_ms, mp_lane_oldest(project->lanes[i]));
    }
    mp_project_unlock(project);
    out->oldest_ms = oldest_ms < now_ms ? now_ms - oldest_ms : 0;
    out->last_error_ms =
        out->last_error_ms < now_ms ? now_ms - out->last_error_ms : 0;
}

void mp_project_note_error(mp_project *project, const char *message) {
    snprintf(project->stats.last_error, MP_MESSAGE, "%s", message);
    project->stats.last_error_ms = mp_clock_mono_ms();
}

void mp_project_report_start(mp_project *project, const char *message) {
    mp_report report = {.outcome = MP_REPORT_PAUSED, .endpoint = ""};
    mp_project_lock(project);
    mp_project_note_error(project, message);
    if (!project->start_reported) {
        project->start_reported = true;
        report.count = project->stats.queued;
        snprintf(report.message, MP_MESSAGE, "%s", message);
        mp_reports_add(project->reports, &report);
    }
    mp_project_unlock(project);
}

void mp_project_count_pending_dropped(mp_project *project, uint32_t n) {
    mp_project_lock(project);
    project->stats.pending_dropped += n;
    mp_project_unlock(project);
}

bool mp_project_take_report(mp_project *project, mp_report *report) {
    mp_project_lock(project);
    bool taken = mp_reports_take(project->reports, report);
    mp_project_unlock(project);
    return taken;
}

uint64_t mp_project_check(mp_project *project) {
    mp_project_lock(project);
    uint64_t check = ++project->checks_wanted;
    mp_project_unlock(project);
    return check;
}

/* 400 is what a check asks for: it is refused as data, not as a person. A
 * 200 that Mixpanel did not write says nothing. */
static mp_err judge_check(const mp_response *response,
                          char message[MP_MESSAGE]) {
    if (!response) {
        snprintf(message, MP_MESSAGE, "out of memory for what the API said");
        return MP_MEMORY;
    }
    memcpy(message, response->text, MP_MESSAGE);
    if (response->status == 400 ||
        (response->status == 200 && response->result != MP_RESULT_UNREADABLE))
        return MP_OK;
    return response->status == 401 || response->status == 403 ? MP_UNAUTHORIZED
                                                              : MP_NETWORK;
}

mp_err mp_project_await_check(mp_project *project, uint64_t check,
                              int64_t deadline_ms, char message[MP_MESSAGE]) {
    mp_project_lock(project);
    while (project->checks_done < check &&
           mp_wait_until(&project->wait, deadline_ms))
        continue;
    mp_err err = MP_TIMEOUT;
    if (project->checks_done >= check)
        err = judge_check(project->check_response, message);
    else
        snprintf(message, MP_MESSAGE, "timeout: the %s has not answered yet",
                 project->config.bus ? "bus" : "API");
    mp_project_unlock(project);
    return err;
}
