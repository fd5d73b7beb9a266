#include "core/record/reserved.h"

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
