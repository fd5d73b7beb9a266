#include "core/config/overrides.h"

#include <stdlib.h>

mp_overrides *mp_overrides_new(void) {
    mp_overrides *overrides = calloc(1, sizeof *overrides);
    if (!overrides)
        return NULL;
    overrides->values = mp_settings_new(MP_IN_MEMORY);
    if (!overrides->values) {
        free(overrides);
        return NULL;
    }
    return overrides;
}

void mp_overrides_free(mp_overrides *overrides) {
    if (!overrides)
        return;
    mp_settings_release(overrides->values);
    free(overrides);
}

static size_t place_of(const mp_setting *setting) {
    return (size_t)(setting - mp_setting_table);
}

void mp_overrides_say(mp_overrides *overrides, const mp_setting *setting) {
    overrides->said[place_of(setting)] = 1;
}

bool mp_overrides_says(const mp_overrides *overrides,
                       const mp_setting *setting) {
    return overrides->said[place_of(setting)] > 0;
}

void mp_overrides_stamp(mp_overrides *overrides, uint64_t now) {
    for (size_t i = 0; i < MP_SETTINGS; i++)
        if (overrides->said[i] > 0)
            overrides->said[i] = now;
}

mp_err mp_overrides_merge(mp_overrides *overrides, const mp_overrides *more,
                          uint64_t now) {
    for (size_t i = 0; i < MP_SETTINGS; i++) {
        if (more->said[i] == 0)
            continue;
        mp_err err = mp_settings_copy(overrides->values, more->values,
                                      &mp_setting_table[i]);
        if (err != MP_OK)
            return err;
        overrides->said[i] = now;
    }
    return MP_OK;
}

/* The client that said setting `i` last; NULL: none did. */
static const mp_overrides *last_word(const mp_overrides *list, size_t i) {
    const mp_overrides *last = NULL;
    for (; list; list = list->next)
        if (list->said[i] > (last ? last->said[i] : 0))
            last = list;
    return last;
}

static bool is_anything_said(const mp_overrides *list) {
    for (; list; list = list->next)
        for (size_t i = 0; i < MP_SETTINGS; i++)
            if (list->said[i] > 0)
                return true;
    return false;
}

/* What spool_total_bytes is in force depends on spool_max_bytes: a process that
 * died and comes again finds all that it was allowed to leave. */
static void set_total(mp_settings *settings, const mp_overrides *list) {
    uint64_t least = settings->spool_max_bytes;
    size_t i = place_of(mp_setting_find("spool_total_bytes"));
    if (!last_word(list, i))
        settings->spool_total_bytes = MP_SPOOL_TOTAL_FACTOR * least;
    if (settings->spool_total_bytes < least)
        settings->spool_total_bytes = least;
}

mp_settings *mp_overrides_in_force(const mp_overrides *list,
                                   mp_storage storage) {
    if (!is_anything_said(list))
        return mp_settings_defaults(storage);
    mp_settings *settings = mp_settings_new(storage);
    for (size_t i = 0; i < MP_SETTINGS && settings; i++) {
        const mp_overrides *last = last_word(list, i);
        if (last && mp_settings_copy(settings, last->values,
                                     &mp_setting_table[i]) != MP_OK) {
            mp_settings_release(settings);
            settings = NULL;
        }
    }
    if (settings)
        set_total(settings, list);
    return settings;
}
