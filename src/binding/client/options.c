#include "binding/client/options.h"

#include "binding/client/option_account.h"
#include "binding/client/option_bus.h"

#include <inttypes.h>
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
    mp_option_check(r, mp_config_name(r->config, mp_option_get_text(r, o)), "");
}

static void read_events_via(mp_option_reader *r, const mp_option *o) {
    static const char *const words[] = {"track", "import", NULL};
    r->config->events_via_import = mp_option_get_word(r, o, words) == 1;
}

static void read_transport(mp_option_reader *r, const mp_option *o) {
    const char *name = mp_option_get_text(r, o);
    r->config->manual = strcmp(name, "manual") == 0;
    if (r->config->manual || strcmp(name, "curl") == 0)
        return;
    if (!mp_option_is_driver(name))
        mp_option_fail(r, o);
    r->transport = name;
}

static void read_spool(mp_option_reader *r, const mp_option *o) {
    char message[MP_MESSAGE] = "";
    const char *path = mp_option_get_text(r, o);
    mp_option_check(r, mp_config_spool(r->config, path, message), message);
}

/* The client reads these itself. */

static void read_properties(mp_option_reader *r, const mp_option *o) {
    if (!lua_istable(r->L, -1) && !lua_isfunction(r->L, -1))
        mp_option_fail(r, o);
}

static void read_table(mp_option_reader *r, const mp_option *o) {
    if (!lua_istable(r->L, -1))
        mp_option_fail(r, o);
}

/* ---- all ---- */

static const mp_option of_key[] = {
    {"residency", read_residency, "\"us\", \"eu\" or \"in\""},
    {"api_host", read_api_host, "a URL such as \"https://my.proxy\""},
    {"allow_http", read_allow_http, "true or false"},
    {"name", read_name, "a string"},
    {"service_account", mp_option_account,
     "{ username =, secret =, project_id = }"},
    {"events_via", read_events_via, "\"track\" or \"import\""},
    {"transport", read_transport,
     "\"curl\", \"manual\" or the name of a bus's driver"},
    {"bus", mp_option_bus, "{ servers =, credentials =, ca_file =, stream = }"},
    {"spool", read_spool, "the path of a directory"},
};

static const mp_option of_client[] = {
    {"properties", read_properties, "a table, or a function that returns one"},
    {"exclude_properties", read_table, "a list of names"},
    {"flags", mp_option_flags,
     "\"local\", \"remote\" or \"both\", or a table with such a mode"},
};

enum {
    OF_KEY = sizeof of_key / sizeof *of_key,
    OF_CLIENT = sizeof of_client / sizeof *of_client,
    OPTIONS = OF_KEY + OF_CLIENT + MP_SETTINGS
};

static const char *name_at(size_t i) {
    if (i < OF_KEY)
        return of_key[i].name;
    i -= OF_KEY;
    return i < OF_CLIENT ? of_client[i].name
                         : mp_setting_table[i - OF_CLIENT].name;
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
    const char *closest = NULL;
    static const unsigned farthest = 3; /* beyond are no typing errors */
    unsigned least = farthest + 1;
    for (size_t i = 0; i < OPTIONS; i++) {
        unsigned d = distance(name, name_at(i));
        if (d > farthest && strstr(name_at(i), name))
            d = farthest; /* "host" */
        if (d < least && d < strlen(name)) {
            least = d;
            closest = name_at(i);
        }
    }
    char message[MP_MESSAGE];
    int n = snprintf(message, sizeof message, "unknown option '%.*s'", MP_SHOWN,
                     name);
    if (closest)
        snprintf(message + n, sizeof message - (size_t)n, ": do you mean '%s'?",
                 closest);
    mp_raise(r->L, r->arg, "%s", message);
}

/* The name of the option whose value is at the top. */
static const char *option_name(const mp_option_reader *r) {
    char shown[MP_SHOWN];
    if (lua_type(r->L, -2) != LUA_TSTRING)
        mp_raise(r->L, r->arg, "unknown option %s: options have names",
                 mp_fault_show(r->L, -2, shown));
    return lua_tostring(r->L, -2);
}

