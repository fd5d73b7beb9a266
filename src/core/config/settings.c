#include "core/config/settings.h"

#include "core/os/lock.h"
#include "core/os/path.h"
#include "core/os/syserr.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KIB = 1024,
    MIB = 1024 * KIB,
    DAY_S = 24 * 3600,
    PEM_MAX = 16 * MIB, /* far above any bundle in use */
    SHOWN = 80          /* bytes of a wrong path that a message shows */
};
#define TIB 1099511627776.0

/* ---- the table ---- */

#define WORDS(...)                                                             \
    (const char *const[]) {                                                    \
        __VA_ARGS__, NULL                                                      \
    }
#define FIELD(field)          offsetof(mp_settings, field)
#define TEXT                  0, 0, 0, NULL /* no default, no limits */
#define SECONDS_UP_TO_AN_HOUR DBL_MIN, 3600, NULL, "seconds above 0, up to 3600"

/* The order is that of the manual. */
const mp_setting mp_setting_table[MP_SETTINGS] = {
    {"geolocate", MP_SETTING_BOOLEAN, MP_SETTING_NO_BUS, FIELD(geolocate), 0, 0,
     0, NULL, "true or false"},
    {"profile_time", MP_SETTING_BOOLEAN, 0, FIELD(profile_time), 1, 0, 0, NULL,
     "true or false"},
    {"flush_interval", MP_SETTING_SECONDS, 0, FIELD(flush_interval_ms), 5, 0,
     DAY_S, NULL, "seconds from 0 to 86400"},
    {"max_batch_size", MP_SETTING_COUNT, 0, FIELD(max_batch_size), 2000, 1,
     2000, NULL, "an integer from 1 to 2000"},
    {"max_in_flight", MP_SETTING_COUNT, 0, FIELD(max_in_flight), 4, 1, 20, NULL,
     "an integer from 1 to 20"},
    {"max_rate", MP_SETTING_RATE, MP_SETTING_OR_FALSE | MP_SETTING_NO_BUS,
     FIELD(max_rate), 0, 0.1, 1e9, NULL,
     "records a second from 0.1 to 1e9, or false"},
    {"max_byte_rate", MP_SETTING_RATE, MP_SETTING_OR_FALSE | MP_SETTING_NO_BUS,
     FIELD(max_byte_rate), 0, 64 * KIB, 1e9, NULL,
     "bytes a second from 65536 to 1e9, or false"},
    {"max_queue_bytes", MP_SETTING_BYTES, 0, FIELD(max_queue_bytes), 64 * MIB,
     64 * KIB, TIB, NULL, "an integer from 65536 to 1099511627776"},
    {"gzip", MP_SETTING_LEVEL, 0, FIELD(gzip), 1, 1, 12, NULL,
     "a level from 1 to 12, true or false"},
    {"connect_timeout", MP_SETTING_SECONDS, 0, FIELD(connect_timeout_ms), 10,
     SECONDS_UP_TO_AN_HOUR},
    {"request_timeout", MP_SETTING_SECONDS, 0, FIELD(request_timeout_ms), 30,
     SECONDS_UP_TO_AN_HOUR},
    {"exit_timeout", MP_SETTING_SECONDS, 0, FIELD(exit_timeout_ms), 2, 0, 3600,
     NULL, "seconds from 0 to 3600"},
    {"max_retry_delay", MP_SETTING_SECONDS, 0, FIELD(max_retry_delay_ms), 60,
     SECONDS_UP_TO_AN_HOUR},
    {"max_age", MP_SETTING_SECONDS, MP_SETTING_OR_FALSE, FIELD(max_age_ms), 0,
     DBL_MIN, 1e9, NULL, "seconds above 0, up to 1e9, or false"},
    {"max_stuck", MP_SETTING_SECONDS, MP_SETTING_OR_FALSE, FIELD(max_stuck_ms),
     0, DBL_MIN, 1e9, NULL, "seconds above 0, up to 1e9, or false"},
    {"durability", MP_SETTING_EITHER, MP_SETTING_NEEDS_SPOOL, FIELD(fsync), 0,
     0, 0, WORDS("process", "power"), "\"process\" or \"power\""},
    {"sync_interval", MP_SETTING_SECONDS, MP_SETTING_NEEDS_SPOOL,
     FIELD(sync_interval_ms), 1, 0.01, 3600, NULL, "seconds from 0.01 to 3600"},
    {"spool_max_bytes", MP_SETTING_BYTES, MP_SETTING_NEEDS_SPOOL,
     FIELD(spool_max_bytes), 256 * MIB, 4 * MIB, TIB, NULL,
     "an integer from 4194304 to 1099511627776"},
    {"spool_total_bytes", MP_SETTING_BYTES, MP_SETTING_NEEDS_SPOOL,
     FIELD(spool_total_bytes), MP_SPOOL_TOTAL_FACTOR * 256.0 * MIB, 4 * MIB,
     MP_SPOOL_TOTAL_FACTOR *TIB, NULL,
     "an integer from 4194304 to 4398046511104"},
    {"spool_owner", MP_SETTING_EITHER, MP_SETTING_NEEDS_SPOOL, FIELD(trust_any),
     0, 0, 0, WORDS("user", "any"), "\"user\" or \"any\""},
    {"spool_io", MP_SETTING_EITHER, MP_SETTING_NEEDS_SPOOL, FIELD(written), 0,
     0, 0, WORDS("mapped", "written"), "\"mapped\" or \"written\""},
    {"overflow", MP_SETTING_EITHER, 0, FIELD(drop_oldest), 0, 0, 0,
     WORDS("drop_newest", "drop_oldest"), "\"drop_newest\" or \"drop_oldest\""},
    {"on_ambiguous", MP_SETTING_EITHER, 0, FIELD(report_ambiguous), 0, 0, 0,
     WORDS("retry", "report"), "\"retry\" or \"report\""},
    {"reports", MP_SETTING_WORD, 0, FIELD(reports), MP_REPORTS_FAILURES, 0, 0,
     WORDS("failures", "all", "none", "every"),
     "\"failures\", \"all\", \"none\" or \"every\""},
    {"debug", MP_SETTING_PATH, MP_SETTING_OR_FALSE | MP_SETTING_OR_STDERR,
     FIELD(debug), TEXT, "the path of a file, true or false"},
    {"on_invalid", MP_SETTING_EITHER, 0, FIELD(reject_invalid), 0, 0, 0,
     WORDS("repair", "reject"), "\"repair\" or \"reject\""},
    {"proxy", MP_SETTING_URL, MP_SETTING_OR_FALSE | MP_SETTING_NO_BUS,
     FIELD(proxy), TEXT, "a URL such as \"http://proxy:3128\", or false"},
    {"ca_file", MP_SETTING_PEM, MP_SETTING_OR_FALSE | MP_SETTING_NO_BUS,
     FIELD(ca_file), TEXT, "the path of a PEM file, or false"},
    {"ca_path", MP_SETTING_PATH, MP_SETTING_OR_FALSE | MP_SETTING_NO_BUS,
     FIELD(ca_path), TEXT, "the path of a directory, or false"},
};

