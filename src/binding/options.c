#include "options.h"

#include "fault.h"
#include "handle.h"

#include "../core/num.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* The table being read; the value of an option is at the top of the stack
 * while it is read. */
typedef struct reader {
    lua_State *L;
    int arg;
    mp_config *config; /* NULL: the options of the key are not allowed */
    mp_settings *settings;
    bool residency, allow_http;
    const char *api_host; /* NULL: not given */
} reader;

typedef struct option {
    const char *name;
    void (*read)(reader *r, const struct option *option);
    const char *expected;
    size_t offset;   /* of a setting */
    double min, max; /* of a number */
} option;

/* ---- failures ---- */

static _Noreturn void fail_value(const reader *r, const option *o) {
    char shown[MP_SHOWN];
    mp_raise(r->L, r->arg, "option '%s': got %s, expected %s", o->name,
             mp_fault_show(r->L, -1, shown), o->expected);
}

/* For what may hold a password. */
static _Noreturn void fail_secret(const reader *r, const option *o) {
    mp_raise(r->L, r->arg, "option '%s': expected %s", o->name, o->expected);
}

/* What a check of config.h said. */
static void check(const reader *r, mp_err err, const char *message) {
    if (err == MP_INVALID)
        mp_raise(r->L, r->arg, "%s", message);
    if (err != MP_OK)
        mp_raise_memory(r->L);
}

/* ---- settings ---- */

static void *setting(const reader *r, const option *o) {
    return (char *)r->settings + o->offset;
}

static double get_number(const reader *r, const option *o) {
    lua_Number value = lua_tonumber(r->L, -1);
    if (lua_type(r->L, -1) != LUA_TNUMBER ||
        !(value >= o->min && value <= o->max))
        fail_value(r, o);
    return value;
}

static double get_integer(const reader *r, const option *o) {
    double value = get_number(r, o);
    if (value != floor(value))
        fail_value(r, o);
    return value;
}

static void read_seconds(reader *r, const option *o) {
    double seconds = get_number(r, o);
    int64_t *ms = setting(r, o);
    *ms = llround(seconds * 1000);
    if (seconds > 0 && *ms == 0)
        *ms = 1;
}

static void read_count(reader *r, const option *o) {
    *(uint32_t *)setting(r, o) = (uint32_t)get_integer(r, o);
}

static void read_bytes(reader *r, const option *o) {
    double bytes = get_integer(r, o);
    *(size_t *)setting(r, o) =
        bytes < (double)SIZE_MAX ? (size_t)bytes : SIZE_MAX;
}

static bool get_boolean(const reader *r, const option *o) {
    if (!lua_isboolean(r->L, -1))
        fail_value(r, o);
    return lua_toboolean(r->L, -1) != 0;
}

static void read_boolean(reader *r, const option *o) {
    *(bool *)setting(r, o) = get_boolean(r, o);
}

static void read_gzip(reader *r, const option *o) {
    if (lua_isboolean(r->L, -1))
        r->settings->gzip = lua_toboolean(r->L, -1);
    else
        r->settings->gzip = (int)get_integer(r, o);
}

/* A string that is a text in C too. */
static const char *get_text(const reader *r, const option *o) {
    size_t len;
    if (lua_type(r->L, -1) != LUA_TSTRING)
        fail_value(r, o);
    const char *text = lua_tolstring(r->L, -1, &len);
    if (strlen(text) != len)
        fail_value(r, o);
    return text;
}

static void read_path(reader *r, const option *o) {
    const char *path = get_text(r, o);
    if (*path == '\0')
        fail_value(r, o);
    check(r, mp_settings_text(setting(r, o), path), "");
}

/* Never shown: it may hold a password. */
static void read_proxy(reader *r, const option *o) {
    size_t len = 0;
    const char *url = "";
    if (lua_type(r->L, -1) == LUA_TSTRING)
        url = lua_tolstring(r->L, -1, &len);
    size_t n = 0;
    while ((unsigned char)url[n] > ' ' && url[n] != 127)
        n++;
    if (n == 0 || n != len)
        fail_secret(r, o);
    check(r, mp_settings_text(setting(r, o), url), "");
}

