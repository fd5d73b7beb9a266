/* The seam between batches and what carries them: requests go in, replies come
 * out, each once. Knows nothing of projects, lanes or retries.
 *
 * What comes back is a reply with the meanings of HTTP, whatever carried it,
 * so that retry.c stays the one judge. Where the host carries the requests,
 * transport_manual.h takes the place of this. */
#ifndef MP_TRANSPORT_H
#define MP_TRANSPORT_H

#include "core/wire/exchange.h"

enum {
    MP_TRANSPORT_PLACES = 32 /* for requests under way, at the most */
};

/* What a transport can do. Its own data follow in the same allocation.
 *
 * Thread: the one that sends makes every call, but where it says otherwise. */
typedef struct mp_transport mp_transport;
struct mp_transport {
    /* Starts a request. Ensures: after MP_OK its tag is taken or aborted once,
     * and the request is not touched behind that. MP_MEMORY. */
    mp_err (*submit)(mp_transport *self, const mp_request *request, void *tag);

    /* How many may be under way: submitted, and not taken yet. */
    uint32_t places;

    /* Moves requests along. True: a reply waits to be taken. */
    bool (*run)(mp_transport *self);

    /* Sleeps up to `timeout_ms` until `run` has something to do, or until
     * `wake`. Locks: takes none that a forked child might need. */
    void (*sleep)(mp_transport *self, int64_t timeout_ms);

    /* Thread: any. Ends the present sleep, or the next. */
    void (*wake)(mp_transport *self);

    /* The tag of the next request that ended and, in *reply, what came, whose
     * body is valid until the next call. NULL: none ended. */
    void *(*take)(mp_transport *self, mp_reply *reply);

    /* The same for one that is under way and is broken off: of this tag, whose
     * bytes that the system still holds are dropped, too; NULL: any. NULL: none
     * is. */
    void *(*abort)(mp_transport *self, const void *tag, mp_reply *reply);

    /* Gives back what it holds; nothing is under way any more. Ensures: the
     * struct stays, and calls that other threads may make do nothing. */
    void (*close)(mp_transport *self);

    /* Frees the closed struct: nobody calls any more. */
    void (*free)(mp_transport *self);

    /* Thread: any. Keeps the sending thread for good out of libraries that the
     * end of the process is about to tear down; waits some seconds for it to
     * leave them. */
    void (*lock_out)(mp_transport *self);

    /* Around fork. Thread: the one that forks. The first waits until the
     * sending thread is outside of those libraries, whose locks would otherwise
     * stay locked in the child for ever; but not longer than a second. In the
     * child the transport is abandoned: what would keep the parent's
     * connections open is closed, and all else is left alone. */
    void (*before_fork)(mp_transport *self);
    void (*in_parent)(mp_transport *self);
    void (*in_child)(mp_transport *self);
};

/* ---- the one of this build: transport_curl.c or transport_none.c ---- */

/* Once per process, before any other thread may use what it sets up.
 * MP_NETWORK. */
mp_err mp_transport_set_up(void);

/* Returns 0 or an errno value: EMFILE and ENFILE when there is no descriptor
 * for it, ENOTSUP when this build has none. */
int mp_transport_new(mp_transport **out);

#endif
