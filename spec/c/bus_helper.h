/* A project whose records go to a bus that is a table of ours, on virtual time:
 * the test says what becomes of each message. */
#ifndef MP_BUS_HELPER_H
#define MP_BUS_HELPER_H

#include "core/base/gzip.h"
#include "core/os/clock.h"
#include "core/project/project_state.h"
#include "core/transport/bus_driver.h"
#include "core/transport/transport_bus.h"
#include "unit.h"

#include <stdlib.h>

enum {
    BUS_ROOM = 32,
    BUS_STORED = 256,
    BUS_BIG = 1 << 22, /* more than any message has */
    BUS_SMALL = 1000   /* less than what push_large makes takes as gzip */
};

/* ---- the driver ---- */

typedef struct stored {
    char id[MP_MESSAGE_ID];
    mp_buf json;
} stored;

struct mp_bus {
    const mp_bus_message *messages[BUS_ROOM];
    void *tags[BUS_ROOM];
    int n;
};

static struct {
    mp_bus_reply reply;  /* to each message; status -1: none comes */
    size_t most;         /* bytes of a message; more is 413 */
    const char *refuses; /* to open, for this reason */
    bool stuck;          /* close is in vain */
    int opened, closed, forgotten, puts, probes, duplicates, clashes;
    char last_id[MP_MESSAGE_ID], subject[MP_BUS_TEXT], head[MP_BUS_TEXT];
    int64_t timeout_ms;
    mp_bus_options options;
    void (*wake)(void *user);
    void *user;
    stored log[BUS_STORED]; /* what the bus has */
    int stored_n;
} bus;

static mp_bus *bus_open(const mp_bus_options *options, void (*wake)(void *user),
                        void *user, char text[MP_BUS_TEXT]) {
    mp_bus *b = bus.refuses ? NULL : calloc(1, sizeof *b);
    if (!b)
        snprintf(text, MP_BUS_TEXT, "%s", bus.refuses ? bus.refuses : "memory");
    bus.opened += b != NULL;
    bus.options = *options;
    bus.wake = wake;
    bus.user = user;
    return b;
}

static bool bus_put(mp_bus *b, const mp_bus_message *message, void *tag) {
    void *memory = malloc(1); /* as any driver's: it may fail */
    if (!memory)
        return false;
    free(memory);
    CHECK(b->n < BUS_ROOM);
    b->messages[b->n] = message;
    b->tags[b->n++] = tag;
    bus.puts++;
    bus.probes += message->probe;
    bus.timeout_ms = message->timeout_ms;
    strcpy(bus.last_id, message->id);
    strcpy(bus.subject, message->subject);
    bus.head[0] = '\0';
    for (size_t i = 0; i < message->headers_count; i++)
        snprintf(bus.head + strlen(bus.head),
                 sizeof bus.head - strlen(bus.head), "%s: %s\n",
                 message->headers[i].name, message->headers[i].value);
    return true;
}

/* Once for each id, and the same id is the same content. */
static void bus_store(const mp_bus_message *message) {
    mp_buf json = {0};
    mp_err err = mp_gunzip_add(&json, message->body, message->len, BUS_BIG);
    CHECK(err == MP_OK || err == MP_MEMORY);
    for (int i = 0; i < bus.stored_n; i++) {
        const stored *s = &bus.log[i];
        if (strcmp(s->id, message->id) != 0)
            continue;
        bus.duplicates++;
        bus.clashes += s->json.len != json.len ||
                       memcmp(s->json.data, json.data, json.len) != 0;
        mp_buf_free(&json);
        return;
    }
    CHECK(bus.stored_n < BUS_STORED);
    strcpy(bus.log[bus.stored_n].id, message->id);
    bus.log[bus.stored_n++].json = json;
}

static void *bus_end(mp_bus *b, bool ends, mp_bus_reply *reply) {
    if (b->n == 0 || !ends)
        return NULL;
    const mp_bus_message *message = b->messages[--b->n];
    *reply = bus.reply;
    if (message->len > bus.most && reply->status == 200) {
        reply->status = 413;
        strcpy(reply->text, "too large");
    }
    if (!message->probe && (reply->status == 200 || reply->sent))
        bus_store(message);
    return b->tags[b->n];
}