/* Records in a spool outlive their process, but not for ever. */
static const int64_t SPOOL_MAX_AGE_MS = INT64_C(30) * DAY_S * 1000;

const mp_setting *mp_setting_find(const char *name) {
    for (size_t i = 0; i < MP_SETTINGS; i++) {
        const char *one = mp_setting_table[i].name;
        if (*one == *name && strcmp(one, name) == 0) /* most begin otherwise */
            return &mp_setting_table[i];
    }
    return NULL;
}

static bool is_text(const mp_setting *setting) {
    return setting->kind == MP_SETTING_PATH ||
           setting->kind == MP_SETTING_URL || setting->kind == MP_SETTING_PEM;
}

static void *field_of(mp_settings *settings, const mp_setting *setting) {
    return (char *)settings + setting->offset;
}

/* ---- life ---- */

static mp_settings defaults[2]; /* by storage; the last reference is ours */

static void make_defaults(void) {
    for (int storage = 0; storage < 2; storage++) {
        mp_settings *settings = &defaults[storage];
        settings->refs = 1;
        for (size_t i = 0; i < MP_SETTINGS; i++)
            if (!is_text(&mp_setting_table[i]))
                mp_settings_number(settings, &mp_setting_table[i],
                                   mp_setting_table[i].initial);
    }
    defaults[MP_SPOOLED].max_age_ms = SPOOL_MAX_AGE_MS;
}

static mp_settings *defaults_of(mp_storage storage) {
    static mp_once once = MP_ONCE_INIT;
    mp_once_do(&once, make_defaults);
    return &defaults[storage];
}

mp_settings *mp_settings_new(mp_storage storage) {
    const mp_settings *from = defaults_of(storage);
    mp_settings *settings = calloc(1, sizeof *settings);
    if (!settings)
        return NULL;
    memcpy(settings, from, offsetof(mp_settings, refs)); /* no texts */
    settings->refs = 1;
    return settings;
}

mp_settings *mp_settings_defaults(mp_storage storage) {
    return mp_settings_retain(defaults_of(storage));
}

mp_settings *mp_settings_retain(mp_settings *settings) {
    __atomic_add_fetch(&settings->refs, 1, __ATOMIC_RELAXED);
    return settings;
}

