#define _GNU_SOURCE
#include "nats/bus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static mp_bus *all;
static uint64_t numbers;

void mp_nats_lock(void) {
    pthread_mutex_lock(&lock);
}

void mp_nats_unlock(void) {
    pthread_mutex_unlock(&lock);
}

int64_t mp_nats_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- life ---- */

static bool init_condition(pthread_cond_t *condition) {
    pthread_condattr_t how;
    if (pthread_condattr_init(&how) != 0)
        return false;
    bool ok = pthread_condattr_setclock(&how, CLOCK_MONOTONIC) == 0 &&
              pthread_cond_init(condition, &how) == 0;
    pthread_condattr_destroy(&how);
    return ok;
}

static bool read_servers(mp_bus *bus, char text[MP_BUS_TEXT]) {
    const mp_bus_options *options = bus->options;
    for (size_t i = 0; i < options->servers_count; i++) {
        if (!mp_nats_server_read(&bus->servers[i], options->servers[i])) {
            snprintf(text, MP_BUS_TEXT,
                     "nats: server %zu is none such as \"tls://host:4222\", or "
                     "holds a user",
                     i + 1);
            return false;
        }
    }
    return true;
}

mp_bus *mp_nats_bus_new(const mp_bus_options *options, char text[MP_BUS_TEXT]) {
    mp_bus *bus = calloc(1, sizeof *bus);
    snprintf(text, MP_BUS_TEXT, "nats: out of memory");
    if (!bus)
        return NULL;
    bus->options = options;
    bus->servers = calloc(options->servers_count, sizeof *bus->servers);
    if (!bus->servers || !read_servers(bus, text) ||
        !init_condition(&bus->changed)) {
        free(bus->servers);
        free(bus);
        return NULL;
    }
    mp_nats_socket_none(&bus->link.socket);
    /* Not all hosts of a fleet begin with the first. */
    bus->next_server = (size_t)nats_NowInNanoSeconds() % options->servers_count;
    bus->next = all;
    all = bus;
    return bus;
}

void mp_nats_bus_free(mp_bus *bus) {
    mp_bus **at = &all;
    while (*at != bus)
        at = &(*at)->next;
    *at = bus->next;
    pthread_cond_destroy(&bus->changed);
    free(bus->servers);
    free(bus);
}

mp_bus *mp_nats_bus_of(uint64_t link) {
    mp_bus *bus = all;
    while (bus && bus->link.number != link)
        bus = bus->next;
    return bus;
}

uint64_t mp_nats_next_number(void) {
    return ++numbers;
}

void *mp_nats_closure(uint64_t number) {
    uintptr_t bits = (uintptr_t)number;
    void *closure = NULL;
    memcpy(&closure, &bits, sizeof closure);
    return closure;
}

uint64_t mp_nats_number(const void *closure) {
    return (uintptr_t)closure;
}

/* ---- letters ---- */

void mp_nats_end(mp_bus *bus, mp_nats_letter *letter, int status, bool sent,
                 const char *text) {
    letter->stage = MP_NATS_ENDED;
    letter->reply.status = status;
    letter->reply.sent = sent;
    snprintf(letter->reply.text, MP_BUS_TEXT, "%s", text);
    bus->wake(bus->user);
}

void mp_nats_end_all(mp_bus *bus, mp_nats_stage stage, int status, bool sent,
                     const char *text) {
    for (mp_nats_letter *l = bus->letters; l; l = l->next)
        if (l->stage == stage)
            mp_nats_end(bus, l, status, sent, text);
}

/* ---- threads ---- */

void mp_nats_wait(mp_bus *bus, int64_t until_ms) {
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                             .tv_nsec = (long)(until_ms % 1000) * 1000000L};
    pthread_cond_timedwait(&bus->changed, &lock, &until);
}

bool mp_nats_thread_start(mp_bus *bus, void *(*run)(void *arg), void *arg) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, arg) != 0)
        return false;
    pthread_detach(thread);
    bus->threads++;
    return true;
}

void mp_nats_thread_ends(mp_bus *bus) {
    bus->threads--;
    pthread_cond_broadcast(&bus->changed);
}
