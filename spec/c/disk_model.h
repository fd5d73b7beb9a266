/* What a disk would hold after a loss of power. The calls go to the system, and
 * what they change is noted; at each of them the spec may have any disk made
 * that could be left: what was synced is there, and of what was not, any part.
 *
 * The rules that ext4, XFS and tmpfs all keep: a sync of a file brings its
 * bytes, that of a directory the names that came and went in it; a rename is
 * done or not; a name needs its directory. All else is left to chance, also the
 * order of names that no sync has parted, and each page by itself. */
#ifndef MP_DISK_MODEL_H
#define MP_DISK_MODEL_H

#include "core/os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MODEL_OBJECTS = 512,
    MODEL_STEPS = 2048,
    MODEL_PAGE = 4096,
    MODEL_PAGES = 4, /* of a file that are looked at: specs write no more */
    MODEL_BYTES = MODEL_PAGES * MODEL_PAGE,
    MODEL_NAME = 160
};

typedef struct model_object {
    bool dir;
    char now[MODEL_BYTES], synced[MODEL_BYTES];
    size_t now_len, synced_len; /* of the whole file */
    char *map;                  /* NULL: none */
    size_t map_len;
    bool lost; /* a sync failed, and the kernel gave its bytes up */
} model_object;

typedef enum model_kind {
    MODEL_MAKE,
    MODEL_MOVE,
    MODEL_REMOVE
} model_kind;

/* A name that came or went. */
typedef struct model_step {
    model_kind kind;
    int object, from, to; /* directories */
    char name[MODEL_NAME], new_name[MODEL_NAME];
    bool synced;
} model_step;

static model_object *model_objects; /* the first is the root */
static int model_n;
static model_step *model_steps;
static int model_steps_n;
static int model_fds[1024]; /* object + 1 */
static char model_root[64];
static void (*model_at_step)(void); /* before each change; NULL: nothing */
static int model_fails; /* syncs of bytes before one fails; below 0: none */

typedef struct model_entry {
    int parent, object; /* parent below 0: none */
    char name[MODEL_NAME];
} model_entry;

/* The tree at a time: an entry for each name. */
typedef struct model_tree {
    model_entry entries[MODEL_OBJECTS];
    int n;
} model_tree;

static model_tree model_now;

static int model_find(const model_tree *tree, int parent, const char *name) {
    for (int i = 0; i < tree->n; i++)
        if (tree->entries[i].parent == parent &&
            strcmp(tree->entries[i].name, name) == 0)
            return i;
    return -1;
}

static bool model_has_dir(const model_tree *tree, int dir) {
    for (int i = 0; i < tree->n && dir != 0; i++)
        if (tree->entries[i].parent >= 0 && tree->entries[i].object == dir)
            return true;
    return dir == 0;
}

static bool model_is_empty(const model_tree *tree, int dir) {
    for (int i = 0; i < tree->n; i++)
        if (tree->entries[i].parent == dir)
            return false;
    return true;
}

static void model_drop(model_tree *tree, int at) {
    tree->entries[at] = tree->entries[--tree->n];
}

/* A step that cannot be done is left out. */
static void model_apply(model_tree *tree, const model_step *step) {
    int at = model_find(tree, step->from, step->name), there;
    switch (step->kind) {
    case MODEL_MAKE:
        if (at >= 0 || !model_has_dir(tree, step->from))
            return;
        model_entry made = {.parent = step->from, .object = step->object};
        strcpy(made.name, step->name);
        tree->entries[tree->n++] = made;
        return;
    case MODEL_MOVE:
        if (at < 0 || tree->entries[at].object != step->object ||
            !model_has_dir(tree, step->to))
            return;
        there = model_find(tree, step->to, step->new_name);
        tree->entries[at].parent = step->to;
        strcpy(tree->entries[at].name, step->new_name);
        if (there >= 0)
            model_drop(tree, there);
        return;
    case MODEL_REMOVE:
        if (at >= 0 && tree->entries[at].object == step->object &&
            model_is_empty(tree, step->object))
            model_drop(tree, at);
        return;
    }
}

static void model_note(model_step step) {
    model_apply(&model_now, &step);
    if (model_steps_n == MODEL_STEPS)
        abort();
    model_steps[model_steps_n++] = step;
}

/* The directory of a call, and the name in it; "": the directory itself. */
static int model_place(int dir, const char *path, const char **name) {
    size_t n = strlen(model_root);
    if (dir != MP_FILE_HERE) {
        *name = strcmp(path, ".") == 0 ? "" : path;
        return model_fds[dir] - 1;
    }
    *name = path + n + (path[n] == '/');
    return strncmp(path, model_root, n) == 0 ? 0 : -1;
}

