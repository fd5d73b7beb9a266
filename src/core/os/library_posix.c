#define _GNU_SOURCE
#include "core/os/library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* C has no conversion between the two kinds of pointers; POSIX ensures that
 * they have one form. */
static void *address_of(mp_library_function function) {
    void *address;
    memcpy(&address, &function, sizeof address);
    return address;
}

static mp_library_function function_at(void *address) {
    mp_library_function function;
    memcpy(&function, &address, sizeof function);
    return function;
}

static void *find_in_library(const void *inside, const char *name) {
    Dl_info info;
    if (!dladdr(inside, &info))
        return NULL;
    void *library = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    if (!library)
        return NULL;
    void *address = dlsym(library, name);
    dlclose(library);
    return address;
}

mp_library_function mp_library_find(mp_library_function inside,
                                    const char *name) {
    void *address = dlsym(RTLD_DEFAULT, name);
    return function_at(address ? address
                               : find_in_library(address_of(inside), name));
}

mp_library *mp_library_open(const char *path, char *why, size_t size) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *text = dlerror();
        snprintf(why, size, "%s", text ? text : "unknown error");
    }
    return library;
}

const void *mp_library_symbol(mp_library *library, const char *name) {
    return dlsym(library, name);
}

void mp_library_close(mp_library *library) {
    dlclose(library);
}

bool mp_library_exists(const char *path) {
    return access(path, R_OK) == 0;
}
