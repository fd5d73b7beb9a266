/* What a driver of a message bus provides: the one file of this project that it
 * includes. A driver is a shared object of its own, mixpanel_NAME.so, that
 * exports the table `mp_bus_driver_NAME`:
 *
 *     const mp_bus_driver mp_bus_driver_nats = {.abi = MP_BUS_ABI, ...};
 *
 * A driver knows nothing of Lua, of records, or of retries. What comes back for
 * a message has the meanings of HTTP, so that whoever judges the replies of
 * Mixpanel judges these, too.
 *
 * Thread: one thread at a time makes all calls but `forget`, and may be another
 * one after a fork. A driver has threads of its own for whatever waits; it
 * starts none before `open`. No call waits, but for `close`. Signals are
 * blocked in the calling thread, and so in threads that it starts; a driver
 * leaves what the process does with signals as it was.
 *
 * Secrets: no text that a driver gives may hold what is in the file of
 * credentials, nor a URL with a password; it is shown to people. */
#ifndef MP_BUS_DRIVER_H
#define MP_BUS_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MP_BUS_ABI = 2, /* rises with every change of this interface */
    MP_BUS_TEXT = 256
};

typedef struct mp_bus mp_bus; /* a driver's own: an open bus */

/* What the option `bus` says. It lives until `close` or `forget` returned. */
typedef struct mp_bus_options {
    const char *const *servers; /* URLs without user and password */
    size_t servers_count;       /* at least 1 */
    const char *credentials;    /* absolute path of a file; NULL: none */
    const char *ca_file;        /* of PEM certificates; NULL: none is given */
    const char *stream;         /* where messages are kept; NULL: not said */
} mp_bus_options;

typedef struct mp_bus_header {
    const char *name, *value;
} mp_bus_header;

/* Records of one kind and one project, or a probe: the question whether some
 * would be stored, which stores nothing itself, and has no id, no headers and
 * no body. It lives until its tag is given back. */
typedef struct mp_bus_message {
    const char *subject; /* "mp.0123456789abcdef.events" */
    const char *id;      /* the same whenever these records travel together */
    const mp_bus_header *headers; /* the id is among them */
    size_t headers_count;
    const void *body; /* gzip of a JSON array, one record a line */
    size_t len;
    bool probe;
    int64_t timeout_ms; /* from now on; then there is an outcome */
} mp_bus_message;

/* The outcome of a message.
 *
 *   200     the bus has stored it, or had stored one of this id before
 *   401     not allowed: people must mend the credentials or permissions, or a
 *           file that an option names, which cannot be used
 *   404     no such stream or topic: people must make one
 *   413     too large; it is parted in two
 *   503     not stored now: not connected, no leader, the stream is full
 *   0       with `sent`: it left, and nobody knows whether it was stored;
 *           without: it was broken off before it left
 *
 * Nothing else means anything. But for 200 `text` says why.
 *
 * Of a probe the same: 200 if records would be stored, as far as can be told
 * without storing any. */
typedef struct mp_bus_reply {
    int status;
    bool sent;
    char text[MP_BUS_TEXT];
} mp_bus_reply;

typedef struct mp_bus_driver {
    uint32_t abi; /* MP_BUS_ABI */

    /* Opens a bus, and leaves it to a thread to connect, which tries on until
     * it can. `wake(user)` is called, from any thread, whenever `take` has
     * something new; it may be called from here on, and at any time after
     * `close`, but not after `forget`. NULL: the options are wrong, memory ran
     * out, or the bus cannot be used in a forked child, and *text says why; it
     * is tried again with the next message. */
    mp_bus *(*open)(const mp_bus_options *options, void (*wake)(void *user),
                    void *user, char text[MP_BUS_TEXT]);

    /* Takes a message on its way. Ensures: if it returns true, `tag` is given
     * back once, by `take` or `abort`. False: out of memory. */
    bool (*put)(mp_bus *bus, const mp_bus_message *message, void *tag);

    /* The tag of the next message with an outcome; NULL: there is none. */
    void *(*take)(mp_bus *bus, mp_bus_reply *reply);

    /* The same for a message that is under way, which is broken off; one that
     * has an outcome gets that. NULL: none is under way. */
    void *(*abort)(mp_bus *bus, mp_bus_reply *reply);

    /* Closes a bus that has nothing under way, and waits for its threads
     * `timeout_ms` at the most. False: some still run; then what they use
     * stays, and the process is about to end. */
    bool (*close)(mp_bus *bus, int64_t timeout_ms);

    /* In a forked child, where the threads of the bus are not, and any lock of
     * it may be taken for ever: closes copies of descriptors, frees nothing,
     * takes no lock. `open` may follow, and refuse. */
    void (*forget)(mp_bus *bus);
} mp_bus_driver;

#endif
