/* One option of mixpanel.new and set_config: how kinds of values are read and
 * checked. Knows no option by name.
 *
 * A reader finds the value at the top of the stack and leaves the stack as it
 * was. What is wrong raises a bad argument that names the option, the value
 * and what would be right. */
#ifndef MP_OPTION_H
#define MP_OPTION_H

#include "binding/lua/handle.h"

#include "core/config/config.h"
#include "core/config/overrides.h"

struct mp_flag_choice;

/* The table being read. */
typedef struct mp_option_reader {
    lua_State *L;
    int arg;
    mp_config *config; /* NULL: the options of the key are not allowed */
    mp_overrides *overrides;
    struct mp_flag_choice *flags; /* NULL: the option is not allowed */
    bool residency, allow_http;
    const char *needs_spool;  /* an option that was given; NULL: none */
    const char *not_over_bus; /* the same */
    const char *transport;    /* the name of a bus's driver; NULL: none */
    const char *api_host;     /* NULL: not given */
} mp_option_reader;

typedef struct mp_option {
    const char *name;
    void (*read)(mp_option_reader *r, const struct mp_option *option);
    const char *expected; /* what would be right, for messages */
} mp_option;

/* Reads and stores a setting, by its kind. */
void mp_option_setting(mp_option_reader *r, const mp_setting *setting);

/* ---- values for readers of their own ---- */

bool mp_option_get_boolean(const mp_option_reader *r, const mp_option *option);

/* A string without a zero byte. */
const char *mp_option_get_text(const mp_option_reader *r,
                               const mp_option *option);

/* The place of the word in `words`, which end with NULL. */
int mp_option_get_word(const mp_option_reader *r, const mp_option *option,
                       const char *const *words);

/* ---- failures ---- */

_Noreturn void mp_option_fail(const mp_option_reader *r,
                              const mp_option *option);

/* The same without the value, which may hold a password. */
_Noreturn void mp_option_fail_unshown(const mp_option_reader *r,
                                      const mp_option *option);

/* Raises unless a check of config.h went well. */
void mp_option_check(const mp_option_reader *r, mp_err err,
                     const char *message);

#endif
