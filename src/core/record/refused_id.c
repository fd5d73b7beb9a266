#include "core/record/refused_id.h"

#include <string.h>

bool mp_refused_id(const char *text, size_t len) {
#define IS(refused) (memcmp(text, (refused), sizeof(refused) - 1) == 0)
    switch (len) {
    case 1:
        return IS("0");
    case 2:
        return IS("na") || IS("-1") || IS("[]") || IS("{}");
    case 3:
        return IS("nil") || IS("n/a");
    case 4:
        return IS("anon") || IS("none") || IS("null") || IS("true");
    case 5:
        return IS("<nil>") || IS("false");
    case 7:
        return IS("unknown");
    case 9:
        return IS("anonymous") || IS("undefined");
    case 36:
        return IS("00000000-0000-0000-0000-000000000000");
    default:
        return false;
    }
#undef IS
}
