/* The checked options of a client as plain data.
 *
 * What decides where and under whose name records go is the key of a project
 * (mp_config); it never changes. Everything else (mp_settings) may be
 * replaced at any time and is therefore immutable and shared by reference.
 * Knows nothing of Lua: the checks here take plain values and leave a
 * message that names the value and what would be right. */
#ifndef MP_CONFIG_H
#define MP_CONFIG_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which reports are kept for mp_reports_take. */
typedef enum mp_report_level {
    MP_REPORTS_FAILURES,
    MP_REPORTS_ALL,
    MP_REPORTS_NONE
} mp_report_level;

typedef struct mp_settings {
    bool geolocate;        /* let Mixpanel place the sender of a request */
    bool reject_invalid;   /* on_invalid = "reject" */
    bool drop_oldest;      /* overflow = "drop_oldest" */
    bool report_ambiguous; /* on_ambiguous = "report" */
    mp_report_level reports;
    int64_t max_age_ms; /* 0: none */
    bool fsync;         /* durability = "power": what is on disk is synced */
    int64_t sync_interval_ms;
    uint64_t spool_max_bytes;
    int gzip; /* level 1 to 12; 0: bodies go uncompressed */
    uint32_t max_batch_size;
    uint32_t max_in_flight;
    size_t max_queue_bytes;
    int64_t flush_interval_ms;
    int64_t connect_timeout_ms;
    int64_t request_timeout_ms;
    int64_t exit_timeout_ms;
    int64_t max_retry_delay_ms;
    char *proxy;  /* NULL: none */
    char *ca_pem; /* contents of ca_file; NULL: the system's */
    size_t ca_len;
    char *ca_path; /* NULL: the system's */
    char *debug;   /* a file that gets every request and reply; NULL: none */
    int refs;      /* private to config.c, atomic; stands last */
} mp_settings;

/* A fresh copy of `base`, or of the defaults when `base` is NULL, with one
 * reference, to be changed only until it is shared. NULL: out of memory. */
mp_settings *mp_settings_new(const mp_settings *base);
mp_settings *mp_settings_retain(mp_settings *settings);
void mp_settings_release(mp_settings *settings); /* NULL is allowed */

/* Replaces *field by a copy of `text` (NULL: none). MP_MEMORY. */
mp_err mp_settings_text(char **field, const char *text);

/* Reads a PEM file whole into ca_pem. MP_INVALID with a message when it
 * cannot be read or holds no certificate, MP_MEMORY. */
mp_err mp_settings_ca_file(mp_settings *settings, const char *path,
                           char message[MP_MESSAGE]);

typedef struct mp_config {
    char *token;
    char *base_url;   /* "https://api.mixpanel.com": no slash at the end */
    char *name;       /* "" unless given */
    char *username;   /* of a service account; NULL: none */
    char *secret;     /* never shown to anyone */
    char *project_id; /* digits, given with a service account */
    char *spool;      /* an absolute path; NULL: records are in memory only */
    bool events_via_import;
    bool manual; /* transport = "manual": the host carries the requests */
} mp_config;

void mp_config_free(mp_config *config); /* the texts, not the struct */

/* True if records of both go to the same place under the same name. */
bool mp_config_same(const mp_config *a, const mp_config *b);

/* Each check copies what it accepts into the config. They return MP_INVALID
 * with a message, or MP_MEMORY. */

mp_err mp_config_token(mp_config *config, const char *token, size_t len,
                       char message[MP_MESSAGE]);

/* "us", "eu" or "in" (Mixpanel docs, ingestion API overview). */
mp_err mp_config_residency(mp_config *config, const char *residency,
                           char message[MP_MESSAGE]);

/* An https:// base URL; http:// only for loopback or with `allow_http`. */
mp_err mp_config_host(mp_config *config, const char *url, bool allow_http,
                      char message[MP_MESSAGE]);

mp_err mp_config_account(mp_config *config, const char *username,
                         const char *secret, const char *project_id,
                         char message[MP_MESSAGE]);

/* A directory, made absolute. */
mp_err mp_config_spool(mp_config *config, const char *path,
                       char message[MP_MESSAGE]);

/* What can only be judged when all is known: fills in the US host if none
 * was chosen, refuses a secret over plain http. */
mp_err mp_config_finish(mp_config *config, char message[MP_MESSAGE]);

#endif
