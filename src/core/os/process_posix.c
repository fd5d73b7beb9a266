#define _GNU_SOURCE
#include "core/os/process.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

void mp_process_pin(const void *inside) {
    Dl_info info;
    if (dladdr(inside, &info) && info.dli_fname)
        dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

bool mp_process_at_end(void (*run)(void)) {
    return atexit(run) == 0;
}

bool mp_process_around_fork(void (*before)(void), void (*in_parent)(void),
                            void (*in_child)(void)) {
    return pthread_atfork(before, in_parent, in_child) == 0;
}
