#include "core/base/sha256.h"
#include "unit.h"

#include <stdlib.h>

static void check(const char *text, size_t len, const char *expected) {
    uint8_t digest[MP_SHA256];
    char hex[2 * MP_SHA256 + 1];
    mp_sha256(text, len, digest);
    for (int i = 0; i < MP_SHA256; i++)
        snprintf(hex + 2 * (size_t)i, 3, "%02x", digest[i]);
    CHECK_TEXT(hex, strlen(hex), expected);
}

/* The examples that NIST publishes for FIPS 180-4. */
CASE(examples_of_the_standard) {
    check("", 0,
          "e3b0c44298fc1c149afbf4c8996fb924"
          "27ae41e4649b934ca495991b7852b855");
    check("abc", 3,
          "ba7816bf8f01cfea414140de5dae2223"
          "b00361a396177a9cb410ff61f20015ad");
    check("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
          "248d6a61d20638b8e5c026930c3e6039"
          "a33ce45964ff2167f6ecedd419db06c1");
    check("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
          "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
          112,
          "cf5b16a778af8380036ce59e7b049237"
          "0b249b11e8f07a51afac45037afee9d1");
}

CASE(a_million_letters) {
    char *text = malloc(1000000);
    memset(text, 'a', 1000000);
    check(text, 1000000,
          "cdc76e5c9914fb9281a1c7e284d73e67"
          "f1809a48a497200e046d39ccc7112cd0");
    free(text);
}

/* Where the padding begins a block of its own: what coreutils' sha256sum says.
 */
CASE(lengths_around_a_block) {
    char text[64];
    memset(text, 'a', sizeof text);
    check(text, 55,
          "9f4390f8d30c2dd92ec9f095b65e2b9a"
          "e9b0a925a5258e241c9f1e910f734318");
    check(text, 63,
          "7d3e74a05d7db15bce4ad9ec0658ea98"
          "e3f06eeecf16b4c6fff2da457ddc2f34");
    check(text, 64,
          "ffe054fe7ae0cb6dc65c3af9b61d5209"
          "f439851db43d0ba5997337df154668eb");
}

int main(void) {
    RUN(examples_of_the_standard);
    RUN(a_million_letters);
    RUN(lengths_around_a_block);
    return unit_result();
}
