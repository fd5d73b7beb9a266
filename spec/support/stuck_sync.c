/* Preloaded: a disk that hangs. While the file that MP_SPEC_STUCK names exists,
 * no sync returns. */
#include "stuck.h"

#include <sys/mman.h>
#include <sys/syscall.h>

int fsync(int fd) {
    hang();
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
    hang();
    return (int)syscall(SYS_fdatasync, fd);
}

int msync(void *address, size_t bytes, int flags) {
    hang();
    return (int)syscall(SYS_msync, address, bytes, flags);
}