static int model_object_at(int dir, const char *path) {
    const char *name;
    int parent = model_place(dir, path, &name);
    if (parent < 0 || *name == '\0')
        return parent;
    int at = model_find(&model_now, parent, name);
    return at < 0 ? -1 : model_now.entries[at].object;
}

static int model_make(int dir, const char *path, bool is_dir) {
    model_step step = {.kind = MODEL_MAKE, .object = model_n};
    const char *name;
    if (model_n == MODEL_OBJECTS)
        abort();
    step.from = model_place(dir, path, &name);
    strcpy(step.name, name);
    model_objects[model_n] = (model_object){.dir = is_dir};
    model_note(step);
    return model_n++;
}

/* ---- the calls ---- */

static void model_step_comes(void) {
    if (model_at_step)
        model_at_step();
}

static int model_open(int dir, const char *path, unsigned flags) {
    model_step_comes();
    int fd = mp_file_system.open(dir, path, flags);
    if (fd < 0)
        return fd;
    int object = model_object_at(dir, path);
    if (object < 0 && (flags & MP_FILE_MAKE))
        object = model_make(dir, path, false);
    model_fds[fd] = object + 1;
    return fd;
}

static int model_mkdir(int dir, const char *path) {
    model_step_comes();
    int done = mp_file_system.mkdir(dir, path);
    if (done == 0)
        model_make(dir, path, true);
    return done;
}

static int64_t model_write(int fd, const void *bytes, size_t n, int64_t at) {
    model_step_comes();
    int64_t done = mp_file_system.write(fd, bytes, n, at);
    model_object *object = &model_objects[model_fds[fd] - 1];
    if (done > 0) {
        size_t end = (size_t)(at + done);
        if (end > MODEL_BYTES)
            abort();
        memcpy(object->now + at, bytes, (size_t)done);
        if (end > object->now_len)
            object->now_len = end;
    }
    return done;
}

static int model_allocate(int fd, size_t bytes) {
    int done = mp_file_system.allocate(fd, bytes);
    if (done == 0)
        model_objects[model_fds[fd] - 1].now_len = bytes;
    return done;
}

static void *model_map(int fd, size_t bytes) {
    void *map = mp_file_system.map(fd, bytes);
    model_objects[model_fds[fd] - 1].map = map;
    model_objects[model_fds[fd] - 1].map_len = bytes;
    return map;
}

static model_object *model_find_map(const void *map) {
    for (int i = 0; i < model_n; i++)
        if (model_objects[i].map == map)
            return &model_objects[i];
    abort();
}

static void model_look(model_object *object) {
    if (object->map)
        memcpy(object->now, object->map, MODEL_BYTES);
}

static void model_unmap(void *map, size_t bytes) {
    model_object *object = model_find_map(map);
    model_look(object);
    object->map = NULL;
    mp_file_system.unmap(map, bytes);
}

static void model_sync_bytes(model_object *object) {
    model_look(object);
    if (object->lost)
        return;
    memcpy(object->synced, object->now, MODEL_BYTES);
    object->synced_len = object->now_len;
}

static int model_try_sync(model_object *object) {
    if (model_fails-- == 0) {
        object->lost = true;
        errno = EIO;
        return -1;
    }
    model_sync_bytes(object);
    return 0;
}

static bool model_concerns(const model_step *step, int dir) {
    return step->from == dir || (step->kind == MODEL_MOVE && step->to == dir);
}

static int model_sync(int fd) {
    model_step_comes();
    int object = model_fds[fd] - 1;
    if (object < 0)
        return 0; /* above the root */
    if (!model_objects[object].dir)
        return model_try_sync(&model_objects[object]);
    for (int i = 0; i < model_steps_n; i++)
        model_steps[i].synced |= model_concerns(&model_steps[i], object);
    return 0;
}

static int model_sync_map(void *map, size_t bytes) {
    (void)bytes;
    model_step_comes();
    return model_try_sync(model_find_map(map));
}

static int model_rename(int from_dir, const char *from, int to_dir,
                        const char *to) {
    const char *name;
    model_step_comes();
    int done = mp_file_system.rename(from_dir, from, to_dir, to);
    model_step step = {.kind = MODEL_MOVE,
                       .object = model_object_at(from_dir, from)};
    step.from = model_place(from_dir, from, &name);
    strcpy(step.name, name);
    step.to = model_place(to_dir, to, &name);
    strcpy(step.new_name, name);
    if (done == 0)
        model_note(step);
    return done;
}

