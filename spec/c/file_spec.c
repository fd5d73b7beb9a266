#include "core/os/file.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char home[64]; /* a directory of this test's own */
static int dir;       /* open on it */

static void enter(void) {
    strcpy(home, "/tmp/mp_file_XXXXXX");
    CHECK(mkdtemp(home) != NULL);
    CHECK(mp_file_open_dir(MP_FILE_HERE, home, &dir) == 0);
}

static bool remove_entry(const char *name, void *user) {
    (void)user;
    if (unlinkat(dir, name, 0) != 0)
        unlinkat(dir, name, AT_REMOVEDIR);
    return true;
}

static void leave(void) {
    mp_file_list(dir, remove_entry, NULL);
    mp_file_close(dir);
    CHECK(rmdir(home) == 0);
}

static bool count_entry(const char *name, void *user) {
    (void)name;
    ++*(int *)user;
    return true;
}

static int entries(void) {
    int n = 0;
    CHECK(mp_file_list(dir, count_entry, &n) == 0);
    return n;
}

static void check_contents(const char *name, const char *expected) {
    mp_buf got = {0};
    CHECK(mp_file_read(dir, name, 1000, &got) == 0);
    CHECK_TEXT(got.data, got.len, expected);
    mp_buf_free(&got);
}

/* ---- faults: the n-th call fails ---- */

static int calls_left;
static mp_file_calls faulty;

static bool fails(void) {
    if (calls_left-- != 0)
        return false;
    errno = ENOSPC;
    return true;
}

static int64_t write_or_fail(int fd, const void *bytes, size_t n, int64_t at) {
    return fails() ? -1 : mp_file_system.write(fd, bytes, n > 2 ? 2 : n, at);
}

static int open_or_fail(int at, const char *path, unsigned flags) {
    return fails() ? -1 : mp_file_system.open(at, path, flags);
}

static int sync_or_fail(int fd) {
    return fails() ? -1 : mp_file_system.sync(fd);
}

static int rename_or_fail(int a, const char *from, int b, const char *to) {
    return fails() ? -1 : mp_file_system.rename(a, from, b, to);
}

CASE(a_file_is_read_whole_behind_what_is_there) {
    enter();
    CHECK(mp_file_replace(dir, "a", "12345", 5) == 0);
    mp_buf got = {0};
    mp_buf_puts(&got, "<");
    CHECK(mp_file_read(dir, "a", 5, &got) == 0);
    CHECK_TEXT(got.data, got.len, "<12345");
    CHECK(mp_file_read(dir, "a", 4, &got) == EFBIG);
    CHECK(mp_file_read(dir, "b", 4, &got) == ENOENT);
    CHECK_TEXT(got.data, got.len, "<12345");
    mp_buf_free(&got);
    leave();
}

CASE(a_path_is_taken_from_the_working_directory) {
    char path[128];
    enter();
    snprintf(path, sizeof path, "%s/a", home);
    CHECK(mp_file_replace(MP_FILE_HERE, path, "x", 1) == 0);
    check_contents("a", "x");
    leave();
}

CASE(what_is_no_regular_file_is_not_read) {
    enter();
    mp_buf got = {0};
    CHECK(mp_file_mkdir(dir, "d") == 0);
    CHECK(mp_file_read(dir, "d", 10, &got) == EINVAL);
    CHECK(mkfifoat(dir, "p", 0600) == 0);
    CHECK(mp_file_read(dir, "p", 10, &got) == EINVAL);
    CHECK(mp_file_append(dir, "p", "x", 1) == ENXIO);
    CHECK(mp_file_read(dir, "/dev/zero", 10, &got) == EINVAL);
    CHECK(got.len == 0);
    mp_buf_free(&got);
    leave();
}

CASE(symbolic_links_are_not_followed) {
    enter();
    mp_buf got = {0};
    int fd;
    CHECK(mp_file_replace(dir, "a", "secret", 6) == 0);
    CHECK(mp_file_mkdir(dir, "d") == 0);
    CHECK(symlinkat("a", dir, "l") == 0 && symlinkat("d", dir, "ld") == 0);
    CHECK(mp_file_read(dir, "l", 10, &got) == ELOOP);
    CHECK(mp_file_append(dir, "l", "x", 1) == ELOOP);
    CHECK(mp_file_create(dir, "l", &fd) == EEXIST);
    CHECK(mp_file_open_dir(dir, "ld", &fd) != 0);
    CHECK(mp_file_lock_dir(dir, "ld", &fd) != 0);
    CHECK(mp_file_replace(dir, "l", "new", 3) == 0);
    check_contents("a", "secret");
    check_contents("l", "new");
    leave();
}

CASE(what_is_no_file_is_not_replaced) {
    enter();
    mp_buf got = {0};
    CHECK(mkfifoat(dir, "f", 0600) == 0 && mp_file_mkdir(dir, "d") == 0);
    CHECK(mp_file_replace(dir, "f", "x", 1) == EINVAL);
    CHECK(mp_file_replace(dir, "d", "x", 1) == EINVAL);
    CHECK(mp_file_read(dir, "f", 10, &got) == EINVAL);
    CHECK(mp_file_append(dir, "f", "x", 1) != 0);
    CHECK(mp_file_unlink(dir, "f") == 0 && mp_file_rmdir(dir, "d") == 0);
    leave();
}

