/* Any bytes as an answer of /flags: read, written as JSON and read again, it is
 * the same. */
#include "fuzz.h"

#include "core/flags/value_json.h"
#include "core/flags/variants.h"

#include <string.h>

static mp_variants *read(const char *text, size_t len) {
    static const mp_variants_times times = {0};
    char message[MP_MESSAGE] = "";
    mp_variants *variants = NULL;
    mp_err err = mp_variants_read(text, len, &times, &variants, message);
    MUST(err == MP_OK || (err == MP_INVALID && message[0]));
    MUST((err == MP_OK) == (variants != NULL));
    return variants;
}

static void write(const mp_variants *variants, mp_buf *out) {
    MUST(mp_buf_puts(out, "{\"flags\":") == MP_OK);
    MUST(mp_value_write(mp_variants_all(variants), out) == MP_OK);
    MUST(mp_buf_puts(out, "}") == MP_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    mp_buf once = {0}, twice = {0};
    mp_parse_set_up(1);
    mp_variants *variants = read((const char *)data, size);
    if (!variants)
        return 0;
    const mp_value *all = mp_variants_all(variants);
    for (uint32_t i = 0; i < all->len; i++) {
        const mp_member *member = &all->as.members[i];
        mp_value key = mp_variants_field(&member->value, "variant_key");
        MUST(key.kind == MP_VALUE_TEXT);
        MUST(mp_variants_find(variants, member->key, member->key_len) ==
             &member->value);
    }
    write(variants, &once);
    mp_variants *again = read(once.data, once.len);
    MUST(again);
    write(again, &twice);
    MUST(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
    mp_variants_drop(variants);
    mp_variants_drop(again);
    mp_buf_free(&once);
    mp_buf_free(&twice);
    return 0;
}