static void model_remove(int dir, const char *path) {
    const char *name;
    model_step step = {.kind = MODEL_REMOVE,
                       .object = model_object_at(dir, path)};
    step.from = model_place(dir, path, &name);
    strcpy(step.name, name);
    model_note(step);
}

static int model_unlink(int dir, const char *path) {
    model_step_comes();
    int done = mp_file_system.unlink(dir, path);
    if (done == 0)
        model_remove(dir, path);
    return done;
}

static int model_rmdir(int dir, const char *path) {
    model_step_comes();
    int done = mp_file_system.rmdir(dir, path);
    if (done == 0)
        model_remove(dir, path);
    return done;
}

static mp_file_calls model_calls;

/* `root`: an empty directory that is on the disk for sure. */
static void model_start(const char *root) {
    if (!model_objects) {
        model_objects = calloc(MODEL_OBJECTS, sizeof *model_objects);
        model_steps = calloc(MODEL_STEPS, sizeof *model_steps);
    }
    strcpy(model_root, root);
    model_objects[0] = (model_object){.dir = true};
    model_n = 1;
    model_steps_n = 0;
    model_now.n = 0;
    model_at_step = NULL;
    model_fails = -1;
    model_calls = mp_file_system;
    model_calls.open = model_open;
    model_calls.mkdir = model_mkdir;
    model_calls.write = model_write;
    model_calls.allocate = model_allocate;
    model_calls.map = model_map;
    model_calls.unmap = model_unmap;
    model_calls.sync = model_sync;
    model_calls.sync_map = model_sync_map;
    model_calls.rename = model_rename;
    model_calls.unlink = model_unlink;
    model_calls.rmdir = model_rmdir;
    mp_file_use(&model_calls);
}

static void model_end(void) {
    mp_file_use(&mp_file_system);
    free(model_objects);
    free(model_steps);
    model_objects = NULL;
}

/* The kernel wrote everything back by itself. */
static void model_write_back(void) {
    for (int i = 0; i < model_n; i++)
        model_sync_bytes(&model_objects[i]);
    for (int i = 0; i < model_steps_n; i++)
        model_steps[i].synced = true;
}

/* ---- disks that may be left ---- */

/* Chance says what of all that was not synced is there; the first four ways
 * are nothing, everything, only names and only bytes. */
static bool model_is_there(int way, bool name, unsigned *seed) {
    if (way < 4)
        return way == 1 || way == (name ? 2 : 3);
    return rand_r(seed) % 2 == 0;
}

/* What is left of a file, in `out`. */
static size_t model_left(model_object *object, int way, unsigned *seed,
                         char out[MODEL_BYTES]) {
    model_look(object);
    size_t len =
        model_is_there(way, false, seed) ? object->now_len : object->synced_len;
    memcpy(out, object->synced, MODEL_BYTES);
    for (int page = 0; page < MODEL_PAGES; page++)
        if (model_is_there(way, false, seed))
            memcpy(out + page * MODEL_PAGE, object->now + page * MODEL_PAGE,
                   MODEL_PAGE);
    return len;
}

static void model_lay_out(const model_tree *tree, int dir, const char *path,
                          int way, unsigned *seed) {
    static char bytes[MODEL_BYTES];
    char sub[512];
    mkdir(path, 0700);
    for (int i = 0; i < tree->n; i++) {
        const model_entry *entry = &tree->entries[i];
        model_object *object = &model_objects[entry->object];
        if (entry->parent != dir)
            continue;
        snprintf(sub, sizeof sub, "%s/%s", path, entry->name);
        if (object->dir) {
            model_lay_out(tree, entry->object, sub, way, seed);
            continue;
        }
        size_t len = model_left(object, way, seed, bytes);
        int fd = open(sub, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        size_t n = len < MODEL_BYTES ? len : MODEL_BYTES;
        if (fd < 0 || write(fd, bytes, n) != (ssize_t)n ||
            ftruncate(fd, (off_t)len) != 0)
            abort();
        close(fd);
    }
}

/* Makes in `path` what could be left. */
static void model_crash(int way, const char *path) {
    static model_tree left;
    unsigned seed = (unsigned)way * 2654435761u + (unsigned)model_steps_n;
    left.n = 0;
    for (int i = 0; i < model_steps_n; i++)
        if (model_steps[i].synced || model_is_there(way, true, &seed))
            model_apply(&left, &model_steps[i]);
    model_lay_out(&left, 0, path, way, &seed);
}

#endif
