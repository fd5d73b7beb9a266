#define _GNU_SOURCE
#include "core/os/pages.h"

#include <sys/mman.h>

char *mp_pages_new(size_t bytes) {
    char *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return NULL;
    madvise(pages, bytes, MADV_DONTFORK);
    return pages;
}

void mp_pages_free(char *pages, size_t bytes) {
    munmap(pages, bytes);
}
