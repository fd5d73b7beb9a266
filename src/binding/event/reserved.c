#include "binding/event/reserved.h"

#include <string.h>

mp_reserved mp_reserved_find(const char *name, size_t len) {
#define IS(text) (memcmp(name, (text), sizeof(text) - 1) == 0)
    switch (len) {
    case 2:
        return IS("ip") ? MP_IP : MP_RESERVED_NONE;
    case 4:
        return IS("time") ? MP_TIME : MP_RESERVED_NONE;
    case 5:
        return IS("token") ? MP_TOKEN : MP_RESERVED_NONE;
    case 6:
        return IS("mp_lib") ? MP_LIB : MP_RESERVED_NONE;
    case 8:
        return IS("$user_id") ? MP_OTHER_ID : MP_RESERVED_NONE;
    case 10:
        return IS("$insert_id")   ? MP_INSERT_ID_KEY
               : IS("$device_id") ? MP_OTHER_ID
                                  : MP_RESERVED_NONE;
    case 11:
        return IS("distinct_id") ? MP_DISTINCT_ID : MP_RESERVED_NONE;
    case 12:
        return IS("$lib_version")   ? MP_LIB_VERSION
               : IS("$distinct_id") ? MP_OTHER_ID
                                    : MP_RESERVED_NONE;
    default:
        return MP_RESERVED_NONE;
    }
#undef IS
}

void mp_reserved_id(mp_encode *e, bool *given) {
    mp_id id;
    mp_err err = mp_id_read(e->L, -1, &id, &e->fault);
    mp_encode_note(e, err);
    *given = err == MP_OK && id.text && id.len > 0;
    if (err == MP_OK && id.text)
        mp_encode_text(e, id.text, id.len);
}

void mp_reserved_insert_id(mp_encode *e, char out[MP_INSERT_ID_MAX],
                           size_t *len) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
    char shown[MP_SHOWN];
    mp_id id;
    *len = 0;
    mp_err err = mp_id_read(e->L, -1, &id, &e->fault);
    mp_encode_note(e, err);
    if (err != MP_OK || !id.text)
        return;
    size_t n = strspn(id.text, allowed);
    if (n == 0 || n < id.len || n > MP_INSERT_ID_MAX) {
        mp_encode_refuse(e,
                         "%s is no insert id: expected 1 to %d letters, "
                         "digits and hyphens",
                         mp_fault_quote(id.text, id.len, shown),
                         MP_INSERT_ID_MAX);
        return;
    }
    memcpy(out, id.text, n);
    *len = n;
}
