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
#include "nats/content.h"
#include "nats/server.h"
#include "nats/socket.h"

#include <nats/nats.h>
#include <pthread.h>

enum {
    NATS_INBOX = 64,
    MP_NATS_SUBJECT = 1024 /* bytes; of a server's line it may have 4096 */
};

typedef enum mp_nats_kind {
    MP_NATS_JUDGED,   /* JetStream's answer becomes a status */
    MP_NATS_ASKED,    /* the answer is kept as it is */
    MP_NATS_PULLED,   /* it has no answer: deliveries may come for it */
    MP_NATS_POSTED,   /* it has no answer */
    MP_NATS_DELIVERY, /* was not sent, but came */
    MP_NATS_LOSS      /* a connection was lost */
} mp_nats_kind;

typedef enum mp_nats_stage {
    MP_NATS_WAITS, /* for a connection */
    MP_NATS_SENT,  /* or about to be */
    MP_NATS_ENDED
} mp_nats_stage;

/* What is sent, or came. One that is pulled or posted ends only if it could not
 * be sent. */
typedef struct mp_nats_letter {
    struct mp_nats_letter *next;  /* of those that were put */
    struct mp_nats_letter *later; /* of those that ended or came */
    mp_nats_kind kind;
    mp_nats_stage stage;
    bool put;                 /* it is among those of `next` */
    const mp_bus_message *of; /* part of the letter, or of who has the tag */
    void *tag;
    uint64_t number;     /* the last part of the subject of its answer */
    int64_t deadline_ms; /* monotonic */
    size_t failures;     /* attempts to connect that failed while it waited */
    mp_bus_reply reply;
    mp_nats_content content; /* of a delivery, or a kept answer */
} mp_nats_letter;

/* A connection that works, or did. */
typedef struct mp_nats_link {
    uint64_t number;    /* 0: there is none */
    natsConnection *nc; /* the keeper alone destroys it */
    natsSubscription *answers;
    char inbox[NATS_INBOX];       /* answers come to INBOX.NUMBER-OF-LETTER */
    natsSubscription *deliveries; /* NULL: nobody takes them */
    char deliveries_inbox[NATS_INBOX]; /* they come to the same below it */
    mp_nats_letter *loss; /* what tells of it; NULL: it is told, or need not */
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
    bool mute;     /* its connection may not subscribe to answers */
} mp_nats_attempt;

struct mp_bus {
    mp_bus *next; /* in the list of all */
    const mp_bus_options *options;
    void *owned;              /* freed with the bus */
    mp_nats_server *servers;  /* as many as the options name */
    void (*wake)(void *user); /* NULL: who waits for `changed` looks itself */
    void *user;
    pthread_cond_t changed; /* on the monotonic clock */
    mp_nats_letter *letters, **letters_end;
    size_t letters_count;
    uint64_t numbered;                /* letters */
    mp_nats_letter *came, **came_end; /* ended, or not sent: in that order */
    mp_nats_link link;
    bool delivers; /* its connections take deliveries and tell of a loss */
    size_t losses; /* in `came` */
    mp_nats_attempt *attempts;
    size_t next_server;
    size_t failed;           /* attempts in a row */
    int64_t next_attempt_ms; /* monotonic; not before */
    char why[MP_BUS_TEXT];   /* there is no connection; "": not known */
    unsigned threads;
    unsigned away; /* of these, in calls that wait for the network */
    bool closing;
    bool abandoned; /* its last thread frees it */
};

/* Held for all that is above, of all buses, and for the list of them; never
 * while libnats may wait. */
void mp_nats_lock(void);
void mp_nats_unlock(void);

int64_t mp_nats_now_ms(void);

/* ---- bus.c ---- */

/* See bus_driver.h, whose `open` and `close` these are. With `delivers` its
 * connections take deliveries and tell of a loss. Signals are blocked in the
 * calling thread. */
mp_bus *mp_nats_open(const mp_bus_options *options, bool delivers,
                     void (*wake)(void *user), void *user,
                     char text[MP_BUS_TEXT]);
bool mp_nats_close(mp_bus *bus, int64_t timeout_ms);

/* The same for a bus with letters, which end with it. What still runs after
 * the time frees what it uses. */
bool mp_nats_abandon(mp_bus *bus, int64_t timeout_ms);

/* For a forked child; takes no lock. */
void mp_nats_forget(mp_bus *bus);

/* ---- the same; the caller holds the lock ---- */

/* The bus whose connection has this number; NULL: none has any more. */
mp_bus *mp_nats_bus_of(uint64_t link);

/* The attempt that makes the connection of this number; NULL: none does. */
mp_nats_attempt *mp_nats_attempt_of(uint64_t link);

/* A number that no connection of this process has had. */
uint64_t mp_nats_next_number(void);

/* The number as what libnats hands to callbacks, and back. */
void *mp_nats_closure(uint64_t number);
uint64_t mp_nats_number(const void *closure);

/* Waits until something changed, or until then at the latest. */
void mp_nats_wait(mp_bus *bus, int64_t until_ms);

/* Who waits for the bus: there is something new. */
void mp_nats_wake(mp_bus *bus);

/* The usual reason. */
extern const char mp_nats_lost[];

/* Of a connection that is of no use. */
extern const char mp_nats_mute[];

/* The connection is of no use any more; the keeper lets go of it. */
void mp_nats_lose(mp_bus *bus, const char *why);

/* Starts a detached thread and counts it; it calls mp_nats_thread_ends last.
 * False: there is none. After its end the bus may be gone. */
bool mp_nats_thread_start(mp_bus *bus, void *(*run)(void *arg), void *arg);
void mp_nats_thread_ends(mp_bus *bus);

/* ---- letters.c ---- */

/* A letter with a copy of the message, but for its time. NULL: no memory. */
mp_nats_letter *mp_nats_letter_copy(mp_nats_kind kind,
                                    const mp_bus_message *message);

/* One that no bus has. */
void mp_nats_letter_free(mp_nats_letter *letter);

/* Its number; the bus has it then. 0: it is the caller's still, since too many
 * are under way, or a pulled or posted one found no connection: *text says so.
 */
uint64_t mp_nats_put(mp_bus *bus, mp_nats_letter *letter,
                     char text[MP_BUS_TEXT]);

/* ---- the same; the caller holds the lock ---- */

/* The next that ended or came, the caller's then; NULL: there is none. */
mp_nats_letter *mp_nats_take(mp_bus *bus);

/* The bus does not have it any more. */
void mp_nats_remove(mp_bus *bus, mp_nats_letter *letter);

/* NULL: it is not on its way any more. */
mp_nats_letter *mp_nats_sent(const mp_bus *bus, uint64_t number);

void mp_nats_end(mp_bus *bus, mp_nats_letter *letter, int status, bool sent,
                 const char *text);

/* All letters of this stage. */
void mp_nats_end_all(mp_bus *bus, mp_nats_stage stage, int status, bool sent,
                     const char *text);

/* Adds one that was not put. */
void mp_nats_arrive(mp_bus *bus, mp_nats_letter *letter);

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
void mp_nats_on_delivery(natsConnection *nc, natsSubscription *sub,
                         natsMsg *msg, void *number);
void mp_nats_on_error(natsConnection *nc, natsSubscription *sub, natsStatus err,
                      void *number);
void mp_nats_on_closed(natsConnection *nc, void *number);

/* ---- keeper.c ---- */

void *mp_nats_keeper(void *bus);

/* Thread: without the lock; waits for libnats. */
void mp_nats_link_destroy(const mp_nats_link *link);

#endif