static void read_ca_file(reader *r, const option *o) {
    char message[MP_MESSAGE] = "";
    const char *path = get_text(r, o);
    check(r, mp_settings_ca_file(r->settings, path, message), message);
}

/* True for the second of two words. */
static bool get_choice(const reader *r, const option *o, const char *first,
                       const char *second) {
    const char *text = get_text(r, o);
    bool is_second = strcmp(text, second) == 0;
    if (!is_second && strcmp(text, first) != 0)
        fail_value(r, o);
    return is_second;
}

static void read_on_invalid(reader *r, const option *o) {
    r->settings->reject_invalid = get_choice(r, o, "repair", "reject");
}

static void read_table(reader *r, const option *o) {
    if (!lua_istable(r->L, -1))
        fail_value(r, o);
}

/* ---- the key ---- */

static void read_residency(reader *r, const option *o) {
    char message[MP_MESSAGE] = "";
    const char *residency = get_text(r, o);
    r->residency = true;
    check(r, mp_config_residency(r->config, residency, message), message);
}

/* Checked when allow_http is known. */
static void read_api_host(reader *r, const option *o) {
    r->api_host = get_text(r, o);
}

static void read_allow_http(reader *r, const option *o) {
    r->allow_http = get_boolean(r, o);
}

static void read_name(reader *r, const option *o) {
    check(r, mp_settings_text(&r->config->name, get_text(r, o)), "");
}

static void read_events_via(reader *r, const option *o) {
    r->config->events_via_import = get_choice(r, o, "track", "import");
}

/* A field of the account at index `account`, which is left on the stack. */
static const char *get_field(const reader *r, const option *o, int account,
                             const char *field) {
    size_t len;
    lua_pushstring(r->L, field);
    lua_rawget(r->L, account);
    const char *text = NULL;
    if (lua_type(r->L, -1) == LUA_TSTRING)
        text = lua_tolstring(r->L, -1, &len);
    if (!text || strlen(text) != len)
        mp_raise(r->L, r->arg, "option '%s': %s must be a string, got %s",
                 o->name, field,
                 text ? "one with a zero byte" : luaL_typename(r->L, -1));
    return text;
}

/* The project's number, given as a string or as a number. */
static const char *get_project_id(const reader *r, const option *o, int account,
                                  char digits[MP_NUM_MAX + 1]) {
    static const double exact = 9007199254740992.0; /* 2^53 */
    lua_pushliteral(r->L, "project_id");
    lua_rawget(r->L, account);
    lua_Number value = lua_tonumber(r->L, -1);
    if (lua_type(r->L, -1) != LUA_TNUMBER)
        return get_field(r, o, account, "project_id");
    if (!(value >= 1 && value < exact) || value != floor(value))
        fail_secret(r, o);
    *mp_num_double(digits, value) = '\0';
    return digits;
}

static void check_fields(const reader *r, const option *o, int account) {
    lua_State *L = r->L;
    lua_pushnil(L);
    while (lua_next(L, account)) {
        lua_pop(L, 1);
        const char *key =
            lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
        if (strcmp(key, "username") != 0 && strcmp(key, "secret") != 0 &&
            strcmp(key, "project_id") != 0)
            fail_secret(r, o);
    }
}

/* Shows none of the values. */
static void read_account(reader *r, const option *o) {
    lua_State *L = r->L;
    int account = lua_gettop(L);
    char digits[MP_NUM_MAX + 1], message[MP_MESSAGE] = "";
    if (!lua_istable(L, account))
        fail_secret(r, o);
    check_fields(r, o, account);
    const char *username = get_field(r, o, account, "username");
    const char *secret = get_field(r, o, account, "secret");
    const char *project_id = get_project_id(r, o, account, digits);
    mp_err err =
        mp_config_account(r->config, username, secret, project_id, message);
    check(r, err, message);
    lua_settop(L, account);
}

/* ---- all ---- */

