#define _GNU_SOURCE
#include "core/os/address.h"

#include <arpa/inet.h>
#include <string.h>

static bool is_address(int family, const char *text, size_t len, void *out) {
    char address[INET6_ADDRSTRLEN];
    if (len >= sizeof address)
        return false;
    memcpy(address, text, len);
    address[len] = '\0';
    return inet_pton(family, address, out) == 1;
}

bool mp_address_is_v4(const char *text, size_t len, unsigned *first) {
    unsigned char bytes[4];
    bool is = is_address(AF_INET, text, len, bytes);
    *first = is ? bytes[0] : 0;
    return is;
}

bool mp_address_is_v6(const char *text, size_t len) {
    unsigned char bytes[16];
    return is_address(AF_INET6, text, len, bytes);
}
