#include "binding/client/option_account.h"

#include "core/base/num.h"

#include <math.h>
#include <string.h>

/* A field of the account at index `account`, which is left on the stack. */
static const char *get_field(const mp_option_reader *r, const mp_option *o,
                             int account, const char *field) {
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
static const char *get_project_id(const mp_option_reader *r, const mp_option *o,
                                  int account, char digits[MP_NUM_MAX + 1]) {
    static const double exact = 9007199254740992.0; /* 2^53 */
    lua_pushliteral(r->L, "project_id");
    lua_rawget(r->L, account);
    lua_Number value = lua_tonumber(r->L, -1);
    if (lua_type(r->L, -1) == LUA_TSTRING)
        return get_field(r, o, account, "project_id");
    if (lua_type(r->L, -1) != LUA_TNUMBER || !(value >= 1 && value < exact) ||
        value != floor(value))
        mp_raise(r->L, r->arg,
                 "option '%s': project_id must be the project's number, which "
                 "stands in its settings",
                 o->name);
    *mp_num_double(digits, value) = '\0';
    return digits;
}

static void check_fields(const mp_option_reader *r, const mp_option *o,
                         int account) {
    lua_State *L = r->L;
    lua_pushnil(L);
    while (lua_next(L, account)) {
        lua_pop(L, 1);
        const char *key =
            lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
        if (strcmp(key, "username") != 0 && strcmp(key, "secret") != 0 &&
            strcmp(key, "project_id") != 0)
            mp_option_fail_unshown(r, o);
    }
}

void mp_option_account(mp_option_reader *r, const mp_option *o) {
    lua_State *L = r->L;
    int account = lua_gettop(L);
    char digits[MP_NUM_MAX + 1], message[MP_MESSAGE] = "";
    if (!lua_istable(L, account))
        mp_option_fail_unshown(r, o);
    check_fields(r, o, account);
    const char *username = get_field(r, o, account, "username");
    const char *secret = get_field(r, o, account, "secret");
    const char *project_id = get_project_id(r, o, account, digits);
    mp_err err =
        mp_config_account(r->config, username, secret, project_id, message);
    mp_option_check(r, err, message);
    lua_settop(L, account);
}