static void *bus_take(mp_bus *b, mp_bus_reply *reply) {
    return bus_end(b, bus.reply.status >= 0, reply);
}

static void *bus_abort(mp_bus *b, mp_bus_reply *reply) {
    void *tag = bus_end(b, true, reply);
    *reply = (mp_bus_reply){.sent = true, .text = "broken off"};
    return tag;
}

static bool bus_close(mp_bus *b, int64_t timeout_ms) {
    CHECK(b->n == 0 && timeout_ms >= 0 && timeout_ms <= 100);
    bus.closed++;
    if (!bus.stuck)
        free(b);
    return !bus.stuck;
}

static void bus_forget(mp_bus *b) {
    (void)b;
    bus.forgotten++;
}

static const mp_bus_driver bus_driver = {
    MP_BUS_ABI, bus_open, bus_put, bus_take, bus_abort, bus_close, bus_forget,
};

/* ---- what is below ---- */

static struct {
    mp_transport base;
    int submitted, woken, closed, freed, forked;
    void *tag;
} below;

static mp_err below_submit(mp_transport *t, const mp_request *request,
                           void *tag) {
    (void)t;
    CHECK(!request->config->bus);
    below.submitted++;
    below.tag = tag;
    return MP_OK;
}

static bool below_run(mp_transport *t) {
    (void)t;
    return false;
}

static void below_wake(mp_transport *t) {
    CHECK(t == &below.base);
    below.woken++;
}

static void *below_take(mp_transport *t, mp_reply *reply) {
    void *tag = below.tag;
    (void)t;
    below.tag = NULL;
    *reply = (mp_reply){.status = 0};
    return tag;
}

static void *below_abort(mp_transport *t, const void *tag, mp_reply *reply) {
    return tag && tag != below.tag ? NULL : below_take(t, reply);
}

static void below_close(mp_transport *t) {
    (void)t;
    below.closed++;
}

static void below_free(mp_transport *t) {
    (void)t;
    below.freed++;
}

static void below_fork(mp_transport *t) {
    (void)t;
    below.forked++;
}

/* ---- the scene ---- */

static mp_transport *transport;
static int64_t now_ms;

/* Of what is stored nothing stays from the scene before. */
static inline void open_scene(void) {
    while (bus.stored_n > 0)
        mp_buf_free(&bus.log[--bus.stored_n].json);
    memset(&bus, 0, sizeof bus);
    memset(&below, 0, sizeof below);
    bus.reply.status = 200;
    bus.most = SIZE_MAX;
    below.base = (mp_transport){.submit = below_submit,
                                .places = BUS_ROOM,
                                .run = below_run,
                                .wake = below_wake,
                                .take = below_take,
                                .abort = below_abort,
                                .close = below_close,
                                .free = below_free,
                                .lock_out = below_fork,
                                .before_fork = below_fork,
                                .in_parent = below_fork,
                                .in_child = below_fork};
    now_ms = mp_clock_mono_ms();
    if (mp_transport_bus_new(&below.base, &transport) != 0)
        transport = NULL;
}

static inline void close_scene(void) {
    transport->close(transport);
    transport->free(transport);
    while (bus.stored_n > 0)
        mp_buf_free(&bus.log[--bus.stored_n].json);
}

static inline mp_bus_config *bus_config(const char *server) {
    char message[MP_MESSAGE];
    mp_bus_config *config = mp_bus_config_new();
    if (!config)
        return NULL;
    config->driver = &bus_driver;
    if (mp_bus_config_text(&config->name, "fake") == MP_OK &&
        mp_bus_config_add_server(config, server, message) == MP_OK)
        return config;
    mp_bus_config_release(config);
    return NULL;
}

/* NULL: out of memory. `spool` may be NULL. */
static inline mp_project *open_bus_project(const char *server,
                                           const char *spool) {
    char message[MP_MESSAGE];
    mp_config config = {.bus = bus_config(server)};
    if (config.bus && mp_config_token(&config, "token", 5, message) == MP_OK &&
        (!spool || mp_config_spool(&config, spool, message) == MP_OK) &&
        mp_config_finish(&config, message) == MP_OK)
        return mp_project_new(&config);
    mp_config_free(&config);
    return NULL;
}

