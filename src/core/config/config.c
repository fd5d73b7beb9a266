#include "core/config/config.h"

#include "core/base/hash.h"
#include "core/base/text.h"
#include "core/os/address.h"
#include "core/os/path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SHOWN = 80,      /* bytes of a wrong value that a message shows */
    SHOWN_TWICE = 48 /* of one that it shows with a hint */
};

static mp_err replace(char **field, const char *text, size_t len) {
    char *copy = NULL;
    if (text) {
        copy = malloc(len + 1);
        if (!copy)
            return MP_MEMORY;
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    free(*field);
    *field = copy;
    return MP_OK;
}

static mp_err set_text(char **field, const char *text) {
    return replace(field, text, strlen(text));
}

mp_err mp_config_name(mp_config *config, const char *name) {
    return set_text(&config->name, name);
}

void mp_config_free(mp_config *config) {
    free(config->token);
    free(config->base_url);
    free(config->name);
    free(config->username);
    free(config->secret);
    free(config->project_id);
    free(config->spool);
    mp_bus_config_release(config->bus);
    memset(config, 0, sizeof *config);
}

static bool same_text(const char *a, const char *b) {
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool mp_config_same(const mp_config *a, const mp_config *b) {
    return same_text(a->token, b->token) &&
           same_text(a->base_url, b->base_url) && same_text(a->name, b->name) &&
           same_text(a->username, b->username) &&
           same_text(a->secret, b->secret) &&
           same_text(a->project_id, b->project_id) &&
           same_text(a->spool, b->spool) &&
           mp_bus_config_same(a->bus, b->bus) &&
           a->events_via_import == b->events_via_import &&
           a->manual == b->manual;
}

/* Of what a spool's directory is named after. */
uint64_t mp_config_hash(const mp_config *config, uint64_t seed) {
    const char *texts[] = {config->token, config->base_url, config->name,
                           config->spool ? config->spool : ""};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        seed = mp_hash(seed, texts[i], strlen(texts[i]));
    return seed;
}

/* A byte that would break out of a URL, a header or a JSON string. */
static bool is_plain(char c) {
    return (unsigned char)c > ' ' && (unsigned char)c < 127 && c != '"' &&
           c != '\\';
}

mp_err mp_config_check_token(const char *token, size_t len,
                             char message[MP_MESSAGE]) {
    const char *wrong = len == 0 ? "is empty" : NULL;
    for (size_t i = 0; i < len && !wrong; i++)
        if (!is_plain(token[i]) || token[i] == ':')
            wrong = "has white space or another character no token has";
    if (!wrong)
        return MP_OK;
    snprintf(message, MP_MESSAGE,
             "the project token %s; it stands in Mixpanel under project "
             "settings, access keys",
             wrong);
    return MP_INVALID;
}

mp_err mp_config_token(mp_config *config, const char *token, size_t len,
                       char message[MP_MESSAGE]) {
    mp_err err = mp_config_check_token(token, len, message);
    return err == MP_OK ? replace(&config->token, token, len) : err;
}

mp_err mp_config_residency(mp_config *config, const char *residency,
                           char message[MP_MESSAGE]) {
    static const char *const hosts[][2] = {
        {"us", "https://api.mixpanel.com"},
        {"eu", "https://api-eu.mixpanel.com"},
        {"in", "https://api-in.mixpanel.com"},
    };
    const char *meant = NULL;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        if (strcmp(residency, hosts[i][0]) == 0)
            return set_text(&config->base_url, hosts[i][1]);
        if (mp_text_same(residency, hosts[i][0]))
            meant = hosts[i][0];
    }
    int n = snprintf(message, MP_MESSAGE,
                     "option 'residency': got \"%.*s\", expected \"us\", "
                     "\"eu\" or \"in\"",
                     SHOWN, residency);
    if (meant)
        snprintf(message + n, MP_MESSAGE - (size_t)n, ": do you mean \"%s\"?",
                 meant);
    return MP_INVALID;
}

/* `host` is what stands between "//" and the port or path. A name that only
 * begins with 127 is a name like any other. */
static bool is_loopback(const char *host, size_t len) {
    unsigned first;
    if (len == 5 && strncmp(host, "[::1]", 5) == 0)
        return true;
    if (len == 9 && mp_text_begins(host, "localhost"))
        return true;
    return mp_address_is_v4(host, len, &first) && first == 127;
}

/* The bytes of the host; 0: there is none, or no end to its brackets. */
static size_t host_length(const char *host) {
    if (host[0] != '[')
        return strcspn(host, ":/?#@");
    size_t len = strcspn(host, "]");
    if (host[len] != ']' || !mp_address_is_v6(host + 1, len - 1))
        return 0;
    return len + 1;
}

/* At most five digits. */
static bool is_port(const char *digits) {
    long port = strtol(digits, NULL, 10);
    return port > 0 && port <= UINT16_MAX;
}

/* What may follow the host: a port, a path. */
static bool is_port_and_path(const char *rest) {
    if (*rest == ':') {
        size_t digits = strspn(rest + 1, "0123456789");
        if (digits == 0 || digits > 5 || !is_port(rest + 1))
            return false;
        rest += digits + 1;
    }
    return *rest == '\0' || *rest == '/';
}

static const char *host_fault(const char *url, bool allow_http) {
    bool https = mp_text_begins(url, "https://");
    if (!https && !mp_text_begins(url, "http://"))
        return "must begin with https://";
    const char *host = url + (https ? 8 : 7);
    size_t len = host_length(host);
    for (const char *c = url; *c; c++)
        if (!is_plain(*c) || *c == '?' || *c == '#' || *c == '@')
            return "must be https://host[:port][/path] and nothing else";
    if (len == 0)
        return "names no host";
    if (!is_port_and_path(host + len))
        return "must be https://host[:port][/path] and nothing else";
    if (https || allow_http || is_loopback(host, len))
        return NULL;
    return "would send records in the clear: use https://, or allow_http = "
           "true if you must";
}

mp_err mp_config_host(mp_config *config, const char *url, bool allow_http,
                      char message[MP_MESSAGE]) {
    const char *fault = host_fault(url, allow_http);
    if (fault) {
        if (strchr(url, '@')) /* what stands before it may be a password */
            snprintf(message, MP_MESSAGE,
                     "option 'api_host': the URL, not shown here as it has an "
                     "@, %s",
                     fault);
        else if (!strstr(url, "://"))
            snprintf(message, MP_MESSAGE,
                     "option 'api_host': \"%.*s\" %s: do you mean "
                     "\"https://%.*s\"?",
                     SHOWN_TWICE, url, fault, SHOWN_TWICE, url);
        else
            snprintf(message, MP_MESSAGE, "option 'api_host': \"%.*s\" %s",
                     SHOWN, url, fault);
        return MP_INVALID;
    }
    size_t len = strlen(url);
    while (url[len - 1] == '/')
        len--;
    return replace(&config->base_url, url, len);
}

mp_err mp_config_account(mp_config *config, const char *username,
                         const char *secret, const char *project_id,
                         char message[MP_MESSAGE]) {
    const char *fault = NULL;
    if (*username == '\0' || strchr(username, ':'))
        fault = "username must be the name of a service account";
    else if (*secret == '\0')
        fault = "secret is empty";
    else if (*project_id == '\0' ||
             strspn(project_id, "0123456789") != strlen(project_id))
        fault = "project_id must be the project's number, which stands in "
                "its settings";
    if (fault) {
        snprintf(message, MP_MESSAGE, "option 'service_account': %s", fault);
        return MP_INVALID;
    }
    bool kept = set_text(&config->username, username) == MP_OK &&
                set_text(&config->secret, secret) == MP_OK &&
                set_text(&config->project_id, project_id) == MP_OK;
    return kept ? MP_OK : MP_MEMORY;
}

mp_err mp_config_spool(mp_config *config, const char *path,
                       char message[MP_MESSAGE]) {
    char *absolute = NULL;
    int failed = *path == '\0' ? ENOENT : mp_path_absolute(path, &absolute);
    if (failed == ENOMEM)
        return MP_MEMORY;
    if (failed != 0) {
        snprintf(message, MP_MESSAGE,
                 "option 'spool': \"%.*s\" is no path of a directory", SHOWN,
                 path);
        return MP_INVALID;
    }
    size_t len = strlen(absolute);
    while (len > 1 && absolute[len - 1] == '/')
        absolute[--len] = '\0';
    free(config->spool);
    config->spool = absolute;
    return MP_OK;
}

mp_host_kind mp_config_host_kind(const mp_config *config) {
    if (config->bus)
        return MP_HOST_BUS;
    return mp_text_begins(config->base_url, "https://api") &&
                   strstr(config->base_url, ".mixpanel.com")
               ? MP_HOST_MIXPANEL
               : MP_HOST_CUSTOM;
}

mp_err mp_config_finish(mp_config *config, char message[MP_MESSAGE]) {
    mp_err err = MP_OK;
    if (config->bus)
        err = set_text(&config->base_url, config->bus->name);
    else if (!config->base_url)
        err = mp_config_residency(config, "us", message);
    if (err == MP_OK && !config->name)
        err = set_text(&config->name, "");
#ifdef MP_NO_CURL
    if (err == MP_OK && !config->manual) {
        snprintf(message, MP_MESSAGE,
                 "option 'transport': this build has no libcurl, so it must "
                 "be \"manual\"");
        return MP_INVALID;
    }
#endif
    if (err == MP_OK && config->secret &&
        !mp_text_begins(config->base_url, "https://")) {
        snprintf(message, MP_MESSAGE,
                 "option 'service_account': its secret is never sent over "
                 "plain http; use an https:// api_host");
        err = MP_INVALID;
    }
    return err;
}
