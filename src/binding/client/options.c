#include "binding/client/options.h"

#include "binding/client/option_account.h"

#include <float.h>
#include <stdio.h>
#include <string.h>

/* ---- the key ---- */

static void read_residency(mp_option_reader *r, const mp_option *o) {
    char message[MP_MESSAGE] = "";
    const char *residency = mp_option_get_text(r, o);
    r->residency = true;
    mp_option_check(r, mp_config_residency(r->config, residency, message),
                    message);
}

/* Checked when allow_http is known. */
static void read_api_host(mp_option_reader *r, const mp_option *o) {
    r->api_host = mp_option_get_text(r, o);
}

static void read_allow_http(mp_option_reader *r, const mp_option *o) {
    r->allow_http = mp_option_get_boolean(r, o);
}

static void read_name(mp_option_reader *r, const mp_option *o) {
    mp_option_check(
        r, mp_settings_text(&r->config->name, mp_option_get_text(r, o)), "");
}

static void read_events_via(mp_option_reader *r, const mp_option *o) {
    static const char *const words[] = {"track", "import", NULL};
    r->config->events_via_import = mp_option_get_choice(r, o, words) == 1;
}

static void read_transport(mp_option_reader *r, const mp_option *o) {
    static const char *const words[] = {"curl", "manual", NULL};
    r->config->manual = mp_option_get_choice(r, o, words) == 1;
}

static void read_spool(mp_option_reader *r, const mp_option *o) {
    char message[MP_MESSAGE] = "";
    const char *path = mp_option_get_text(r, o);
    mp_option_check(r, mp_config_spool(r->config, path, message), message);
}

/* ---- settings ---- */

static void read_durability(mp_option_reader *r, const mp_option *o) {
    static const char *const words[] = {"process", "power", NULL};
    r->settings->fsync = mp_option_get_choice(r, o, words) == 1;
    r->needs_spool = o->name;
}

static void read_sync_interval(mp_option_reader *r, const mp_option *o) {
    mp_option_seconds(r, o);
    r->needs_spool = o->name;
}

static void read_spool_max_bytes(mp_option_reader *r, const mp_option *o) {
    r->settings->spool_max_bytes = (uint64_t)mp_option_get_integer(r, o);
    r->needs_spool = o->name;
}

static void read_gzip(mp_option_reader *r, const mp_option *o) {
    if (lua_isboolean(r->L, -1))
        r->settings->gzip = lua_toboolean(r->L, -1);
    else
        r->settings->gzip = (int)mp_option_get_integer(r, o);
}

/* Never shown: it may hold a password. */
static void read_proxy(mp_option_reader *r, const mp_option *o) {
    size_t len = 0;
    const char *url = "";
    if (lua_type(r->L, -1) == LUA_TSTRING)
        url = lua_tolstring(r->L, -1, &len);
    size_t n = 0;
    while ((unsigned char)url[n] > ' ' && url[n] != 127)
        n++;
    if (n == 0 || n != len)
        mp_option_fail_unshown(r, o);
    mp_option_check(r, mp_settings_text(&r->settings->proxy, url), "");
}

static void read_ca_file(mp_option_reader *r, const mp_option *o) {
    char message[MP_MESSAGE] = "";
    const char *path = mp_option_get_text(r, o);
    mp_option_check(r, mp_settings_ca_file(r->settings, path, message),
                    message);
}

static void read_on_invalid(mp_option_reader *r, const mp_option *o) {
    static const char *const words[] = {"repair", "reject", NULL};
    r->settings->reject_invalid = mp_option_get_choice(r, o, words) == 1;
}

static void read_overflow(mp_option_reader *r, const mp_option *o) {
    static const char *const words[] = {"drop_newest", "drop_oldest", NULL};
    r->settings->drop_oldest = mp_option_get_choice(r, o, words) == 1;
}

static void read_on_ambiguous(mp_option_reader *r, const mp_option *o) {
    static const char *const words[] = {"retry", "report", NULL};
    r->settings->report_ambiguous = mp_option_get_choice(r, o, words) == 1;
}

static void read_reports(mp_option_reader *r, const mp_option *o) {
    static const char *const words[] = {
        [MP_REPORTS_FAILURES] = "failures",
        [MP_REPORTS_ALL] = "all",
        [MP_REPORTS_NONE] = "none",
        NULL,
    };
    r->settings->reports = (mp_report_level)mp_option_get_choice(r, o, words);
}

