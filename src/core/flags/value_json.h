/* Values from and to JSON. */
#ifndef MP_VALUE_JSON_H
#define MP_VALUE_JSON_H

#include "core/base/buf.h"
#include "core/flags/value.h"
#include "core/record/parse.h"

typedef enum mp_value_case {
    MP_VALUE_AS_IS,
    MP_VALUE_LOWER_TEXT /* texts, not keys */
} mp_value_case;

/* Parses a text as mp_parse_any_key does; numbers that no integer holds are
 * read as JavaScript does. */
json_t *mp_value_parse(const char *text, size_t len, json_error_t *why);

/* Makes a value of a tree, in memory of the arena. MP_INVALID for one of more
 * than `levels` levels, MP_MEMORY. */
mp_err mp_value_from_json(json_t *json, mp_value_case text_case, int levels,
                          mp_arena *arena, mp_value *out);

/* A text of the arena in lower case; NULL when it gives none. */
const char *mp_value_lower(const char *text, size_t len, mp_arena *arena,
                           uint32_t *lower_len);

/* Appends the JSON of a value; what JSON has not is null. Members stand in the
 * order of mp_value_order. MP_MEMORY, MP_INVALID at the limit of `out`. */
mp_err mp_value_write(const mp_value *value, mp_buf *out);

#endif
