#define _GNU_SOURCE
#include "core/os/pages.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

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

static void give_back(char *first, const char *end, int advice) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    first += (page - (uintptr_t)first % page) % page;
    end -= (uintptr_t)end % page;
    if (first < end)
        madvise(first, (size_t)(end - first), advice);
}

void mp_pages_give_back(char *first, const char *end) {
    give_back(first, end, MADV_DONTNEED);
}

void mp_pages_give_back_mapped(char *first, const char *end) {
    give_back(first, end, MADV_REMOVE);
}
