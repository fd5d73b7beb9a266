#include "core/user/state_file.h"

#include "core/base/text.h"
#include "core/os/clock.h"
#include "core/os/file.h"
#include "core/os/lock.h"
#include "core/os/syserr.h"
#include "core/os/thread.h"
#include "core/user/user_text.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    LOCK_MS = 1000,         /* that a write waits for other processes */
    FORGETFUL = 1 << 8,     /* beside an mp_consent in `said` */
    MOST = 32 * 1024 * 1024 /* bytes of a file that is looked at */
};

struct mp_state_file {
    mp_state_file *next;
    uint64_t device, inode; /* of the folder; 0, 0: there was none */
    char *path;             /* the first that led here */
    uint32_t refs;
    atomic_int said;    /* an mp_consent, and FORGETFUL */
    bool decided;       /* by the user, and not written yet */
    bool known_refusal; /* which that decision may overwrite */
    bool inherited;     /* `newest` is the parent's to write */
    mp_buf newest;      /* empty: it is on the disk */
    uint64_t number;    /* of `newest` */
    uint64_t last;      /* rises with each text and each decision */
};

static struct {
    mp_lock lock;
    mp_state_file *list;
} files = {.lock = MP_LOCK_INIT};

/* ---- which file ---- */

static const char *name_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The folder of a path, with the slash, so that a link to it is followed. */
static char *parent_of(const char *path) {
    int len = (int)(name_of(path) - path);
    return len > 0 ? mp_text_format("%.*s", len, path) : mp_text_copy("./");
}

/* Zeros where there is no folder. False: out of memory. */
static bool look_at_parent(const char *path, mp_file_info *out) {
    char *parent = parent_of(path);
    if (!parent)
        return false;
    if (mp_file_look(MP_FILE_HERE, parent, out) != 0)
        *out = (mp_file_info){.device = 0};
    free(parent);
    return true;
}

/* Inodes are used again: a folder that its path no longer leads to may be
 * gone, and another may have its number. */
static bool is_at(const mp_state_file *file, const char *path,
                  const mp_file_info *parent) {
    mp_file_info seen;
    bool same_path = strcmp(file->path, path) == 0;
    if (file->inode == 0 || parent->inode == 0)
        return same_path;
    if (file->device != parent->device || file->inode != parent->inode ||
        strcmp(name_of(file->path), name_of(path)) != 0)
        return false;
    return same_path ||
           (look_at_parent(file->path, &seen) && seen.device == file->device &&
            seen.inode == file->inode);
}

static void drop(mp_state_file *file) {
    mp_buf_free(&file->newest);
    free(file->path);
    free(file);
}

/* With the lock held. */
static mp_state_file *add(const char *path) {
    mp_state_file *file = calloc(1, sizeof *file);
    if (file)
        file->path = mp_text_copy(path);
    if (!file || !file->path) {
        free(file);
        return NULL;
    }
    file->next = files.list;
    files.list = file;
    return file;
}

mp_state_file *mp_state_file_open(const char *path) {
    mp_file_info parent;
    if (!look_at_parent(path, &parent))
        return NULL;
    mp_lock_take(&files.lock);
    mp_state_file *file = files.list;
    while (file && !is_at(file, path, &parent))
        file = file->next;
    if (!file)
        file = add(path);
    if (file) {
        if (file->inode == 0) {
            file->device = parent.device;
            file->inode = parent.inode;
        }
        file->refs++;
    }
    mp_lock_give(&files.lock);
    return file;
}

mp_state_file *mp_state_file_retain(mp_state_file *file) {
    mp_lock_take(&files.lock);
    file->refs++;
    mp_lock_give(&files.lock);
    return file;
}

const char *mp_state_file_path(const mp_state_file *file) {
    return file->path;
}

/* With the lock held: forgets an entry that the disk has everything of. */
static void release(mp_state_file *file) {
    mp_state_file **at = &files.list;
    if (--file->refs > 0 || file->newest.len > 0 || file->decided)
        return;
    while (*at != file)
        at = &(*at)->next;
    *at = file->next;
    drop(file);
}