void mp_settings_release(mp_settings *settings) {
    if (!settings ||
        __atomic_sub_fetch(&settings->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (size_t i = 0; i < MP_SETTINGS; i++)
        if (is_text(&mp_setting_table[i]))
            free(*(char **)field_of(settings, &mp_setting_table[i]));
    free(settings);
}

/* ---- values ---- */

void mp_settings_number(mp_settings *settings, const mp_setting *setting,
                        double value) {
    void *field = field_of(settings, setting);
    switch (setting->kind) {
    case MP_SETTING_BOOLEAN:
    case MP_SETTING_EITHER:
        *(bool *)field = value != 0;
        break;
    case MP_SETTING_WORD:
    case MP_SETTING_LEVEL:
        *(int *)field = (int)value;
        break;
    case MP_SETTING_COUNT:
        *(uint32_t *)field = (uint32_t)value;
        break;
    case MP_SETTING_BYTES:
        *(uint64_t *)field = (uint64_t)value;
        break;
    case MP_SETTING_SECONDS:
        *(int64_t *)field = llround(value * 1000);
        if (value > 0 && *(int64_t *)field == 0)
            *(int64_t *)field = 1;
        break;
    case MP_SETTING_RATE:
        *(double *)field = value;
        break;
    case MP_SETTING_PATH:
    case MP_SETTING_URL:
    case MP_SETTING_PEM:
        break;
    }
}

mp_err mp_settings_text(mp_settings *settings, const mp_setting *setting,
                        const char *text) {
    char **field = field_of(settings, setting);
    char *copy = NULL;
    if (text) {
        size_t size = strlen(text) + 1;
        copy = malloc(size);
        if (!copy)
            return MP_MEMORY;
        memcpy(copy, text, size);
    }
    free(*field);
    *field = copy;
    return MP_OK;
}

mp_err mp_settings_path(mp_settings *settings, const mp_setting *setting,
                        const char *path, char message[MP_MESSAGE]) {
    char *absolute, why[MP_SYSERR];
    int err = mp_path_absolute(path, &absolute);
    if (err == ENOMEM)
        return MP_MEMORY;
    if (err != 0) {
        snprintf(message, MP_MESSAGE,
                 "option '%s': \"%.*s\" is no path, as there is no working "
                 "directory: %.64s",
                 setting->name, SHOWN, path, mp_syserr_text(err, why));
        return MP_INVALID;
    }
    char **field = field_of(settings, setting);
    free(*field);
    *field = absolute;
    return MP_OK;
}

static size_t size_of(mp_setting_kind kind) {
    switch (kind) {
    case MP_SETTING_BOOLEAN:
    case MP_SETTING_EITHER:
        return sizeof(bool);
    case MP_SETTING_WORD:
    case MP_SETTING_LEVEL:
        return sizeof(int);
    case MP_SETTING_COUNT:
        return sizeof(uint32_t);
    case MP_SETTING_BYTES:
        return sizeof(uint64_t);
    case MP_SETTING_SECONDS:
        return sizeof(int64_t);
    case MP_SETTING_RATE:
        return sizeof(double);
    case MP_SETTING_PATH:
    case MP_SETTING_URL:
    case MP_SETTING_PEM:
        break;
    }
    return 0;
}

mp_err mp_settings_copy(mp_settings *to, const mp_settings *from,
                        const mp_setting *setting) {
    const char *value = (const char *)from + setting->offset;
    if (is_text(setting))
        return mp_settings_text(to, setting,
                                *(char *const *)(const void *)value);
    memcpy(field_of(to, setting), value, size_of(setting->kind));
    return MP_OK;
}

/* ---- certificates ---- */

/* The whole file, terminated; MP_INVALID when it cannot be read, is too long
 * or has zero bytes. */
static mp_err read_whole(FILE *file, char **data) {
    size_t cap = 0, len = 0;
    *data = NULL;
    for (;;) {
        if (len + 1 >= cap) {
            cap = cap ? cap * 2 : (size_t)64 * KIB;
            if (cap > PEM_MAX)
                return MP_INVALID;
            char *grown = realloc(*data, cap);
            if (!grown)
                return MP_MEMORY;
            *data = grown;
        }
        size_t n = fread(*data + len, 1, cap - len - 1, file);
        len += n;
        if (n == 0)
            break;
    }
    (*data)[len] = '\0';
    return ferror(file) || strlen(*data) != len ? MP_INVALID : MP_OK;
}

/* "-----BEGIN TRUSTED CERTIFICATE-----" is what OpenSSL writes too; a key or
 * a request for a certificate is none. */
static bool holds_certificate(const char *pem) {
    return strstr(pem, "-----BEGIN CERTIFICATE-----") ||
           strstr(pem, "-----BEGIN X509 CERTIFICATE-----") ||
           strstr(pem, "-----BEGIN TRUSTED CERTIFICATE-----");
}

mp_err mp_settings_pem(mp_settings *settings, const mp_setting *setting,
                       const char *path, char message[MP_MESSAGE]) {
    char *pem = NULL;
    FILE *file = fopen(path, "rbe");
    mp_err err = file              ? read_whole(file, &pem)
                 : errno == ENOMEM ? MP_MEMORY
                                   : MP_INVALID;
    if (file)
        fclose(file);
    if (err != MP_OK || !holds_certificate(pem)) {
        free(pem);
        snprintf(message, MP_MESSAGE,
                 "option '%s': \"%.*s\" cannot be read as a file of PEM "
                 "certificates",
                 setting->name, SHOWN, path);
        return err == MP_MEMORY ? err : MP_INVALID;
    }
    char **field = field_of(settings, setting);
    free(*field);
    *field = pem;
    return MP_OK;
}
