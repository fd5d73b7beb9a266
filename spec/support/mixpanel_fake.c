/* A driver of a bus that is a directory, which its server's URL names:
 * "fake:/tmp/bus". A thread of its own does what the file `reply` there says
 * with each message: "503 no leader" is the outcome; "hang" leaves it under
 * way; without the file it is stored. "lost" stores it, and says that nobody
 * knows.
 *
 * What is stored is a file of the message's id. The file `log` gets a line for
 * each message, "put PID ID SUBJECT HEADERS OUTCOME", or "probe PID SUBJECT
 * OUTCOME" where nothing is stored, and for each of "open", "close" and
 * "forget" with the process. With a file `stuck` its thread does
 * not end. */
#include "core/transport/bus_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef SYMBOL
#define SYMBOL mp_bus_driver_fake
#endif
#ifndef ABI
#define ABI MP_BUS_ABI
#endif

enum {
    LOOK_MS = 5,
    TEXT = 1024
};

typedef struct message {
    struct message *next;
    const mp_bus_message *of;
    void *tag;
    bool ended;
    mp_bus_reply reply;
} message;

struct mp_bus {
    char dir[TEXT / 2];
    void (*wake)(void *user);
    void *user;
    pthread_t thread;
    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t changed;
    message *first;
    bool closing, ended;
};

static bool forked;

/* ---- the directory ---- */

static void path_of(char out[TEXT], const mp_bus *bus, const char *name) {
    snprintf(out, TEXT, "%s/%s", bus->dir, name);
}

static bool is_there(const mp_bus *bus, const char *name) {
    char path[TEXT];
    path_of(path, bus, name);
    return access(path, F_OK) == 0;
}

static bool write_all(const char *path, int flags, const void *bytes,
                      size_t len) {
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
    if (fd < 0) /* the spec is over, and the process ends */
        return false;
    bool ok = write(fd, bytes, len) == (ssize_t)len;
    if (!ok)
        perror(path);
    close(fd);
    return ok;
}

static void note(const mp_bus *bus, const char *what, const char *more) {
    char path[TEXT], line[TEXT];
    int n = snprintf(line, sizeof line, "%s %d%s\n", what, (int)getpid(), more);
    path_of(path, bus, "log");
    write_all(path, O_APPEND, line, (size_t)n);
}

static void note_put(const mp_bus *bus, const message *m) {
    char more[TEXT / 2];
    size_t at = 0;
    if (!m->of->probe)
        at = (size_t)snprintf(more, sizeof more, " %s", m->of->id);
    at += (size_t)snprintf(more + at, sizeof more - at, " %s", m->of->subject);
    for (size_t i = 0; i < m->of->headers_count; i++)
        at += (size_t)snprintf(more + at, sizeof more - at, " %s=%s",
                               m->of->headers[i].name, m->of->headers[i].value);
    snprintf(more + at, sizeof more - at, " %d%s", m->reply.status,
             m->reply.sent ? "+sent" : "");
    note(bus, m->of->probe ? "probe" : "put", more);
}

/* Ensures: whenever the process is killed, the message is there whole or not at
 * all. */
static void store(const mp_bus *bus, const mp_bus_message *m) {
    char path[TEXT], unfinished[TEXT];
    if (is_there(bus, m->id))
        return;
    path_of(path, bus, m->id);
    snprintf(unfinished, sizeof unfinished, "%s/new-%d-%s", bus->dir,
             (int)getpid(), m->id);
    if (write_all(unfinished, O_TRUNC, m->body, m->len) &&
        rename(unfinished, path) != 0)
        perror(path);
}

static void read_reply(const mp_bus *bus, char line[MP_BUS_TEXT]) {
    char path[TEXT];
    snprintf(line, MP_BUS_TEXT, "200");
    path_of(path, bus, "reply");
    FILE *file = fopen(path, "re");
    if (file && !fgets(line, MP_BUS_TEXT, file))
        snprintf(line, MP_BUS_TEXT, "hang"); /* it is just being written */
    if (file)
        fclose(file);
    line[strcspn(line, "\n")] = '\0';
}

/* ---- its thread ---- */

/* False: it stays under way. */
static bool decide(const mp_bus *bus, message *m) {
    char line[MP_BUS_TEXT];
    read_reply(bus, line);
    if (strcmp(line, "hang") == 0)
        return false;
    m->reply.sent = strcmp(line, "lost") == 0;
    m->reply.status = m->reply.sent ? 0 : atoi(line);
    snprintf(m->reply.text, MP_BUS_TEXT, "%s",
             line + strcspn(line, " ") + (strchr(line, ' ') != NULL));
    if (!m->of->probe && (m->reply.sent || m->reply.status == 200))
        store(bus, m->of);
    note_put(bus, m);
    return true;
}