/* Settings that the test may change, before anybody else has them. */
static inline mp_settings *own_settings(mp_project *project) {
    mp_settings_release(project->settings);
    project->settings = mp_settings_new(MP_IN_MEMORY);
    return project->settings;
}

static inline mp_stats stats_of(mp_project *project) {
    mp_stats stats;
    mp_project_stats(project, &stats);
    return stats;
}

static inline void push_kind(mp_project *project, mp_lane_id lane, int n,
                             mp_kind kind, int64_t time_ms) {
    char json[128];
    bool wake;
    for (int i = 0; i < n; i++) {
        int len = snprintf(json, sizeof json,
                           mp_endpoints[lane].profiles
                               ? "{\"n\":%d,\"$token\":\"token\"}"
                               : "{\"event\":\"E\",\"properties\":{\"token\":"
                                 "\"token\",\"n\":%d}}",
                           (int)stats_of(project).accepted);
        const mp_record record = {.head = json,
                                  .head_len = (size_t)len,
                                  .kind = kind,
                                  .time_ms = time_ms};
        CHECK(mp_project_push(project, lane, &record, 1, &wake) == MP_OK);
    }
    mp_project_flush_up_to(project, UINT64_MAX);
}

static inline void push(mp_project *project, mp_lane_id lane, int n) {
    push_kind(project, lane, n, MP_PLAIN, 0);
}

/* One that gzip cannot make small. */
static inline void push_large(mp_project *project, mp_lane_id lane,
                              uint64_t key) {
    bool wake;
    char json[4096] =
        "{\"event\":\"E\",\"properties\":{\"token\":\"token\",\"n\":\"";
    unsigned noise = 1;
    for (size_t i = strlen(json); i < sizeof json - 3; i++) {
        noise = noise * 1103515245 + 12345;
        json[i] = "0123456789abcdefghijklmnopqrstuv"[noise >> 27];
    }
    memcpy(json + sizeof json - 3, "\"}}", 3);
    const mp_record record = {
        .head = json, .head_len = sizeof json, .ordering_key = key};
    CHECK(mp_project_push(project, lane, &record, 1, &wake) == MP_OK);
    mp_project_flush_up_to(project, UINT64_MAX);
}

/* Takes what came. False: nothing did. */
static inline bool take_reply(mp_project *project) {
    mp_reply reply;
    transport->run(transport);
    mp_request *request = transport->take(transport, &reply);
    if (request)
        mp_project_handle_reply(project, request, &reply, now_ms);
    return request != NULL;
}

/* Sends the next request and takes its reply, later if need be. False: there is
 * nothing to send any more. */
static inline bool step(mp_project *project) {
    int64_t next_ms;
    mp_request *request =
        mp_project_next_request(project, MP_HOST, now_ms, &next_ms);
    if (!request && next_ms == INT64_MAX)
        return false;
    if (!request)
        now_ms = next_ms;
    else if (transport->submit(transport, request, request) != MP_OK)
        mp_project_fail_request(project, request, now_ms);
    else if (bus.reply.status >= 0)
        CHECK(take_reply(project));
    return true;
}

/* Until nothing is left; false if that takes too long. */
static inline bool carry(mp_project *project) {
    for (int i = 0; i < 2000; i++)
        if (!step(project))
            return mp_project_is_empty(project);
    return false;
}

/* Sends so many messages, and what each comes to. */
static inline void send(mp_project *project, int n) {
    int wanted = bus.puts + n;
    for (int i = 0; i < 200 && bus.puts < wanted; i++)
        CHECK(step(project));
    CHECK(bus.puts == wanted);
}

static inline void reply_with(int status, bool sent, const char *text) {
    bus.reply = (mp_bus_reply){.status = status, .sent = sent};
    strcpy(bus.reply.text, text);
}

/* The next report of that outcome; false: there is none. */
static inline bool was_reported(mp_project *project, mp_report_outcome outcome,
                                int status, const char *text) {
    mp_report report;
    bool found = false;
    while (!found && mp_project_take_report(project, &report)) {
        found = report.outcome == outcome && report.status == status &&
                strstr(report.message, text);
        mp_report_free(&report);
    }
    return found;
}

#endif
