/* shut_down PATH: takes away the file system of PATH, which is ext4 or XFS, as
 * a loss of power does: what it did not write yet is gone, and its journal is
 * as the disk has it. The device still works. Status 77: it cannot be done
 * here. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* EXT4_IOC_SHUTDOWN, which is XFS_IOC_GOINGDOWN too. */
#define SHUT_DOWN _IOR('X', 125, uint32_t)

int main(int argc, char **argv) {
    uint32_t how = 2; /* the journal is not flushed */
    int fd = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int failed = fd < 0 || ioctl(fd, SHUT_DOWN, &how) != 0;
    if (failed)
        fprintf(stderr, "cannot shut down: %s\n", strerror(errno));
    if (fd >= 0)
        close(fd);
    return failed ? 77 : 0;
}
