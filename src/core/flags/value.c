#include "core/flags/value.h"

#include <string.h>

mp_value mp_value_undefined(void) {
    return (mp_value){.kind = MP_VALUE_UNDEFINED};
}

mp_value mp_value_null(void) {
    return (mp_value){.kind = MP_VALUE_NULL};
}

mp_value mp_value_boolean(bool boolean) {
    return (mp_value){.kind = MP_VALUE_BOOLEAN, .boolean = boolean};
}

mp_value mp_value_number(double number) {
    return (mp_value){.kind = MP_VALUE_NUMBER, .as.number = number};
}

mp_value mp_value_integer(int64_t integer) {
    static const int64_t exact = INT64_C(1) << 53;
    if (integer > -exact && integer < exact)
        return mp_value_number((double)integer);
    return (mp_value){.kind = MP_VALUE_INTEGER, .as.integer = integer};
}

mp_value mp_value_text(const char *text, size_t len) {
    return (mp_value){
        .kind = MP_VALUE_TEXT, .len = (uint32_t)len, .as.text = text};
}

int mp_value_order(const char *a, size_t a_len, const char *b, size_t b_len) {
    if (a_len != b_len)
        return a_len < b_len ? -1 : 1;
    return memcmp(a, b, a_len);
}

const mp_value *mp_value_member(const mp_value *object, const char *key,
                                size_t len) {
    const mp_member *members = object->as.members;
    size_t from = 0, to = object->len;
    while (from < to) {
        size_t middle = (from + to) / 2;
        int order = mp_value_order(members[middle].key, members[middle].key_len,
                                   key, len);
        if (order == 0)
            return &members[middle].value;
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}