CASE(files_are_the_owner_s_alone) {
    enter();
    struct stat seen;
    mode_t before = umask(0);
    CHECK(mp_file_replace(dir, "a", "x", 1) == 0);
    CHECK(mp_file_append(dir, "b", "x", 1) == 0);
    CHECK(mp_file_mkdir(dir, "d") == 0);
    umask(before);
    CHECK(fstatat(dir, "a", &seen, 0) == 0 && (seen.st_mode & 07777) == 0600);
    CHECK(fstatat(dir, "b", &seen, 0) == 0 && (seen.st_mode & 07777) == 0600);
    CHECK(fstatat(dir, "d", &seen, 0) == 0 && (seen.st_mode & 07777) == 0700);
    leave();
}

CASE(appending_keeps_what_is_there) {
    enter();
    CHECK(mp_file_append(dir, "a", "one\n", 4) == 0);
    CHECK(mp_file_append(dir, "a", "two\n", 4) == 0);
    check_contents("a", "one\ntwo\n");
    leave();
}

CASE(a_failed_replacement_leaves_the_old_file_and_nothing_else) {
    enter();
    faulty = mp_file_system;
    faulty.open = open_or_fail;
    faulty.write = write_or_fail;
    faulty.sync = sync_or_fail;
    faulty.rename = rename_or_fail;
    CHECK(mp_file_replace(dir, "a", "old", 3) == 0);
    mp_file_use(&faulty);
    int n = 0, err;
    do {
        calls_left = n++;
        err = mp_file_replace(dir, "a", "brand new", 9);
        calls_left = -1;
        bool renamed = n > 8; /* open, 5 writes, sync, rename */
        check_contents("a", renamed ? "brand new" : "old");
        CHECK(entries() == 1);
        CHECK(err == 0 || err == ENOSPC);
    } while (err != 0 && n < 100);
    mp_file_use(&mp_file_system);
    CHECK(n == 8 + 2 + 1); /* and the directory's open and sync */
    leave();
}

static int interrupts;

static int64_t write_interrupted(int fd, const void *bytes, size_t n,
                                 int64_t at) {
    if (interrupts-- <= 0)
        return mp_file_system.write(fd, bytes, n > 1 ? 1 : n, at);
    errno = EINTR;
    return -1;
}

CASE(an_interrupted_or_short_write_goes_on) {
    enter();
    int fd;
    faulty = mp_file_system;
    faulty.write = write_interrupted;
    mp_file_use(&faulty);
    interrupts = 3;
    CHECK(mp_file_create(dir, "a", &fd) == 0);
    CHECK(mp_file_write(fd, "abc", 3, 2) == 0);
    CHECK(mp_file_write(fd, "xy", 2, 0) == 0);
    mp_file_close(fd);
    mp_file_use(&mp_file_system);
    CHECK(interrupts == 3 - 3 - 5);
    check_contents("a", "xyabc");
    leave();
}

CASE(a_mapping_writes_into_the_file) {
    enter();
    int fd;
    char *map;
    CHECK(mp_file_create(dir, "a", &fd) == 0);
    CHECK(mp_file_allocate(fd, 8192) == 0);
    CHECK(mp_file_map(fd, 8192, &map) == 0);
    mp_file_close(fd);
    memcpy(map + 4096, "there", 5);
    CHECK(mp_file_sync_map(map, 8192) == 0);
    mp_file_unmap(map, 8192);
    mp_buf got = {0};
    CHECK(mp_file_read(dir, "a", 8192, &got) == 0);
    CHECK(got.len == 8192 && memcmp(got.data + 4096, "there", 6) == 0);
    mp_buf_free(&got);
    leave();
}

CASE(a_locked_directory_is_locked_for_everyone) {
    enter();
    int first, second;
    CHECK(mp_file_mkdir(dir, "run") == 0);
    CHECK(mp_file_lock_dir(dir, "run", &first) == 0);
    CHECK(mp_file_lock_dir(dir, "run", &second) == EWOULDBLOCK);
    mp_file_unlock_dir(first);
    CHECK(mp_file_lock_dir(dir, "run", &second) == 0);
    mp_file_unlock_dir(second);
    CHECK(mp_file_lock_dir(dir, "none", &second) == ENOENT);
    leave();
}

static int remove_and_lock(int fd) {
    mp_file_rmdir(dir, "run");
    return mp_file_system.lock(fd);
}

CASE(a_directory_removed_before_the_lock_is_not_locked) {
    enter();
    int fd;
    faulty = mp_file_system;
    faulty.lock = remove_and_lock;
    mp_file_use(&faulty);
    CHECK(mp_file_mkdir(dir, "run") == 0);
    CHECK(mp_file_lock_dir(dir, "run", &fd) == ENOENT);
    mp_file_use(&mp_file_system);
    leave();
}

