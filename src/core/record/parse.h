/* JSON text as a tree: jansson, made safe for when memory runs out. */
#ifndef MP_PARSE_H
#define MP_PARSE_H

#include "core/base/err.h"

#include <jansson.h>
#include <stdint.h>

/* Once per process, before any other call: `seed` is for jansson's tables. */
void mp_parse_set_up(uint64_t seed);

/* What json_loadb does, to be freed with json_decref. NULL also when memory
 * runs out. Thread: any. */
json_t *mp_parse(const char *text, size_t len, size_t flags, json_error_t *why);

/* The same, also where the key of an object holds a zero byte, of which
 * jansson takes none: then all zero bytes of the text read as another byte. */
json_t *mp_parse_any_key(const char *text, size_t len, size_t flags,
                         json_error_t *why);

/* Why there is no tree: MP_MEMORY, or MP_INVALID for what is no JSON. */
mp_err mp_parse_failure(const json_error_t *why);

#endif
