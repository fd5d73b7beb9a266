/* An open bus: its messages, its one connection, and the attempts to make one.
 *
 * Threads: the keeper, one per bus, publishes, watches deadlines and destroys
 * connections. Each attempt to connect has a thread of its own, since libnats
 * may never come back from one: a TLS handshake with a peer that says nothing
 * has no time limit, and a look-up of a name has the resolver's. Nobody joins
 * an attempt; after ATTEMPT_MS the keeper goes on to the next server. All are
 * detached and counted.
 *
 * libnats calls back from its own threads, also after a connection was
 * destroyed. So a callback gets no pointer but a connection's number, and looks
 * under the lock whether some bus still has it. */
#ifndef MP_NATS_BUS_H
#define MP_NATS_BUS_H

#include "core/transport/bus_driver.h"
#include "nats/server.h"
#include "nats/socket.h"

#include <nats/nats.h>
#include <pthread.h>

enum {
    NATS_INBOX = 64
};

typedef enum mp_nats_stage {
    MP_NATS_WAITS, /* for a connection */
    MP_NATS_SENT,  /* or about to be */
    MP_NATS_ENDED
} mp_nats_stage;

typedef struct mp_nats_letter {
    struct mp_nats_letter *next;
    const mp_bus_message *of; /* lives until the tag is given back */
    void *tag;
    uint64_t number;     /* the last part of the subject of its answer */
    int64_t deadline_ms; /* monotonic */
    size_t failures;     /* attempts to connect that failed while it waited */
    mp_nats_stage stage;
    mp_bus_reply reply;
} mp_nats_letter;

/* A connection that works, or did. */
typedef struct mp_nats_link {
    uint64_t number;    /* 0: there is none */
    natsConnection *nc; /* the keeper alone destroys it */
    natsSubscription *answers;
    char inbox[NATS_INBOX]; /* answers come to INBOX.NUMBER-OF-LETTER */
    mp_nats_socket socket;
    bool lost;
} mp_nats_link;

typedef struct mp_nats_attempt {
    struct mp_nats_attempt *next;
    mp_bus *bus;
    size_t server;
    uint64_t number; /* its connection's */
    int64_t start_ms;
    bool given_up; /* by the keeper, while the thread is still at it */
} mp_nats_attempt;

struct mp_bus {
    mp_bus *next; /* in the list of all */
    const mp_bus_options *options;
    mp_nats_server *servers; /* as many as the options name */
    void (*wake)(void *user);
    void *user;
    pthread_cond_t changed; /* on the monotonic clock */
    mp_nats_letter *letters;
    size_t letters_count;
    uint64_t numbered; /* letters */
    mp_nats_link link;
    mp_nats_attempt *attempts;
    size_t next_server;
    size_t failed;           /* attempts in a row */
    int64_t next_attempt_ms; /* monotonic; not before */
    char why[MP_BUS_TEXT];   /* the last attempt failed */
    unsigned threads;
    bool closing;
};

/* Held for all that is above, of all buses, and for the list of them; never
 * while libnats may wait. */
void mp_nats_lock(void);
void mp_nats_unlock(void);

int64_t mp_nats_now_ms(void);

/* ---- bus.c; the caller holds the lock ---- */

/* A copy of what it needs is made. NULL: out of memory, or *text says what is
 * wrong with the options. */
mp_bus *mp_nats_bus_new(const mp_bus_options *options, char text[MP_BUS_TEXT]);

/* No thread of it is left. */
void mp_nats_bus_free(mp_bus *bus);

/* The bus whose connection has this number; NULL: none has any more. */
mp_bus *mp_nats_bus_of(uint64_t link);

/* A number that no connection of this process has had. */
uint64_t mp_nats_next_number(void);

/* The number as what libnats hands to callbacks, and back. */
void *mp_nats_closure(uint64_t number);
uint64_t mp_nats_number(const void *closure);

void mp_nats_end(mp_bus *bus, mp_nats_letter *letter, int status, bool sent,
                 const char *text);

/* All letters of this stage. */
void mp_nats_end_all(mp_bus *bus, mp_nats_stage stage, int status, bool sent,
                     const char *text);

/* Waits until something changed, or until then at the latest. */
void mp_nats_wait(mp_bus *bus, int64_t until_ms);

/* Starts a detached thread and counts it; it calls mp_nats_thread_ends last.
 * False: there is none. */
bool mp_nats_thread_start(mp_bus *bus, void *(*run)(void *arg), void *arg);
void mp_nats_thread_ends(mp_bus *bus);

/* ---- connect.c; the caller holds the lock ---- */

/* Begins an attempt, if one is due, and gives up one that takes too long. */
void mp_nats_connect(mp_bus *bus, int64_t now_ms);

/* A connection was lost: one that a server takes and drops at once is not made
 * again without a pause. */
void mp_nats_connect_later(mp_bus *bus);

/* When mp_nats_connect has to be called again. */
int64_t mp_nats_connect_again_ms(const mp_bus *bus);

/* ---- answers.c: what libnats calls back ---- */

void mp_nats_on_answer(natsConnection *nc, natsSubscription *sub, natsMsg *msg,
                       void *number);
void mp_nats_on_error(natsConnection *nc, natsSubscription *sub, natsStatus err,
                      void *number);
void mp_nats_on_closed(natsConnection *nc, void *number);

/* ---- keeper.c ---- */

void *mp_nats_keeper(void *bus);

/* Thread: without the lock; waits for libnats. */
void mp_nats_link_destroy(const mp_nats_link *link);

#endif
