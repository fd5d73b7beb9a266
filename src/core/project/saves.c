#include "core/project/saves.h"

#include "core/os/clock.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    RETRY_MS = 1000, /* after the first failure, then twice as long each time */
    RETRY_MAX_MS = 60 * 1000
};

mp_save *mp_saves_find(const mp_saves *saves, const mp_state_file *file) {
    mp_save *save = saves->list;
    while (save && save->file != file)
        save = save->next;
    return save;
}

static mp_save *add(mp_saves *saves, mp_state_file *file) {
    mp_save *save = calloc(1, sizeof *save);
    if (!save)
        return NULL;
    save->file = mp_state_file_retain(file);
    save->next = saves->list;
    saves->list = save;
    return save;
}

mp_err mp_saves_put(mp_saves *saves, mp_state_file *file, int64_t now_ms) {
    mp_save *save = mp_saves_find(saves, file);
    if (!save)
        save = add(saves, file);
    if (!save)
        return MP_MEMORY;
    if (!save->waits && save->failures == 0)
        save->due_ms = now_ms + MP_SAVE_DELAY_MS;
    save->waits = true;
    return MP_OK;
}

int64_t mp_saves_due(const mp_saves *saves) {
    int64_t due_ms = INT64_MAX;
    for (const mp_save *save = saves->list; save; save = save->next)
        if (save->waits && !save->writing)
            due_ms = mp_clock_earlier(due_ms, save->due_ms);
    return due_ms;
}

void mp_saves_flush(mp_saves *saves, int64_t now_ms) {
    for (mp_save *save = saves->list; save; save = save->next)
        save->due_ms = now_ms;
}

bool mp_saves_are_due(const mp_saves *saves, int64_t now_ms) {
    for (const mp_save *save = saves->list; save; save = save->next)
        if (save->writing || save->due_ms <= now_ms)
            return true;
    return false;
}

mp_save *mp_saves_take(mp_saves *saves, int64_t now_ms) {
    for (mp_save *save = saves->list; save; save = save->next) {
        if (!save->waits || save->writing || save->due_ms > now_ms)
            continue;
        save->waits = false;
        save->writing = true;
        return save;
    }
    return NULL;
}

static void free_save(mp_save *save) {
    mp_state_file_close(save->file);
    free(save);
}

static void drop(mp_saves *saves, mp_save *save) {
    mp_save **at = &saves->list;
    while (*at != save)
        at = &(*at)->next;
    *at = save->next;
    free_save(save);
}

static int64_t retry_delay(uint32_t failures) {
    int64_t delay_ms = RETRY_MS;
    while (failures-- > 1 && delay_ms < RETRY_MAX_MS)
        delay_ms *= 2;
    return delay_ms < RETRY_MAX_MS ? delay_ms : RETRY_MAX_MS;
}

void mp_saves_done(mp_saves *saves, mp_save *save, const char *failure,
                   int64_t now_ms) {
    save->writing = false;
    if (failure) {
        save->waits = true;
        save->failures++;
        save->due_ms = now_ms + retry_delay(save->failures);
        snprintf(save->failure, MP_MESSAGE, "%s", failure);
    } else {
        save->failures = 0;
    }
    if (!save->waits)
        drop(saves, save);
}

void mp_saves_clear(mp_saves *saves) {
    while (saves->list) {
        mp_save *save = saves->list;
        saves->list = save->next;
        free_save(save);
    }
}