static bool is_false(const mp_option_reader *r) {
    return lua_isboolean(r->L, -1) && !lua_toboolean(r->L, -1);
}

static void read_max_age(mp_option_reader *r, const mp_option *o) {
    r->max_age = true;
    if (is_false(r))
        r->settings->max_age_ms = 0;
    else
        mp_option_seconds(r, o);
}

static void read_debug(mp_option_reader *r, const mp_option *o) {
    if (is_false(r))
        mp_option_check(r, mp_settings_text(&r->settings->debug, NULL), "");
    else
        mp_option_path(r, o);
}

/* The client reads the table itself. */
static void read_table(mp_option_reader *r, const mp_option *o) {
    if (!lua_istable(r->L, -1))
        mp_option_fail(r, o);
}

/* ---- all ---- */

#define SETTING(field) offsetof(mp_settings, field)
#define SECONDS(field, min, max, expected)                                     \
    { #field, mp_option_seconds, expected, SETTING(field##_ms), min, max }

static const mp_option of_key[] = {
    {"residency", read_residency, "\"us\", \"eu\" or \"in\"", 0, 0, 0},
    {"api_host", read_api_host, "a URL such as \"https://my.proxy\"", 0, 0, 0},
    {"allow_http", read_allow_http, "true or false", 0, 0, 0},
    {"name", read_name, "a string", 0, 0, 0},
    {"service_account", mp_option_account,
     "{ username =, secret =, project_id = }", 0, 0, 0},
    {"events_via", read_events_via, "\"track\" or \"import\"", 0, 0, 0},
    {"transport", read_transport, "\"curl\" or \"manual\"", 0, 0, 0},
    {"spool", read_spool, "the path of a directory", 0, 0, 0},
};

static const mp_option of_settings[] = {
    {"geolocate", mp_option_boolean, "true or false", SETTING(geolocate), 0, 0},
    {"properties", read_table, "a table", 0, 0, 0},
    {"exclude_properties", read_table, "a list of names", 0, 0, 0},
    SECONDS(flush_interval, 0, 86400, "seconds from 0 to 86400"),
    {"max_batch_size", mp_option_count, "an integer from 1 to 2000",
     SETTING(max_batch_size), 1, 2000},
    {"max_in_flight", mp_option_count, "an integer from 1 to 20",
     SETTING(max_in_flight), 1, 20},
    {"max_queue_bytes", mp_option_bytes,
     "an integer from 65536 to 1099511627776", SETTING(max_queue_bytes), 65536,
     1099511627776.0},
    {"gzip", read_gzip, "a level from 1 to 12, true or false", 0, 1, 12},
    SECONDS(connect_timeout, DBL_MIN, 3600, "seconds above 0, up to 3600"),
    SECONDS(request_timeout, DBL_MIN, 3600, "seconds above 0, up to 3600"),
    SECONDS(exit_timeout, 0, 3600, "seconds from 0 to 3600"),
    SECONDS(max_retry_delay, DBL_MIN, 3600, "seconds above 0, up to 3600"),
    {"max_age", read_max_age, "seconds above 0, up to 1e9, or false",
     SETTING(max_age_ms), DBL_MIN, 1e9},
    {"durability", read_durability, "\"process\" or \"power\"", 0, 0, 0},
    {"sync_interval", read_sync_interval, "seconds from 0.01 to 3600",
     SETTING(sync_interval_ms), 0.01, 3600},
    {"spool_max_bytes", read_spool_max_bytes,
     "an integer from 4194304 to 1099511627776", 0, 4194304, 1099511627776.0},
    {"overflow", read_overflow, "\"drop_newest\" or \"drop_oldest\"", 0, 0, 0},
    {"on_ambiguous", read_on_ambiguous, "\"retry\" or \"report\"", 0, 0, 0},
    {"reports", read_reports, "\"failures\", \"all\" or \"none\"", 0, 0, 0},
    {"debug", read_debug, "the path of a file, or false", SETTING(debug), 0, 0},
    {"on_invalid", read_on_invalid, "\"repair\" or \"reject\"", 0, 0, 0},
    {"proxy", read_proxy, "a URL such as \"http://proxy:3128\"", 0, 0, 0},
    {"ca_file", read_ca_file, "the path of a PEM file", 0, 0, 0},
    {"ca_path", mp_option_path, "the path of a directory", SETTING(ca_path), 0,
     0},
};
enum {
    OF_KEY = sizeof of_key / sizeof *of_key,
    OPTIONS = OF_KEY + sizeof of_settings / sizeof *of_settings
};

static const mp_option *option_at(size_t i) {
    return i < OF_KEY ? &of_key[i] : &of_settings[i - OF_KEY];
}

/* How many letters must be changed, added or left out to turn one name into
 * the other. */
static unsigned distance(const char *a, const char *b) {
    enum {
        LONGEST = 32
    };
    unsigned row[LONGEST + 1];
    size_t n = strlen(b);
    if (strlen(a) > LONGEST || n > LONGEST)
        return LONGEST;
    for (unsigned i = 0; i <= n; i++)
        row[i] = i;
    for (unsigned done = 1; *a; a++, done++) {
        unsigned diagonal = row[0];
        row[0] = done;
        for (size_t i = 1; i <= n; i++) {
            unsigned best = diagonal + (*a != b[i - 1]);
            diagonal = row[i];
            if (row[i] + 1 < best)
                best = row[i] + 1;
            if (row[i - 1] + 1 < best)
                best = row[i - 1] + 1;
            row[i] = best;
        }
    }
    return row[n];
}

static _Noreturn void fail_unknown(const mp_option_reader *r,
                                   const char *name) {
    const mp_option *closest = NULL;
    static const unsigned farthest = 3; /* beyond are no typing errors */
    unsigned least = farthest + 1;
    for (size_t i = 0; i < OPTIONS; i++) {
        unsigned d = distance(name, option_at(i)->name);
        if (d > farthest && strstr(option_at(i)->name, name))
            d = farthest; /* "host" */
        if (d < least && d < strlen(name)) {
            least = d;
            closest = option_at(i);
        }
    }
    char message[MP_MESSAGE];
    int n = snprintf(message, sizeof message, "unknown option '%.*s'", MP_SHOWN,
                     name);
    if (closest)
        snprintf(message + n, sizeof message - (size_t)n, ": do you mean '%s'?",
                 closest->name);
    mp_raise(r->L, r->arg, "%s", message);
}

/* The option whose key is below the value at the top. */
static const mp_option *find(const mp_option_reader *r) {
    char shown[MP_SHOWN];
    if (lua_type(r->L, -2) != LUA_TSTRING)
        mp_raise(r->L, r->arg, "unknown option %s: options have names",
                 mp_fault_show(r->L, -2, shown));
    const char *name = lua_tostring(r->L, -2);
    for (size_t i = 0; i < OPTIONS; i++) {
        if (strcmp(option_at(i)->name, name) != 0)
            continue;
        if (i < OF_KEY && !r->config)
            mp_raise(r->L, r->arg,
                     "option '%s' decides where records go and cannot be "
                     "changed: make a new client",
                     name);
        return option_at(i);
    }
    fail_unknown(r, name);
}

/* What depends on whether the client has a spool. */
static void check_spool(const mp_option_reader *r, bool spool) {
    static const int64_t month_ms = INT64_C(30) * 24 * 3600 * 1000;
    if (r->config)
        spool = r->config->spool != NULL;
    if (r->needs_spool && !spool)
        mp_raise(r->L, r->arg,
                 "option '%s' needs option 'spool': without it records are in "
                 "memory only",
                 r->needs_spool);
    if (!r->config || !spool)
        return;
    if (r->config->manual)
        mp_raise(r->L, r->arg,
                 "option 'spool': a client with transport = \"manual\" cannot "
                 "have one");
    if (!r->max_age)
        r->settings->max_age_ms = month_ms;
}

void mp_options_read(lua_State *L, int arg, mp_config *config,
                     mp_settings *settings, bool spool) {
    mp_option_reader r = {
        .L = L, .arg = arg, .config = config, .settings = settings};
    char message[MP_MESSAGE] = "";
    lua_pushnil(L);
    while (lua_next(L, arg)) {
        const mp_option *o = find(&r);
        o->read(&r, o);
        lua_pop(L, 1);
    }
    check_spool(&r, spool);
    if (!r.api_host)
        return;
    if (r.residency)
        mp_raise(L, arg,
                 "options 'residency' and 'api_host' exclude each other");
    mp_option_check(
        &r, mp_config_host(config, r.api_host, r.allow_http, message), message);
}
