/* Runs a command where no name is ever resolved: the one name server it is
 * told of, on the loopback device of a network of its own, takes every query
 * and answers none.
 *
 *     blackhole COMMAND...
 *
 * Exit status 77: this system does not allow such namespaces. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    UNABLE = 77
};

static _Noreturn void give_up(const char *what) {
    fprintf(stderr, "blackhole: %s: %s\n", what, strerror(errno));
    exit(UNABLE);
}

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        give_up(path);
}

/* Without root, a user namespace gives the right to make the others. */
static void separate(void) {
    char map[64];
    int user = (int)geteuid(), group = (int)getegid();
    if (unshare(CLONE_NEWNET | CLONE_NEWNS) == 0)
        return;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) != 0)
        give_up("unshare");
    write_file("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "%d %d 1", user, user);
    write_file("/proc/self/uid_map", map);
    snprintf(map, sizeof map, "%d %d 1", group, group);
    write_file("/proc/self/gid_map", map);
}

static void raise_loopback(void) {
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) != 0)
        give_up("lo");
    request.ifr_flags |= IFF_UP;
    if (ioctl(fd, SIOCSIFFLAGS, &request) != 0)
        give_up("lo");
    close(fd);
}

/* Puts a file with this text in the place of another, for us alone. */
static void cover(const char *path, const char *text) {
    char cover[] = "/tmp/blackhole.XXXXXX";
    int fd = mkstemp(cover);
    if (fd < 0)
        give_up("mkstemp");
    close(fd);
    write_file(cover, text);
    if (mount(cover, path, NULL, MS_BIND, NULL) != 0)
        give_up(path);
    unlink(cover);
}

/* Stays open over exec and is never read. */
static void bind_resolver(void) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(53),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0)
        give_up("port 53");
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: blackhole COMMAND...\n");
        return 2;
    }
    separate();
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        give_up("/");
    raise_loopback();
    cover("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:30\n");
    bind_resolver();
    execvp(argv[1], argv + 1);
    perror(argv[1]);
    return 127;
}