void mp_state_file_close(mp_state_file *file) {
    if (!file)
        return;
    mp_lock_take(&files.lock);
    release(file);
    mp_lock_give(&files.lock);
}

/* ---- consent ---- */

mp_consent mp_state_file_consent(const mp_state_file *file) {
    return (
        mp_consent)(atomic_load_explicit(&file->said, memory_order_relaxed) &
                    ~FORGETFUL);
}

void mp_state_file_get(const mp_state_file *file, mp_user *user) {
    int said = atomic_load(&file->said);
    user->consent = (mp_consent)(said & ~FORGETFUL);
    user->forgetful = (said & FORGETFUL) != 0;
}

/* With the lock held. */
static void say(mp_state_file *file, const mp_user *user) {
    atomic_store(&file->said,
                 (int)user->consent | (user->forgetful ? FORGETFUL : 0));
}

void mp_state_file_decide(mp_state_file *file, const mp_user *user) {
    mp_lock_take(&files.lock);
    if (user->consent == MP_CONSENT_REFUSED)
        file->known_refusal = false;
    else if (mp_state_file_consent(file) == MP_CONSENT_REFUSED)
        file->known_refusal = true;
    file->decided = true;
    file->last++;
    say(file, user);
    mp_lock_give(&files.lock);
}

void mp_state_file_learn(mp_state_file *file, const mp_user *user) {
    mp_lock_take(&files.lock);
    if (!file->decided && user->consent > mp_state_file_consent(file))
        say(file, user);
    mp_lock_give(&files.lock);
}

/* ---- text ---- */

bool mp_state_file_put(mp_state_file *file, const mp_buf *text, mp_err *err) {
    mp_buf copy = {0};
    bool refuses = mp_user_text_refuses(text->data, text->len);
    *err = mp_buf_add(&copy, text->data, text->len);
    mp_lock_take(&files.lock);
    bool refused = mp_state_file_consent(file) == MP_CONSENT_REFUSED;
    if (*err == MP_OK && refuses == refused) {
        mp_buf before = file->newest;
        file->newest = copy;
        copy = before;
        file->number = ++file->last;
        file->inherited = false;
    }
    mp_lock_give(&files.lock);
    mp_buf_free(&copy);
    return refuses == refused;
}

/* Copies the newest text; its number, or 0: it is on the disk. */
static uint64_t copy_newest(mp_state_file *file, mp_buf *out, mp_err *err) {
    mp_lock_take(&files.lock);
    uint64_t number = file->newest.len > 0 ? file->number : 0;
    if (number > 0)
        *err = mp_buf_add(out, file->newest.data, file->newest.len);
    mp_lock_give(&files.lock);
    return number;
}

static int read_disk(const char *path, size_t most, mp_buf *out) {
    size_t start = out->len;
    int err = mp_file_read(MP_FILE_HERE, path, most, out);
    if (err != 0)
        return err;
    const char *text = out->data + start;
    size_t len = out->len - start;
    if (!mp_user_text_is_ours(text, len))
        err = EEXIST;
    else if (mp_user_text_is_newer(text, len))
        err = ENOTSUP;
    if (err != 0)
        mp_buf_rewind(out, start);
    return err;
}

int mp_state_file_read(mp_state_file *file, size_t most, mp_buf *out) {
    mp_err failed = MP_OK;
    mp_lock_take(&files.lock);
    bool inherited = file->inherited;
    mp_lock_give(&files.lock);
    if (!inherited && copy_newest(file, out, &failed) > 0)
        return failed == MP_OK ? 0 : ENOMEM;
    int err = read_disk(file->path, most, out);
    if (err == ENOENT && /* the parent has not written it yet */
        copy_newest(file, out, &failed) > 0)
        err = failed == MP_OK ? 0 : ENOMEM;
    return err;
}

/* ---- writing ---- */

/* True where a folder cannot be locked, as on some network file systems, or
 * not by this process. */
static bool goes_without(int err) {
    return err == ENOLCK || err == EOPNOTSUPP || err == EBADF ||
           err == EINVAL || err == ENOSYS || err == EACCES;
}

