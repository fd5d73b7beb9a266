/* What the options of a client say beyond its key: plain values that may be
 * replaced at any time, and are therefore immutable once shared and counted
 * by reference.
 *
 * mp_setting_table is the one list of them. The options of `new` and
 * `set_config`, their messages, the copies and the table of the manual come
 * from it. Knows nothing of Lua. */
#ifndef MP_SETTINGS_H
#define MP_SETTINGS_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which reports are kept for mp_reports_take. */
typedef enum mp_report_level {
    MP_REPORTS_FAILURES,
    MP_REPORTS_ALL,
    MP_REPORTS_NONE,
    MP_REPORTS_EVERY /* as failures, and none is merged or cut */
} mp_report_level;

/* A text is owned by the struct; NULL: none. */
typedef struct mp_settings {
    bool geolocate;        /* let Mixpanel place the sender of a request */
    bool profile_time;     /* updates of people say when they were made */
    bool reject_invalid;   /* on_invalid = "reject" */
    bool drop_oldest;      /* overflow = "drop_oldest" */
    bool report_ambiguous; /* on_ambiguous = "report" */
    bool trust_any;        /* spool_owner = "any" */
    bool written;          /* spool_io = "written" */
    bool fsync;            /* durability = "power": what is on disk is synced */
    int reports;           /* an mp_report_level */
    int gzip;              /* level 1 to 12; 0: bodies go uncompressed */
    uint32_t max_batch_size;
    uint32_t max_in_flight;
    uint64_t max_queue_bytes;
    uint64_t spool_max_bytes;
    uint64_t spool_total_bytes;     /* in force: at least as much */
    double max_rate, max_byte_rate; /* a second; 0: none */
    int64_t max_age_ms;             /* 0: none */
    int64_t max_stuck_ms;           /* the same */
    int64_t sync_interval_ms;
    int64_t flush_interval_ms;
    int64_t connect_timeout_ms;
    int64_t request_timeout_ms;
    int64_t exit_timeout_ms;
    int64_t max_retry_delay_ms;
    char *proxy;
    char *ca_file; /* the contents of the file, PEM; NULL: the system's */
    char *ca_path; /* a directory; NULL: the system's */
    char *debug;   /* what gets every request and reply: a file, or
                    * MP_SETTINGS_STDERR */
    int refs;      /* private to settings.c, atomic; stands last */
} mp_settings;

/* In place of a path, which begins at the root: standard error. */
#define MP_SETTINGS_STDERR "stderr"

typedef enum mp_setting_kind {
    MP_SETTING_BOOLEAN, /* bool */
    MP_SETTING_EITHER,  /* bool: the second of two words */
    MP_SETTING_WORD,    /* int: the place of the word */
    MP_SETTING_LEVEL,   /* int: a number, or true for 1 and false for 0 */
    MP_SETTING_COUNT,   /* uint32_t */
    MP_SETTING_BYTES,   /* uint64_t */
    MP_SETTING_SECONDS, /* int64_t in milliseconds, at least 1 unless zero */
    MP_SETTING_RATE,    /* double, a second */
    MP_SETTING_PATH,    /* char *, absolute */
    MP_SETTING_URL,     /* char *, without blanks; never shown */
    MP_SETTING_PEM      /* char *: the contents of a file that is named */
} mp_setting_kind;

enum {                          /* flags of a setting */
    MP_SETTING_OR_FALSE = 1,    /* `false` stands for none */
    MP_SETTING_NEEDS_SPOOL = 2, /* an error without the option `spool` */
    MP_SETTING_OR_STDERR = 4,   /* `true` stands for MP_SETTINGS_STDERR */
    MP_SETTING_NO_BUS = 8       /* an error where a bus carries the records */
};

typedef struct mp_setting {
    const char *name; /* of the option */
    mp_setting_kind kind;
    unsigned flags;
    size_t offset;   /* in mp_settings */
    double initial;  /* unless told otherwise; texts have none */
    double min, max; /* of a number */
    const char *const *words;
    const char *expected; /* what would be right, for messages */
} mp_setting;

enum {
    MP_SETTINGS = 29
};
extern const mp_setting mp_setting_table[MP_SETTINGS];

/* Where records wait: without option `spool`, or with it. */
typedef enum mp_storage {
    MP_IN_MEMORY,
    MP_SPOOLED
} mp_storage;

enum {
    MP_SPOOL_TOTAL_FACTOR = 4 /* of spool_max_bytes: spool_total_bytes, unless
                               * it is said */
};

/* The row of this name; NULL: none. */
const mp_setting *mp_setting_find(const char *name);

/* The defaults, which depend on where records wait; one reference,
 * to be changed only until it is shared. NULL: out of memory. */
mp_settings *mp_settings_new(mp_storage storage);

/* Those that are shared by all that go by them. */
mp_settings *mp_settings_defaults(mp_storage storage);
mp_settings *mp_settings_retain(mp_settings *settings);
void mp_settings_release(mp_settings *settings); /* NULL is allowed */

/* Copies one setting. MP_MEMORY. */
mp_err mp_settings_copy(mp_settings *to, const mp_settings *from,
                        const mp_setting *setting);

/* ---- storing a value, each into settings that are not shared yet ---- */

/* A number within min and max, in the unit of the option. */
void mp_settings_number(mp_settings *settings, const mp_setting *setting,
                        double value);

/* A copy of a text; NULL: none. MP_MEMORY. */
mp_err mp_settings_text(mp_settings *settings, const mp_setting *setting,
                        const char *text);

/* A path, made absolute. MP_INVALID with a message when there is no working
 * directory, MP_MEMORY. */
mp_err mp_settings_path(mp_settings *settings, const mp_setting *setting,
                        const char *path, char message[MP_MESSAGE]);

/* Reads a PEM file whole. MP_INVALID with a message when it cannot be read
 * or holds no certificate, MP_MEMORY. */
mp_err mp_settings_pem(mp_settings *settings, const mp_setting *setting,
                       const char *path, char message[MP_MESSAGE]);

#endif
