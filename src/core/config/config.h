/* The key of a project: what decides where and under whose name records go.
 * It never changes; everything else is in settings.h. Knows nothing of Lua:
 * the checks take plain values and leave a message that names the value and
 * what would be right. */
#ifndef MP_CONFIG_H
#define MP_CONFIG_H

#include "core/base/err.h"
#include "core/config/bus_config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mp_config {
    char *token;
    char *base_url;   /* "https://api.mixpanel.com": no slash at the end; with a
                       * bus the name of the transport */
    char *name;       /* "" unless given */
    char *username;   /* of a service account; NULL: none */
    char *secret;     /* never shown to anyone */
    char *project_id; /* digits, given with a service account */
    char *spool;      /* an absolute path; NULL: records are in memory only */
    mp_bus_config *bus; /* a reference; NULL: requests go over HTTP */
    bool events_via_import;
    bool manual; /* transport = "manual": the host carries the requests */
} mp_config;

void mp_config_free(mp_config *config); /* the texts, not the struct */

/* True if records of both go to the same place under the same name. */
bool mp_config_same(const mp_config *a, const mp_config *b);

/* Equal for those that are the same and for those that keep their records in
 * one directory. */
uint64_t mp_config_hash(const mp_config *config, uint64_t seed);

typedef enum mp_host_kind {
    MP_HOST_MIXPANEL,
    MP_HOST_CUSTOM, /* a proxy or a stand-in, which may lack endpoints */
    MP_HOST_BUS     /* takes any record, and leaves it to others to judge */
} mp_host_kind;

mp_host_kind mp_config_host_kind(const mp_config *config);

/* Each check copies what it accepts into the config. They return MP_INVALID
 * with a message, or MP_MEMORY. */

mp_err mp_config_token(mp_config *config, const char *token, size_t len,
                       char message[MP_MESSAGE]);

/* The same without a copy. */
mp_err mp_config_check_token(const char *token, size_t len,
                             char message[MP_MESSAGE]);

mp_err mp_config_name(mp_config *config, const char *name); /* MP_MEMORY */

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

/* What can only be judged when all is known: fills in the US host, or the name
 * of the bus, if none was chosen; refuses a secret over plain http. */
mp_err mp_config_finish(mp_config *config, char message[MP_MESSAGE]);

#endif