/* *fd below 0: it goes without. */
static int lock_parent(const char *path, int *fd) {
    int64_t deadline_ms = mp_clock_mono_ms() + LOCK_MS;
    char *parent = parent_of(path);
    if (!parent)
        return ENOMEM;
    int err;
    while ((err = mp_file_lock_dir(MP_FILE_HERE, parent, fd)) == EWOULDBLOCK &&
           mp_clock_mono_ms() < deadline_ms)
        mp_thread_yield();
    free(parent);
    if (err != 0)
        *fd = -1;
    return goes_without(err) ? 0 : err;
}

/* The folder is locked. True: the disk has a refusal that the text may not
 * replace, nor may one that came meanwhile and is no refusal itself. */
static bool yields(mp_state_file *file, const mp_buf *text,
                   const mp_buf *stored) {
    if (!mp_user_text_refuses(stored->data, stored->len) ||
        mp_user_text_refuses(text->data, text->len))
        return false;
    mp_lock_take(&files.lock);
    bool yielding = !file->known_refusal;
    if (yielding && mp_state_file_consent(file) != MP_CONSENT_REFUSED) {
        const mp_user refusing = {
            .consent = MP_CONSENT_REFUSED,
            .forgetful = !mp_user_text_has_ids(stored->data, stored->len)};
        say(file, &refusing);
        mp_buf_free(&file->newest);
        file->decided = false;
    }
    mp_lock_give(&files.lock);
    return yielding;
}

/* What was written waits no more, unless more came meanwhile. */
static void note_written(mp_state_file *file, uint64_t number) {
    mp_lock_take(&files.lock);
    if (number == file->last) {
        mp_buf_free(&file->newest);
        file->decided = file->known_refusal = false;
    }
    mp_lock_give(&files.lock);
}

/* The folder is locked. */
static int replace(mp_state_file *file, const mp_buf *text, uint64_t number) {
    mp_buf stored = {0};
    int err = read_disk(file->path, MOST, &stored);
    bool yielding = err == 0 && yields(file, text, &stored);
    mp_buf_free(&stored);
    if (yielding || (err != 0 && err != ENOENT))
        return err;
    err = mp_file_replace(MP_FILE_HERE, file->path, text->data, text->len);
    if (err == 0)
        note_written(file, number);
    return err;
}

int mp_state_file_write(mp_state_file *file) {
    mp_buf text = {0};
    mp_err failed = MP_OK;
    int fd, err = lock_parent(file->path, &fd);
    if (err != 0)
        return err;
    uint64_t number = copy_newest(file, &text, &failed);
    if (failed != MP_OK)
        err = ENOMEM;
    else if (number > 0)
        err = replace(file, &text, number);
    mp_file_unlock_dir(fd);
    mp_buf_free(&text);
    return err;
}

void mp_state_file_describe(const mp_state_file *file, const char *what,
                            int err, char message[MP_MESSAGE]) {
    char text[MP_SYSERR];
    if (err == EEXIST)
        snprintf(message, MP_MESSAGE,
                 "the state %.140s is a file of something else: give a path of "
                 "its own",
                 file->path);
    else if (err == ENOTSUP)
        snprintf(message, MP_MESSAGE,
                 "a newer version of this module wrote the state %.100s: use "
                 "that version, or give another path",
                 file->path);
    else
        snprintf(message, MP_MESSAGE, "cannot %s the state %.140s: %s", what,
                 file->path,
                 err == EWOULDBLOCK ? "another program keeps its folder locked"
                                    : mp_syserr_text(err, text));
}

/* ---- fork ---- */

void mp_state_files_before_fork(void) {
    mp_lock_take(&files.lock);
}

void mp_state_files_in_parent(void) {
    mp_lock_give(&files.lock);
}

void mp_state_files_in_child(void) {
    for (mp_state_file *file = files.list; file; file = file->next)
        file->inherited = file->newest.len > 0;
    mp_lock_after_fork_child(&files.lock);
}
