/* Allocations that fail: a program that includes this, or a library that is
 * loaded before all others, stands in for malloc, calloc, realloc and mmap,
 * and so for everything that libraries make of them.
 *
 * Inclusion by one file of a program only. */
#ifndef MP_FAILING_H
#define MP_FAILING_H

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

typedef enum failing_threads {
    FAILING_NONE,
    FAILING_OWN,   /* allocations of the thread that armed */
    FAILING_OTHERS /* of all other threads */
} failing_threads;

static atomic_int failing_in;
static atomic_long failing_first, failing_end, failing_seen;
/* Of the library's static TLS: the dynamic kind would be allocated. */
static _Thread_local bool failing_armer
    __attribute__((tls_model("initial-exec")));

/* Allocations number `first` to `first + times - 1` from now on fail. One
 * thread arms and disarms. */
static inline void failing_arm(failing_threads in, long first, long times) {
    failing_armer = true;
    failing_first = first;
    failing_end = first + times;
    failing_seen = 0;
    failing_in = (int)in;
}

/* True if any failed. */
static inline bool failing_disarm(void) {
    failing_in = FAILING_NONE;
    return failing_seen >= failing_first;
}

/* The sanitizers allocate before they can check anything, so what stands in
 * for an allocation is not checked. */
#define FAILING_PLAIN                                                          \
    __attribute__((no_sanitize("address"), no_sanitize("undefined")))

FAILING_PLAIN static bool failing_now(void) {
    int in = atomic_load(&failing_in);
    if (in == FAILING_NONE || (in == FAILING_OWN) != failing_armer)
        return false;
    long number = atomic_fetch_add(&failing_seen, 1) + 1;
    if (number < failing_first || number >= failing_end)
        return false;
    errno = ENOMEM;
    return true;
}

#pragma GCC visibility push(default) /* for libraries too */

/* The function that the one of this name stands in for. */
#define FAILING_NEXT_SYMBOL(name, symbol)                                      \
    static __typeof__(name) *next;                                             \
    if (!next)                                                                 \
    *(void **)&next = dlsym(RTLD_NEXT, symbol)
#define FAILING_NEXT(name) FAILING_NEXT_SYMBOL(name, #name)

FAILING_PLAIN void *malloc(size_t bytes) {
    FAILING_NEXT(malloc);
    return failing_now() ? NULL : next(bytes);
}

FAILING_PLAIN void *calloc(size_t n, size_t bytes) {
    FAILING_NEXT(calloc);
    return failing_now() ? NULL : next(n, bytes);
}

FAILING_PLAIN void *realloc(void *old, size_t bytes) {
    FAILING_NEXT(realloc);
    return bytes > 0 && failing_now() ? NULL : next(old, bytes);
}

/* With 64-bit offsets the header gives mmap the symbol of its sibling. */
#ifdef __USE_FILE_OFFSET64
#define FAILING_MMAP "mmap64"
#else
#define FAILING_MMAP "mmap"
#endif

FAILING_PLAIN void *mmap(void *at, size_t bytes, int access, int flags, int fd,
                         off_t from) {
    FAILING_NEXT_SYMBOL(mmap, FAILING_MMAP);
    return failing_now() ? MAP_FAILED
                         : next(at, bytes, access, flags, fd, from);
}

#pragma GCC visibility pop

#endif
