#include "core/spool/found.h"

#include <stdlib.h>

enum {
    ROOM = 64 /* to begin with */
};

/* ---- sealed ones ---- */

static bool grow(mp_found *found) {
    size_t room = found->room > 0 ? 2 * found->room : ROOM;
    mp_found_file *grown = realloc(found->sealed, room * sizeof *grown);
    if (!grown)
        return false;
    found->sealed = grown;
    found->room = room;
    return true;
}

static mp_found_file pack(const mp_batch_file *file) {
    return (mp_found_file){
        .run = file->run,
        .seq = file->seq,
        .wall_ms = file->wall_ms,
        .count = file->count,
        .attempt = file->attempt,
        .lane = (uint8_t)file->lane,
        .in_doubt = (uint8_t)file->in_doubt,
    };
}

static bool has_space(mp_found *found) {
    return found->count < found->room || grow(found);
}

static bool add_sealed(mp_found *found, const mp_batch_file *file) {
    if (!has_space(found))
        return false;
    found->sealed[found->count++] = pack(file);
    return true;
}

static mp_batch_file unpack(const mp_found_file *file) {
    return (mp_batch_file){
        .run = file->run,
        .seq = file->seq,
        .wall_ms = file->wall_ms,
        .count = file->count,
        .attempt = file->attempt,
        .lane = (mp_lane_id)file->lane,
        .in_doubt = (mp_in_doubt)file->in_doubt,
    };
}

static int by_acceptance(const void *a, const void *b) {
    mp_batch_file x = unpack(a), y = unpack(b);
    return mp_batch_file_before(&x, &y) ? -1 : mp_batch_file_before(&y, &x);
}

/* There is space for it. */
static void insert_sealed(mp_found *found, const mp_batch_file *file) {
    size_t at = found->count++;
    for (; at > found->next; at--) {
        mp_batch_file before = unpack(&found->sealed[at - 1]);
        if (mp_batch_file_before(&before, file))
            break;
        found->sealed[at] = found->sealed[at - 1];
    }
    found->sealed[at] = pack(file);
}

static void free_sealed(mp_found *found) {
    free(found->sealed);
    found->sealed = NULL;
    found->next = found->count = found->room = 0;
}

/* ---- all ---- */

static bool add_open(mp_found *found, const mp_batch_file *file) {
    mp_batch_file *copy = malloc(sizeof *copy);
    if (!copy)
        return false;
    *copy = *file;
    copy->dir = found->dir;
    copy->next = found->open;
    found->open = copy;
    return true;
}

bool mp_found_add(mp_found *found, const mp_batch_file *file) {
    return file->number > 0 ? add_open(found, file) : add_sealed(found, file);
}

void mp_found_sort(mp_found *found) {
    if (found->count > 0)
        qsort(found->sealed, found->count, sizeof *found->sealed,
              by_acceptance);
    mp_batch_file_sort(&found->open);
}

static bool has_sealed(const mp_found *found) {
    return found->next < found->count;
}

bool mp_found_has_placed(const mp_found *found) {
    return has_sealed(found) || found->placed;
}

bool mp_found_has_any(const mp_found *found) {
    return mp_found_has_placed(found) || found->open;
}

static bool has_number(const mp_batch_file *list, uint64_t number) {
    while (list && list->number != number)
        list = list->next;
    return list != NULL;
}

bool mp_found_has_open(const mp_found *found, uint64_t number) {
    return has_number(found->placed, number) || has_number(found->open, number);
}

/* True if the first one is sealed. */
static bool sealed_is_first(const mp_found *found) {
    if (!has_sealed(found))
        return false;
    mp_batch_file sealed = unpack(&found->sealed[found->next]);
    return !found->placed || mp_batch_file_before(&sealed, found->placed);
}

mp_batch_file mp_found_first(const mp_found *found) {
    mp_batch_file first = sealed_is_first(found)
                              ? unpack(&found->sealed[found->next])
                          : found->placed ? *found->placed
                                          : *found->open;
    first.next = NULL;
    first.dir = found->dir;
    return first;
}

static mp_batch_file *take_sealed(mp_found *found) {
    mp_batch_file *file = malloc(sizeof *file);
    if (!file)
        return NULL;
    *file = mp_found_first(found);
    if (++found->next == found->count)
        free_sealed(found);
    return file;
}

static mp_batch_file *take_from(mp_batch_file **list) {
    mp_batch_file *file = *list;
    *list = file->next;
    file->next = NULL;
    return file;
}

static mp_batch_file *give(const mp_found *found, mp_batch_file *file) {
    if (file && found->run) {
        file->users = &found->run->users;
        ++*file->users;
    }
    return file;
}

mp_batch_file *mp_found_take(mp_found *found) {
    if (sealed_is_first(found))
        return give(found, take_sealed(found));
    return give(found,
                take_from(found->placed ? &found->placed : &found->open));
}

mp_batch_file *mp_found_take_open(mp_found *found) {
    if (!has_space(found)) /* for what becomes of it */
        return NULL;
    return give(found, take_from(&found->open));
}

static void insert_open(mp_found *found, mp_batch_file *file) {
    mp_batch_file **at = &found->placed;
    while (*at && mp_batch_file_before(*at, file))
        at = &(*at)->next;
    file->next = *at;
    *at = file;
}

/* It waits again, and what waits uses no run. */
static void take_back(mp_batch_file *file) {
    if (file->users)
        --*file->users;
    file->users = NULL;
}

void mp_found_place(mp_found *found, mp_batch_file *file) {
    if (file->number == 0) {
        insert_sealed(found, file);
        mp_batch_file_free(file);
        return;
    }
    take_back(file);
    insert_open(found, file);
}

void mp_found_put_back(mp_found *found, mp_batch_file *open) {
    take_back(open);
    open->next = found->open;
    found->open = open;
}

bool mp_found_has_twin(const mp_found *found, const mp_batch_file *open) {
    for (size_t i = found->next; i < found->count; i++) {
        const mp_found_file *file = &found->sealed[i];
        if (file->lane == open->lane && file->run == open->run &&
            file->seq == open->seq)
            return true;
    }
    return false;
}

static bool list_is_ordered(const mp_batch_file *list) {
    while (list && !mp_endpoints[list->lane].ordered)
        list = list->next;
    return list != NULL;
}

bool mp_found_is_ordered(const mp_found *found) {
    bool ordered = false;
    for (size_t i = found->next; i < found->count && !ordered; i++)
        ordered = mp_endpoints[found->sealed[i].lane].ordered;
    return ordered || list_is_ordered(found->placed) ||
           list_is_ordered(found->open);
}

void mp_found_clear(mp_found *found) {
    free_sealed(found);
    mp_batch_file_free_all(&found->placed);
    mp_batch_file_free_all(&found->open);
    found->run = NULL;
}