/* What an engine does around fork. */
static pid_t fork_child(void) {
    mp_file_before_fork();
    pid_t pid = fork();
    if (pid == 0)
        mp_file_in_child();
    else
        mp_file_in_parent();
    return pid;
}

CASE(an_idle_child_does_not_keep_its_parent_s_lock) {
    enter();
    int pipes[2], through[2], fd, again;
    CHECK(pipe(pipes) == 0 && pipe(through) == 0);
    CHECK(mp_file_mkdir(dir, "run") == 0);
    pid_t parent = fork();
    if (parent == 0) { /* locks, forks an idle child, and dies */
        int locked = mp_file_lock_dir(dir, "run", &fd);
        pid_t idle = fork_child();
        char byte = 0;
        if (idle == 0) { /* and is through its handler */
            close(pipes[1]);
            _exit(write(through[1], &byte, 1) != 1 ||
                  read(pipes[0], &byte, 1) < 0);
        }
        _exit(locked);
    }
    int status;
    char byte;
    close(pipes[0]);
    close(through[1]); /* if the child dies, read ends */
    CHECK(waitpid(parent, &status, 0) == parent && status == 0);
    CHECK(read(through[0], &byte, 1) == 1);
    close(through[0]);
    CHECK(mp_file_lock_dir(dir, "run", &again) == 0);
    mp_file_unlock_dir(again);
    close(pipes[1]); /* ends the idle child */
    leave();
}

static int opens;

/* A fork begins behind the first open and ends behind the third. */
static int open_and_fork(int at, const char *path, unsigned flags) {
    int fd = mp_file_system.open(at, path, flags);
    opens++;
    if (opens == 1)
        mp_file_before_fork();
    if (opens == 3)
        mp_file_in_parent();
    return fd;
}

CASE(a_descriptor_that_a_fork_may_have_copied_before_it_is_held_is_not_used) {
    enter();
    int fd, lowest = dup(0);
    close(lowest);
    faulty = mp_file_system;
    faulty.open = open_and_fork;
    mp_file_use(&faulty);
    CHECK(mp_file_mkdir(dir, "run") == 0);
    CHECK(mp_file_lock_dir(dir, "run", &fd) == 0);
    mp_file_use(&mp_file_system);
    CHECK(opens == 4 && fd == lowest); /* the others were closed */
    mp_file_unlock_dir(fd);
    leave();
}

/* More than fit into one block. */
CASE(any_number_of_descriptors_can_be_held) {
    enum {
        HELD = 700
    };
    int fds[HELD], n = 0, status;
    for (; n < HELD; n++) {
        fds[n] = dup(0);
        CHECK(fds[n] >= 0 && mp_file_hold(fds[n]));
    }
    pid_t pid = fork_child();
    if (pid == 0) { /* has none of them */
        while (n > 0 && fcntl(fds[n - 1], F_GETFD) < 0)
            n--;
        _exit(n > 0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    while (n > 0)
        mp_file_close(fds[--n]);
}

/* Whose signal would end the process. */
CASE(a_limit_on_the_size_of_files_is_a_full_disk) {
    static const char bytes[3000];
    struct rlimit before, small;
    int fd;
    enter();
    CHECK(mp_file_create(dir, "a", &fd) == 0);
    CHECK(getrlimit(RLIMIT_FSIZE, &before) == 0);
    small = before;
    small.rlim_cur = 4096;
    CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
    CHECK(mp_file_allocate(fd, 4097) == EFBIG);
    CHECK(mp_file_allocate(fd, 4096) == 0);
    CHECK(mp_file_write(fd, bytes, sizeof bytes, 1096) == 0);
    CHECK(mp_file_write(fd, bytes, sizeof bytes, 1097) == EFBIG);
    CHECK(mp_file_append(dir, "b", bytes, sizeof bytes) == 0);
    CHECK(mp_file_append(dir, "b", bytes, sizeof bytes) == EFBIG);
    CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0);
    mp_file_close(fd);
    leave();
}

int main(void) {
    RUN(a_file_is_read_whole_behind_what_is_there);
    RUN(a_path_is_taken_from_the_working_directory);
    RUN(what_is_no_regular_file_is_not_read);
    RUN(symbolic_links_are_not_followed);
    RUN(what_is_no_file_is_not_replaced);
    RUN(files_are_the_owner_s_alone);
    RUN(appending_keeps_what_is_there);
    RUN(a_failed_replacement_leaves_the_old_file_and_nothing_else);
    RUN(an_interrupted_or_short_write_goes_on);
    RUN(a_limit_on_the_size_of_files_is_a_full_disk);
    RUN(a_mapping_writes_into_the_file);
    RUN(a_locked_directory_is_locked_for_everyone);
    RUN(a_directory_removed_before_the_lock_is_not_locked);
    RUN(an_idle_child_does_not_keep_its_parent_s_lock);
    RUN(a_descriptor_that_a_fork_may_have_copied_before_it_is_held_is_not_used);
    RUN(any_number_of_descriptors_can_be_held);
    return unit_result();
}