static void wait_a_little(mp_bus *bus) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += LOOK_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&bus->changed, &bus->lock, &until);
}

static void *run(void *user) {
    mp_bus *bus = user;
    pthread_mutex_lock(&bus->lock);
    while (!bus->closing || is_there(bus, "stuck")) {
        for (message *m = bus->first; m; m = m->next) {
            if (!m->ended && decide(bus, m)) {
                m->ended = true;
                bus->wake(bus->user);
            }
        }
        wait_a_little(bus);
    }
    bus->ended = true;
    pthread_cond_broadcast(&bus->changed);
    pthread_mutex_unlock(&bus->lock);
    return NULL;
}

/* ---- the interface ---- */

static bool may_connect(const mp_bus_options *options, char text[MP_BUS_TEXT]) {
    if (forked)
        snprintf(text, MP_BUS_TEXT,
                 "fake: this process was forked from one that used the bus");
    else if (options->credentials && access(options->credentials, R_OK) != 0)
        snprintf(text, MP_BUS_TEXT, "fake: credentials cannot be read: %s",
                 strerror(errno));
    else
        return true;
    return false;
}

static mp_bus *open_bus(const mp_bus_options *options, void (*wake)(void *user),
                        void *user, char text[MP_BUS_TEXT]) {
    mp_bus *bus = may_connect(options, text) ? calloc(1, sizeof *bus) : NULL;
    if (!bus)
        return NULL;
    snprintf(bus->dir, sizeof bus->dir, "%s",
             options->servers[0] + sizeof "fake:" - 1);
    bus->wake = wake;
    bus->user = user;
    pthread_mutex_init(&bus->lock, NULL);
    pthread_cond_init(&bus->changed, NULL);
    note(bus, "open", "");
    if (pthread_create(&bus->thread, NULL, run, bus) != 0) {
        free(bus);
        return NULL;
    }
    return bus;
}

static bool put(mp_bus *bus, const mp_bus_message *of, void *tag) {
    message *m = calloc(1, sizeof *m);
    if (!m)
        return false;
    m->of = of;
    m->tag = tag;
    pthread_mutex_lock(&bus->lock);
    message **at = &bus->first;
    while (*at)
        at = &(*at)->next;
    *at = m;
    pthread_cond_broadcast(&bus->changed);
    pthread_mutex_unlock(&bus->lock);
    return true;
}

static void *take_out(mp_bus *bus, bool any, mp_bus_reply *reply) {
    void *tag = NULL;
    pthread_mutex_lock(&bus->lock);
    message **at = &bus->first;
    while (*at && !(*at)->ended && !any)
        at = &(*at)->next;
    message *m = *at;
    if (m) {
        *at = m->next;
        *reply = m->reply;
        tag = m->tag;
    }
    pthread_mutex_unlock(&bus->lock);
    free(m);
    return tag;
}

static void *take(mp_bus *bus, mp_bus_reply *reply) {
    return take_out(bus, false, reply);
}

static void *break_off(mp_bus *bus, mp_bus_reply *reply) {
    return take_out(bus, true, reply);
}

static bool close_bus(mp_bus *bus, int64_t timeout_ms) {
    note(bus, "close", "");
    pthread_mutex_lock(&bus->lock);
    bus->closing = true;
    for (; !bus->ended && timeout_ms > 0; timeout_ms -= LOOK_MS)
        wait_a_little(bus);
    bool ended = bus->ended;
    pthread_mutex_unlock(&bus->lock);
    if (!ended)
        return false;
    pthread_join(bus->thread, NULL);
    free(bus);
    return true;
}

static void forget(mp_bus *bus) {
    forked = true;
    note(bus, "forget", "");
}

#ifdef NEEDS /* a function that no library has */
extern void NEEDS(void);
extern void (*const fake_needs)(void);
void (*const fake_needs)(void) = NEEDS;
#endif

extern const mp_bus_driver SYMBOL;
__attribute__((visibility("default"))) const mp_bus_driver SYMBOL = {
    .abi = ABI,
    .open = open_bus,
    .put = put,
    .take = take,
    .abort = break_off,
    .close = close_bus,
    .forget = forget,
};
