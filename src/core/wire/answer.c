#include "core/wire/answer.h"

#include "core/record/parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUOTED = 160
}; /* bytes of a body without JSON that a text shows */

/* One line for people, whatever the API sent. */
static void set_text(char *out, size_t size, const char *text, size_t len) {
    size_t n = len < size - 1 ? len : size - 1;
    while (n > 0 && n < len && ((unsigned char)text[n] & 0xC0) == 0x80)
        n--; /* not in the middle of a character */
    memcpy(out, text, n);
    out[n] = '\0';
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)out[i] < ' ' || out[i] == 127)
            out[i] = ' ';
}

/* "HTTP 502: " and the start of the body, on one line of plain ASCII. */
static void quote_body(mp_answer *answer, const mp_reply *reply) {
    size_t at =
        (size_t)snprintf(answer->text, MP_MESSAGE, "HTTP %d: ", reply->status);
    size_t start = at;
    for (size_t i = 0; i < reply->len && at < start + QUOTED; i++) {
        unsigned char c = (unsigned char)reply->body[i];
        bool blank = c <= ' ' || c >= 127;
        if (!blank)
            answer->text[at++] = (char)c;
        else if (at > start && answer->text[at - 1] != ' ')
            answer->text[at++] = ' ';
    }
    while (answer->text[at - 1] == ' ' || answer->text[at - 1] == ':')
        at--;
    answer->text[at] = '\0';
}

static void describe(mp_answer *answer, const mp_reply *reply,
                     const json_t *root) {
    const json_t *error = json_object_get(root, "error");
    if (json_is_string(error) && json_string_length(error) > 0)
        set_text(answer->text, MP_MESSAGE, json_string_value(error),
                 json_string_length(error));
    else
        quote_body(answer, reply);
}

static bool is_zero(const json_t *value) {
    return json_is_false(value) ||
           (json_is_integer(value) && json_integer_value(value) == 0) ||
           (json_is_string(value) &&
            strcmp(json_string_value(value), "error") == 0);
}

static bool is_one(const json_t *value) {
    return json_is_true(value) ||
           (json_is_integer(value) && json_integer_value(value) == 1) ||
           (json_is_string(value) &&
            strcmp(json_string_value(value), "OK") == 0);
}

static void note_missing(mp_answer *answer, const json_t *root,
                         uint32_t expected) {
    const json_t *imported = json_object_get(root, "num_records_imported");
    if (json_is_integer(imported) && json_integer_value(imported) >= 0 &&
        json_integer_value(imported) < expected)
        answer->missing = expected - (uint32_t)json_integer_value(imported);
}

/* "1" and "0" without verbose=1, otherwise an object. A false status, an
 * error text or a 0 says that not all was well, whatever else is there. */
static mp_outcome read_200(mp_answer *answer, const json_t *root,
                           uint32_t count) {
    if (!json_is_object(root)) {
        if (is_zero(root))
            return MP_SAID_REFUSED;
        return is_one(root) ? MP_SAID_DELIVERED : MP_SAID_UNREADABLE;
    }
    const json_t *status = json_object_get(root, "status");
    const json_t *error = json_object_get(root, "error");
    if (is_zero(status) ||
        (json_is_string(error) && json_string_length(error) > 0))
        return MP_SAID_REFUSED;
    const json_t *code = json_object_get(root, "code");
    if (!is_one(status) &&
        !(json_is_integer(code) && json_integer_value(code) == 200))
        return MP_SAID_UNREADABLE;
    note_missing(answer, root, count);
    return MP_SAID_DELIVERED;
}

static int by_index(const void *a, const void *b) {
    uint32_t x = ((const mp_failed *)a)->index;
    uint32_t y = ((const mp_failed *)b)->index;
    return (x > y) - (x < y);
}

static void copy_member(char *out, size_t size, const json_t *item,
                        const char *name) {
    const json_t *value = json_object_get(item, name);
    out[0] = '\0';
    if (json_is_string(value))
        set_text(out, size, json_string_value(value),
                 json_string_length(value));
}

/* Usable only if every element names a record of this request: an array of
 * texts, or an index out of range, says nothing about the others. */
static bool read_failed(mp_answer *answer, const json_t *list, uint32_t count) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const json_t *index = json_object_get(item, "index");
        if (!json_is_integer(index) || json_integer_value(index) < 0 ||
            json_integer_value(index) >= count)
            return false;
        mp_failed *failed = &answer->failed[i];
        failed->index = (uint32_t)json_integer_value(index);
        copy_member(failed->field, sizeof failed->field, item, "field");
        copy_member(failed->message, sizeof failed->message, item, "message");
    }
    size_t n = json_array_size(list), kept = 0;
    qsort(answer->failed, n, sizeof *answer->failed, by_index);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 ||
            answer->failed[kept - 1].index != answer->failed[i].index)
            answer->failed[kept++] = answer->failed[i];
    answer->failed_count = (uint32_t)kept;
    return true;
}

static mp_outcome read_400(mp_answer *answer, const json_t *root,
                           uint32_t count, mp_err *err) {
    const json_t *list = json_object_get(root, "failed_records");
    size_t n = json_array_size(list);
    if (n == 0)
        return MP_SAID_BAD;
    answer->failed = malloc(n * sizeof *answer->failed);
    if (!answer->failed) {
        *err = MP_MEMORY;
        return MP_SAID_BAD;
    }
    if (!read_failed(answer, list, count)) {
        const json_t *first = json_array_get(list, 0);
        if (json_is_string(first))
            set_text(answer->text, MP_MESSAGE, json_string_value(first),
                     json_string_length(first));
        free(answer->failed);
        answer->failed = NULL;
        answer->failed_count = 0;
        return MP_SAID_BAD;
    }
    note_missing(answer, root, count - answer->failed_count);
    return MP_SAID_PARTLY;
}

static mp_outcome read_status(int status) {
    switch (status) {
    case 401:
    case 407: /* of a proxy */
        return MP_SAID_UNAUTHORIZED;
    case 403:
    case 404:
        return MP_SAID_FORBIDDEN;
    case 408:
    case 429:
        return MP_SAID_BUSY;
    case 413:
        return MP_SAID_TOO_LARGE;
    default:
        break;
    }
    if (status >= 500)
        return MP_SAID_SERVER_ERROR;
    if (status >= 400)
        return MP_SAID_REJECTED;
    if (status >= 300)
        return MP_SAID_UNAUTHORIZED; /* a redirect is never followed */
    return MP_SAID_UNREADABLE;
}

mp_err mp_answer_read(mp_answer *answer, const mp_reply *reply, uint32_t count,
                      bool names_records) {
    mp_err err = MP_OK;
    *answer = (mp_answer){.status = reply->status};
    if (reply->status == 0) {
        answer->outcome = reply->sent ? MP_SAID_LOST : MP_SAID_NOTHING;
        set_text(answer->text, MP_MESSAGE, reply->failure,
                 strlen(reply->failure));
        return MP_OK;
    }
    json_t *root = reply->len > 0 ? mp_parse(reply->body, reply->len,
                                             JSON_DECODE_ANY, NULL)
                                  : NULL;
    describe(answer, reply, root);
    if (reply->status == 200)
        answer->outcome = read_200(answer, root, count);
    else if (reply->status == 400 && names_records)
        answer->outcome = read_400(answer, root, count, &err);
    else if (reply->status == 400)
        answer->outcome = MP_SAID_BAD;
    else
        answer->outcome = read_status(reply->status);
    json_decref(root);
    return err;
}

void mp_answer_free(mp_answer *answer) {
    free(answer->failed);
    answer->failed = NULL;
    answer->failed_count = 0;
}
