#include "binding/encode/id.h"

#include "binding/lua/handle.h"

#include "core/record/limits.h"
#include "core/record/refused_id.h"

#include <math.h>
#include <string.h>

static const double exact = 9007199254740992.0; /* 2^53 */

static mp_err judge(const mp_id *id, mp_fault *fault) {
    char shown[MP_SHOWN];
    if (id->len > MP_ID_MAX)
        return mp_fault_set(fault, "%zu bytes: Mixpanel cuts an id at %d",
                            id->len, MP_ID_MAX);
    if (!mp_refused_id(id->text, id->len))
        return MP_OK;
    return mp_fault_set(fault, "Mixpanel refuses %s as an id",
                        mp_fault_quote(id->text, id->len, shown));
}

/* False if the number is not integral or may have lost digits. */
static bool read_number(lua_State *L, int index, mp_id *id) {
    char *text = id->digits.text, *end;
    double value = lua_tonumber(L, index);
    if (mp_lua_isinteger(L, index))
        end = mp_num_int64(text, lua_tointeger(L, index));
    else if (value > -exact && value < exact && value == floor(value))
        end = mp_num_double(text, value);
    else
        return false;
    *end = '\0';
    id->text = text;
    id->len = (size_t)(end - text);
    return true;
}

mp_err mp_id_read(lua_State *L, int index, mp_id *id, mp_fault *fault) {
    char shown[MP_SHOWN];
    id->text = NULL;
    switch (lua_type(L, index)) {
    case LUA_TSTRING:
        id->text = lua_tolstring(L, index, &id->len);
        return judge(id, fault);
    case LUA_TNUMBER:
        if (read_number(L, index, id))
            return judge(id, fault);
        break;
    case LUA_TNIL:
        return MP_OK;
    default:
        switch (mp_type_hint_of(L, index, &id->digits)) {
        case MP_HINT_INTEGER:
            id->text = id->digits.text;
            id->len = id->digits.len;
            return judge(id, fault);
        case MP_HINT_NULL:
            return MP_OK;
        default:
            break;
        }
    }
    return mp_fault_set(fault,
                        "%s is no exact id: pass a string or a 64-bit integer",
                        mp_fault_show(L, index, shown));
}

void mp_id_check(lua_State *L, int arg, const char *name) {
    char shown[MP_SHOWN];
    mp_digits digits;
    double value;
    switch (lua_type(L, arg)) {
    case LUA_TSTRING:
        return;
    case LUA_TNUMBER:
        value = lua_tonumber(L, arg);
        if (isfinite(value) && value == floor(value))
            return;
        break;
    default:
        if (mp_type_hint_of(L, arg, &digits) == MP_HINT_INTEGER)
            return;
    }
    mp_raise(L, arg, "%s: string or integer expected, got %s", name,
             lua_type(L, arg) == LUA_TNUMBER ? mp_fault_show(L, arg, shown)
                                             : luaL_typename(L, arg));
}

mp_err mp_id_argument(lua_State *L, int arg, mp_id *id, mp_fault *fault) {
    mp_err err = mp_id_read(L, arg, id, fault);
    if (err == MP_OK && id->len == 0)
        err = mp_fault_set(fault, "an empty id names nobody");
    return err;
}
