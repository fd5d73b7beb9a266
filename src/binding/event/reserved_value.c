#include "binding/event/reserved_value.h"

#include <string.h>

void mp_reserved_value_id(mp_encode *e, bool *given) {
    mp_id id;
    mp_err err = mp_id_read(e->L, -1, &id, &e->fault);
    mp_encode_note(e, err);
    bool any = err == MP_OK && id.text;
    *given = any && id.len > 0;
    if (any)
        mp_encode_text(e, id.text, id.len);
}

void mp_reserved_value_insert_id(mp_encode *e, char out[MP_INSERT_ID_MAX],
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