#define SETTING(field) offsetof(mp_settings, field)
#define SECONDS(field, min, max, expected)                                     \
    { #field, read_seconds, expected, SETTING(field##_ms), min, max }

/* Those of the key come first. */
static const option options[] = {
    {"residency", read_residency, "\"us\", \"eu\" or \"in\"", 0, 0, 0},
    {"api_host", read_api_host, "a URL such as \"https://my.proxy\"", 0, 0, 0},
    {"allow_http", read_allow_http, "true or false", 0, 0, 0},
    {"name", read_name, "a string", 0, 0, 0},
    {"service_account", read_account, "{ username =, secret =, project_id = }",
     0, 0, 0},
    {"events_via", read_events_via, "\"track\" or \"import\"", 0, 0, 0},

    {"geolocate", read_boolean, "true or false", SETTING(geolocate), 0, 0},
    {"properties", read_table, "a table", 0, 0, 0},
    SECONDS(flush_interval, 0, 86400, "seconds from 0 to 86400"),
    {"max_batch_size", read_count, "an integer from 1 to 2000",
     SETTING(max_batch_size), 1, 2000},
    {"max_in_flight", read_count, "an integer from 1 to 20",
     SETTING(max_in_flight), 1, 20},
    {"max_queue_bytes", read_bytes, "an integer from 65536 to 1099511627776",
     SETTING(max_queue_bytes), 65536, 1099511627776.0},
    {"gzip", read_gzip, "a level from 1 to 12, true or false", 0, 1, 12},
    SECONDS(connect_timeout, DBL_MIN, 3600, "seconds above 0, up to 3600"),
    SECONDS(request_timeout, DBL_MIN, 3600, "seconds above 0, up to 3600"),
    SECONDS(exit_timeout, 0, 3600, "seconds from 0 to 3600"),
    SECONDS(max_retry_delay, DBL_MIN, 3600, "seconds above 0, up to 3600"),
    {"on_invalid", read_on_invalid, "\"repair\" or \"reject\"", 0, 0, 0},
    {"proxy", read_proxy, "a URL such as \"http://proxy:3128\"", SETTING(proxy),
     0, 0},
    {"ca_file", read_ca_file, "the path of a PEM file", 0, 0, 0},
    {"ca_path", read_path, "the path of a directory", SETTING(ca_path), 0, 0},
};
enum {
    OPTIONS = sizeof options / sizeof *options,
    OF_KEY = 6 /* the first ones */
};

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

static _Noreturn void fail_unknown(const reader *r, const char *name) {
    const option *closest = NULL;
    unsigned least = 4; /* farther names are no typing errors */
    for (size_t i = 0; i < OPTIONS; i++) {
        unsigned d = distance(name, options[i].name);
        if (d < least && d < strlen(name)) {
            least = d;
            closest = &options[i];
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
static const option *find(const reader *r) {
    char shown[MP_SHOWN];
    if (lua_type(r->L, -2) != LUA_TSTRING)
        fail_unknown(r, mp_fault_show(r->L, -2, shown));
    const char *name = lua_tostring(r->L, -2);
    for (size_t i = 0; i < OPTIONS; i++) {
        if (strcmp(options[i].name, name) != 0)
            continue;
        if (i < OF_KEY && !r->config)
            mp_raise(r->L, r->arg,
                     "option '%s' decides where records go and cannot be "
                     "changed: make a new client",
                     name);
        return &options[i];
    }
    fail_unknown(r, name);
}

void mp_options_read(lua_State *L, int arg, mp_config *config,
                     mp_settings *settings) {
    reader r = {.L = L, .arg = arg, .config = config, .settings = settings};
    char message[MP_MESSAGE] = "";
    lua_pushnil(L);
    while (lua_next(L, arg)) {
        const option *o = find(&r);
        o->read(&r, o);
        lua_pop(L, 1);
    }
    if (!r.api_host)
        return;
    if (r.residency)
        mp_raise(L, arg,
                 "options 'residency' and 'api_host' exclude each other");
    check(&r, mp_config_host(config, r.api_host, r.allow_http, message),
          message);
}
