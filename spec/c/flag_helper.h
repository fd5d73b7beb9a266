/* Contexts as JSON, for specs of flags. */
#ifndef MP_FLAG_HELPER_H
#define MP_FLAG_HELPER_H

#include "core/flags/coerce.h"
#include "core/flags/context.h"
#include "core/flags/decide.h"
#include "core/flags/flag_set.h"
#include "core/flags/value_json.h"

#include <math.h>

static inline void helper_tell(mp_context *context, json_t *json);

static inline void helper_tell_object(mp_context *context, json_t *json) {
    const char *key;
    json_t *value;
    mp_context_open(context);
    json_object_foreach(json, key, value) {
        if (mp_context_key(context, key, strlen(key), NULL))
            helper_tell(context, value);
    }
    mp_context_close_object(context);
}

static inline void helper_tell_array(mp_context *context, json_t *json) {
    size_t i;
    json_t *value;
    mp_context_open(context);
    json_array_foreach(json, i, value) {
        helper_tell(context, value);
    }
    mp_context_close_array(context);
}

static inline void helper_tell(mp_context *context, json_t *json) {
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        helper_tell_object(context, json);
        break;
    case JSON_ARRAY:
        helper_tell_array(context, json);
        break;
    case JSON_STRING:
        mp_context_text(context, json_string_value(json),
                        json_string_length(json));
        break;
    case JSON_INTEGER:
        mp_context_integer(context, json_integer_value(json));
        break;
    case JSON_REAL:
        mp_context_number(context, json_real_value(json));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        mp_context_boolean(context, json_is_true(json));
        break;
    case JSON_NULL:
        mp_context_null(context);
        break;
    }
}

/* The text of an attribute; undefined: there is none. */
static inline mp_value helper_attribute(mp_context *context, const json_t *json,
                                        const char *name) {
    mp_value value, text = mp_value_undefined();
    json_t *member = json_object_get(json, name);
    if (member)
        mp_value_from_json(member, MP_VALUE_AS_IS, 0, &context->arena, &value);
    if (member)
        mp_coerce_text(&value, &context->arena, &text);
    return text;
}

static inline mp_flag_decision
helper_decide(const mp_flag *flag, mp_context *context, json_t *json) {
    json_t *properties = json_object_get(json, "custom_properties");
    mp_context_begin(context);
    if (properties)
        helper_tell(context, properties);
    mp_subject subject = {
        .attribute = helper_attribute(context, json, flag->attribute.as.text),
        .distinct_id = helper_attribute(context, json, "distinct_id"),
        .properties = mp_context_value(context),
    };
    return mp_decide(flag, &subject, &context->arena);
}

#endif
