#define _GNU_SOURCE
#include "nats/bus.h"
#include "nats/library.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    GRACE_MS = 5000, /* for what needs a processor, and no network */
    LOOK_MS = 1
};

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
        const char *url = options->servers[i];
        const char *fault = mp_nats_server_read(&bus->servers[i], url);
        if (fault) {
            char why[MP_BUS_TEXT];
            mp_nats_server_explain(why, "bus.", i + 1, url, fault);
            snprintf(text, MP_BUS_TEXT, "nats: %.240s", why);
            return false;
        }
    }
    return true;
}

/* JetStream lets no stream be called otherwise. */
static bool check_stream(const char *name, char text[MP_BUS_TEXT]) {
    char shown[MP_NATS_SHOWN];
    if (!name || !strpbrk(name, ".*>/\\"))
        return true;
    snprintf(text, MP_BUS_TEXT,
             "nats: option 'bus.stream': got \"%s\", expected the name of a "
             "stream, which has no . * > / and \\",
             mp_nats_show(name, shown));
    return false;
}

/* NULL: out of memory, or *text says what is wrong with the options. */
static mp_bus *make(const mp_bus_options *options, char text[MP_BUS_TEXT]) {
    mp_bus *bus = calloc(1, sizeof *bus);
    snprintf(text, MP_BUS_TEXT, "nats: out of memory");
    if (!bus)
        return NULL;
    bus->options = options;
    bus->letters_end = &bus->letters;
    bus->came_end = &bus->came;
    bus->servers = calloc(options->servers_count, sizeof *bus->servers);
    if (!bus->servers || !read_servers(bus, text) ||
        !check_stream(options->stream, text) ||
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

static void free_letters(mp_bus *bus) {
    mp_nats_letter *l;
    while ((l = bus->came ? bus->came : bus->letters)) {
        mp_nats_remove(bus, l);
        mp_nats_letter_free(l);
    }
}

/* No thread of it is left. */
static void free_bus(mp_bus *bus) {
    mp_bus **at = &all;
    while (*at != bus)
        at = &(*at)->next;
    *at = bus->next;
    free_letters(bus);
    pthread_cond_destroy(&bus->changed);
    free(bus->servers);
    free(bus->owned);
    free(bus);
}

/* Threads that may be inside OpenSSL, and not only wait there. */
static unsigned count_busy(void) {
    unsigned busy = 0;
    for (const mp_bus *bus = all; bus; bus = bus->next)
        busy += bus->threads - bus->away;
    return busy;
}

/* OpenSSL is about to be torn down, and `close` waits for no thread for long.
 */
static void await_all(void) {
    int64_t until_ms = mp_nats_now_ms() + GRACE_MS;
    mp_nats_lock();
    for (mp_bus *bus = all; bus; bus = bus->next) {
        bus->closing = true;
        pthread_cond_broadcast(&bus->changed);
    }
    while (count_busy() > 0 && mp_nats_now_ms() < until_ms) {
        mp_nats_unlock();
        nats_Sleep(LOOK_MS);
        mp_nats_lock();
    }
    mp_nats_unlock();
}

mp_bus *mp_nats_open(const mp_bus_options *options, bool delivers,
                     void (*wake)(void *user), void *user,
                     char text[MP_BUS_TEXT]) {
    /* In a forked child the lock may be taken for ever: this comes first. */
    if (!mp_nats_library_open(await_all, text))
        return NULL;
    mp_nats_lock();
    mp_bus *bus = make(options, text);
    if (bus) {
        bus->delivers = delivers;
        bus->wake = wake;
        bus->user = user;
        if (!mp_nats_thread_start(bus, mp_nats_keeper, bus)) {
            snprintf(text, MP_BUS_TEXT, "nats: no thread can be started");
            free_bus(bus);
            bus = NULL;
        }
    }
    mp_nats_unlock();
    return bus;
}

/* An attempt to connect may never end: the caller goes on without it. */
static bool end(mp_bus *bus, int64_t timeout_ms, bool abandoned) {
    int64_t until_ms = mp_nats_now_ms() + timeout_ms;
    mp_nats_lock();
    bus->closing = true;
    if (abandoned)
        free_letters(bus);
    pthread_cond_broadcast(&bus->changed);
    while (bus->threads > 0 && mp_nats_now_ms() < until_ms)
        mp_nats_wait(bus, until_ms);
    bool ended = bus->threads == 0;
    if (ended)
        free_bus(bus);
    else
        bus->abandoned = abandoned;
    mp_nats_unlock();
    return ended;
}

bool mp_nats_close(mp_bus *bus, int64_t timeout_ms) {
    return end(bus, timeout_ms, false);
}

bool mp_nats_abandon(mp_bus *bus, int64_t timeout_ms) {
    return end(bus, timeout_ms, true);
}

/* The server would take the copy for the connection, after the parent died. */
void mp_nats_forget(mp_bus *bus) {
    mp_nats_socket_close_copy(&bus->link.socket);
}

mp_bus *mp_nats_bus_of(uint64_t link) {
    mp_bus *bus = all;
    while (bus && bus->link.number != link)
        bus = bus->next;
    return bus;
}

mp_nats_attempt *mp_nats_attempt_of(uint64_t link) {
    for (const mp_bus *bus = all; bus; bus = bus->next)
        for (mp_nats_attempt *a = bus->attempts; a; a = a->next)
            if (a->number == link)
                return a;
    return NULL;
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

const char mp_nats_lost[] = "nats: the connection was lost";
const char mp_nats_mute[] = "nats: the credentials do not permit to subscribe "
                            "to _INBOX.>, where answers come";

void mp_nats_lose(mp_bus *bus, const char *why) {
    if (!bus->link.lost)
        snprintf(bus->why, sizeof bus->why, "%s", why);
    bus->link.lost = true;
    pthread_cond_broadcast(&bus->changed);
}

/* ---- threads ---- */

void mp_nats_wait(mp_bus *bus, int64_t until_ms) {
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                             .tv_nsec = (long)(until_ms % 1000) * 1000000L};
    pthread_cond_timedwait(&bus->changed, &lock, &until);
}

void mp_nats_wake(mp_bus *bus) {
    if (bus->wake)
        bus->wake(bus->user);
    else
        pthread_cond_broadcast(&bus->changed);
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
    if (bus->threads == 0 && bus->abandoned)
        free_bus(bus);
    else
        pthread_cond_broadcast(&bus->changed);
}
