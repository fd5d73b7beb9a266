#define _GNU_SOURCE
#include "nats/library.h"
#include "nats/fork.h"

#include <nats/nats.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

/* libnats does not need the headers of OpenSSL, and neither does this. */
__attribute__((weak)) extern int OPENSSL_init_crypto(uint64_t options,
                                                     const void *settings);
__attribute__((weak)) extern void OPENSSL_thread_stop(void);
__attribute__((weak)) extern int OPENSSL_atexit(void (*handler)(void));
static const uint64_t NO_ATEXIT = 0x00080000; /* OPENSSL_INIT_NO_ATEXIT */

/* The process that uses it; a copy of this in a forked child tells who did. */
static atomic_int used_by;

static void (*await_threads)(void);

/* First of all in what OpenSSL does at the end of a process, if another user of
 * it was first and had it do so: libcurl is. */
static void before_tear_down(void) {
    if (!mp_nats_library_is_forked())
        await_threads();
}

/* At the end of a process what was registered last runs first, so libnats and,
 * if nobody used it before, OpenSSL would be torn down before the module has
 * sent what waits. OpenSSL is asked not to; libnats tears itself down only once
 * it was closed, so it never is: its threads hold references until the process
 * ends. */
static natsStatus open_once(void) {
    struct sigaction before;
    if (!mp_nats_fork_watch())
        return NATS_NO_MEMORY;
    if (OPENSSL_init_crypto)
        OPENSSL_init_crypto(NO_ATEXIT, NULL);
    if (OPENSSL_atexit && OPENSSL_atexit(before_tear_down) != 1)
        return NATS_NO_MEMORY;
    /* It has the process ignore SIGPIPE, which is the program's to decide. It
     * does not need it: it sends without that signal, or, over TLS, in threads
     * that have all signals blocked, as the one that calls this has. */
    bool known = sigaction(SIGPIPE, NULL, &before) == 0;
    natsStatus s = nats_Open(-1);
    if (known)
        sigaction(SIGPIPE, &before, NULL);
    return s;
}

/* What OpenSSL would do at the very end of the thread takes a lock, too. */
void mp_nats_library_leave_thread(void) {
    nats_ReleaseThreadMemory();
    if (OPENSSL_thread_stop)
        OPENSSL_thread_stop();
}

/* Its threads are not here. Publishing would say yes and send nothing, a new
 * connection would have no time-outs, and closing would crash. */
bool mp_nats_library_is_forked(void) {
    int user = atomic_load(&used_by);
    return user != 0 && user != (int)getpid();
}

bool mp_nats_library_open(void (*at_end)(void), char text[MP_BUS_TEXT]) {
    if (mp_nats_library_is_forked()) {
        snprintf(text, MP_BUS_TEXT,
                 "nats: this process was forked from one that had used the "
                 "bus, which libnats does not survive: make the client before "
                 "a fork, and use it only after it");
        return false;
    }
    await_threads = at_end;
    natsStatus s = atomic_load(&used_by) == 0 ? open_once() : NATS_OK;
    if (s != NATS_OK) {
        snprintf(text, MP_BUS_TEXT, "nats: libnats cannot be used: %s",
                 natsStatus_GetText(s));
        return false;
    }
    atomic_store(&used_by, (int)getpid());
    return true;
}