static const mp_option *find(const mp_option *options, size_t n,
                             const char *name) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(options[i].name, name) == 0)
            return &options[i];
    return NULL;
}

static void read_setting(mp_option_reader *r, const mp_setting *setting) {
    mp_option_setting(r, setting);
    if (setting->flags & MP_SETTING_NEEDS_SPOOL)
        r->needs_spool = setting->name;
    if (setting->flags & MP_SETTING_NO_BUS)
        r->not_over_bus = setting->name;
}

/* Of those that are no settings: what is said of the way to Mixpanel. */
static bool is_not_over_bus(const char *name) {
    static const char *const names[] = {"residency",  "api_host",
                                        "allow_http", "service_account",
                                        "events_via", "flags"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* Reads the option whose value is at the top. */
static void read_option(mp_option_reader *r) {
    const char *name = option_name(r);
    const mp_setting *setting = mp_setting_find(name);
    const mp_option *option = find(of_key, OF_KEY, name);
    if (option && !r->config)
        mp_raise(r->L, r->arg,
                 "option '%s' decides where records go and cannot be "
                 "changed: make a new client",
                 name);
    if (!option)
        option = find(of_client, OF_CLIENT, name);
    if (setting)
        read_setting(r, setting);
    else if (option)
        option->read(r, option);
    else
        fail_unknown(r, name);
    if (is_not_over_bus(name))
        r->not_over_bus = name;
}

/* What depends on whether the client has a spool. */
static void check_spool(const mp_option_reader *r, const mp_config *present) {
    bool spool = (r->config ? r->config : present)->spool != NULL;
    if (r->needs_spool && !spool)
        mp_raise(r->L, r->arg,
                 "option '%s' needs option 'spool': without it records are in "
                 "memory only",
                 r->needs_spool);
    if (r->config && spool && r->config->manual)
        mp_raise(r->L, r->arg,
                 "option 'spool': a client with transport = \"manual\" cannot "
                 "have one");
    if (r->flags && r->flags->file && spool)
        mp_raise(r->L, r->arg,
                 "options 'flags.file' and 'spool' exclude each other: with a "
                 "spool, definitions are kept there");
}

/* True if the client says it now; *bytes: what, else the default. */
static bool says_bytes(const mp_option_reader *r, const char *name,
                       uint64_t *bytes) {
    const mp_setting *setting = mp_setting_find(name);
    bool says = mp_overrides_says(r->overrides, setting);
    const void *field = (const char *)r->overrides->values + setting->offset;
    *bytes = says ? *(const uint64_t *)field : (uint64_t)setting->initial;
    return says;
}

/* What was left by a process that died must be allowed to stay until it comes
 * again. Where a client says one of both later, the greater counts. */
static void check_total(const mp_option_reader *r) {
    uint64_t total, most;
    bool says_most = says_bytes(r, "spool_max_bytes", &most);
    if (!says_bytes(r, "spool_total_bytes", &total) || total >= most ||
        (!says_most && !r->config))
        return;
    mp_raise(r->L, r->arg,
             "option 'spool_total_bytes': got %" PRIu64
             ", expected at least spool_max_bytes, which is %" PRIu64,
             total, most);
}

void mp_options_read(lua_State *L, int arg, mp_config *config,
                     mp_overrides *overrides, mp_flag_choice *flags,
                     const mp_config *present) {
    mp_option_reader r = {.L = L,
                          .arg = arg,
                          .config = config,
                          .overrides = overrides,
                          .flags = flags};
    char message[MP_MESSAGE] = "";
    lua_pushnil(L);
    while (lua_next(L, arg)) {
        read_option(&r);
        lua_pop(L, 1);
    }
    check_spool(&r, present);
    check_total(&r);
    if (config)
        mp_option_bus_finish(&r);
    else
        mp_option_bus_check(&r, present->bus);
    if (!r.api_host)
        return;
    if (r.residency)
        mp_raise(L, arg,
                 "options 'residency' and 'api_host' exclude each other");
    mp_option_check(
        &r, mp_config_host(config, r.api_host, r.allow_http, message), message);
}
