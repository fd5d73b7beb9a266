#include "core/user/timers.h"

#include <string.h>

static mp_timer read_timer(const mp_pair *pair) {
    mp_timer timer;
    memcpy(&timer, pair->value, sizeof timer);
    return timer;
}

/* True if there is room for one more, with a name that long. */
static bool has_room(const mp_dict *dict, size_t len) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < dict->count; i++)
        bytes += dict->pairs[i].name_len;
    return dict->count < MP_TIMERS_MAX && len <= MP_TIMERS_BYTES - bytes;
}

mp_err mp_timers_start(mp_timers *timers, const char *event, size_t len,
                       const mp_timer *start) {
    mp_dict *dict = &timers->dict;
    if (!mp_dict_find(dict, event, len) && !has_room(dict, len))
        return MP_QUEUE_FULL;
    return mp_dict_set(dict, event, len, start, sizeof *start);
}

int64_t mp_timers_elapsed(const mp_timers *timers, const char *event,
                          size_t len, int64_t wall_ms, int64_t mono_ms) {
    const mp_pair *pair = mp_dict_find(&timers->dict, event, len);
    if (!pair)
        return -1;
    mp_timer start = read_timer(pair);
    int64_t ms = start.mono_ms == INT64_MIN ? wall_ms - start.wall_ms
                                            : mono_ms - start.mono_ms;
    return ms >= 0 ? ms : -1;
}

bool mp_timers_stop(mp_timers *timers, const char *event, size_t len) {
    return mp_dict_remove(&timers->dict, event, len);
}

mp_timer mp_timers_get(const mp_timers *timers, uint32_t i) {
    return read_timer(&timers->dict.pairs[i]);
}
