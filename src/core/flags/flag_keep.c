#include "core/flags/flag_keep.h"

#include "core/os/file.h"
#include "core/os/syserr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char definitions[] = "definitions";

void mp_flag_keep_init(mp_flag_keep *keep) {
    *keep = (mp_flag_keep){.lock = -1};
}

void mp_flag_keep_free(mp_flag_keep *keep) {
    mp_flag_keep_resign(keep);
    free(keep->path);
    keep->path = NULL;
}

/* ---- directories ---- */

/* Makes the directory, and those above it that are missing. */
static int make_path(char *path) {
    int err = mp_file_mkdir(MP_FILE_HERE, path);
    char *slash = strrchr(path, '/');
    if (err != ENOENT || !slash || slash == path)
        return err == EEXIST ? 0 : err;
    *slash = '\0';
    err = make_path(path);
    *slash = '/';
    if (err == 0)
        err = mp_file_mkdir(MP_FILE_HERE, path);
    return err == EEXIST ? 0 : err;
}

static mp_err describe(const mp_flag_keep *keep, const char *what, int err,
                       const char *why, char message[MP_MESSAGE]) {
    snprintf(message, MP_MESSAGE, "cannot %s %.110s: %.100s", what, keep->path,
             why);
    return err == ENOMEM ? MP_MEMORY : MP_STATE;
}

/* Where the file is looked up: the directory, to be closed, and its name; or
 * an errno value, with the reason. */
static int open_place(const mp_flag_keep *keep, int *dir, const char **name,
                      char why[MP_MESSAGE]) {
    char text[MP_SYSERR];
    *dir = MP_FILE_HERE;
    *name = keep->path;
    if (!keep->shared)
        return 0;
    *name = definitions;
    int err = mp_file_open_dir(MP_FILE_HERE, keep->path, dir);
    if (err != 0) {
        *dir = -1;
        snprintf(why, MP_MESSAGE, "%s", mp_syserr_text(err, text));
        return err;
    }
    /* Others could plant definitions. */
    err = mp_trust_check(*dir, (mp_trust)atomic_load(&keep->trust), why);
    if (err != 0) {
        mp_file_close(*dir);
        *dir = -1;
    }
    return err;
}

static void close_place(const mp_flag_keep *keep, int dir) {
    if (keep->shared)
        mp_file_close(dir);
}

/* ---- whose turn it is ---- */

bool mp_flag_keep_leads(mp_flag_keep *keep, char message[MP_MESSAGE]) {
    char text[MP_SYSERR];
    if (!keep->shared || keep->lock >= 0)
        return true;
    int err = make_path(keep->path);
    if (err == 0)
        err = mp_file_lock_dir(MP_FILE_HERE, keep->path, &keep->lock);
    if (err == 0) {
        mp_file_sweep(keep->lock, definitions); /* only the leader writes */
        return true;
    }
    keep->lock = -1;
    if (err == EWOULDBLOCK)
        return false;
    describe(keep, "lock", err, mp_syserr_text(err, text), message);
    return true;
}

void mp_flag_keep_resign(mp_flag_keep *keep) {
    mp_file_unlock_dir(keep->lock);
    keep->lock = -1;
}

void mp_flag_keep_in_child(mp_flag_keep *keep) {
    keep->lock = -1;
}

/* ---- the file ---- */

/* All zero where there is no file. */
static void look(int dir, const char *name, mp_file_info *seen) {
    if (mp_file_look(dir, name, seen) != 0)
        *seen = (mp_file_info){0};
}

static void note(mp_flag_keep *keep, const mp_file_info *seen) {
    keep->inode = seen->inode;
    keep->modified_ms = seen->modified_ms;
}

bool mp_flag_keep_changed(const mp_flag_keep *keep) {
    mp_file_info seen;
    char why[MP_MESSAGE];
    const char *name;
    int dir;
    if (!keep->path || open_place(keep, &dir, &name, why) != 0)
        return false;
    look(dir, name, &seen);
    close_place(keep, dir);
    return seen.inode != 0 &&
           (seen.inode != keep->inode || seen.modified_ms != keep->modified_ms);
}

mp_err mp_flag_keep_load(mp_flag_keep *keep, const char *token,
                         mp_flag_kept *kept, char message[MP_MESSAGE]) {
    mp_file_info seen;
    const char *name;
    char why[MP_MESSAGE];
    int dir;
    if (!keep->path)
        return MP_OK;
    int err = open_place(keep, &dir, &name, why);
    if (err == ENOENT)
        return MP_OK;
    if (err != 0)
        return describe(keep, "read", err, why, message);
    look(dir, name, &seen); /* before: what comes later is read anew */
    mp_err result = mp_flag_file_load(dir, name, token, kept, why);
    close_place(keep, dir);
    note(keep, &seen);
    keep->foreign = !keep->shared && kept->foreign;
    if (result != MP_OK)
        snprintf(message, MP_MESSAGE,
                 "cannot use the definitions in %.130s: "
                 "%.64s",
                 keep->path, result == MP_MEMORY ? "out of memory" : why);
    return result;
}

static mp_err save(mp_flag_keep *keep, int dir, const char *name,
                   const char *token, const mp_flag_kept *kept,
                   char why[MP_MESSAGE]) {
    mp_file_info seen;
    look(dir, name, &seen);
    if (keep->foreign && seen.inode == keep->inode) {
        snprintf(why, MP_MESSAGE, "it holds something else, which stays");
        return MP_STATE;
    }
    mp_err err = mp_flag_file_save(dir, name, kept, token, why);
    if (err != MP_OK)
        return err;
    look(dir, name, &seen);
    note(keep, &seen);
    keep->foreign = false;
    return MP_OK;
}

mp_err mp_flag_keep_save(mp_flag_keep *keep, const char *token,
                         const mp_flag_kept *kept, char message[MP_MESSAGE]) {
    const char *name;
    char why[MP_MESSAGE];
    int dir;
    if (!keep->path)
        return MP_OK;
    int err = open_place(keep, &dir, &name, why);
    if (err != 0)
        return describe(keep, "write to", err, why, message);
    mp_err result = save(keep, dir, name, token, kept, why);
    close_place(keep, dir);
    if (result != MP_OK)
        snprintf(message, MP_MESSAGE,
                 "cannot keep the definitions in %.130s: "
                 "%.64s",
                 keep->path, result == MP_MEMORY ? "out of memory" : why);
    return result;
}
