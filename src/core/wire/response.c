#include "core/wire/response.h"

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
static void quote_body(mp_response *response, const mp_reply *reply) {
    size_t at = (size_t)snprintf(response->text, MP_MESSAGE,
                                 "HTTP %d: ", reply->status);
    size_t start = at;
    for (size_t i = 0; i < reply->len && at < start + QUOTED; i++) {
        unsigned char c = (unsigned char)reply->body[i];
        bool blank = c <= ' ' || c >= 127;
        if (!blank)
            response->text[at++] = (char)c;
        else if (at > start && response->text[at - 1] != ' ')
            response->text[at++] = ' ';
    }
    while (response->text[at - 1] == ' ' || response->text[at - 1] == ':')
        at--;
    response->text[at] = '\0';
}

static void describe(mp_response *response, const mp_reply *reply,
                     const json_t *root) {
    const json_t *error = json_object_get(root, "error");
    if (json_is_string(error) && json_string_length(error) > 0)
        set_text(response->text, MP_MESSAGE, json_string_value(error),
                 json_string_length(error));
    else
        quote_body(response, reply);
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

/* The members that Mixpanel's replies have (Mixpanel docs, ingestion API, and
 * what was seen): "failed_records", a count, or a status of its kinds, which
 * are 0, 1 and texts; that of HTTP as a number is what frameworks write. */
static bool is_mixpanels(const json_t *root) {
    const json_t *status = json_object_get(root, "status");
    const json_t *code = json_object_get(root, "code");
    if (!json_is_object(root))
        return is_zero(root) || is_one(root);
    return is_zero(status) || is_one(status) ||
           json_object_get(root, "failed_records") ||
           json_object_get(root, "num_records_imported") ||
           (json_object_get(root, "error") &&
            (json_is_integer(code) || json_is_string(status))) ||
           (json_is_integer(code) && json_integer_value(code) == 200);
}

static void note_missing(mp_response *response, const json_t *root,
                         uint32_t expected) {
    const json_t *imported = json_object_get(root, "num_records_imported");
    if (json_is_integer(imported) && json_integer_value(imported) >= 0 &&
        json_integer_value(imported) < expected)
        response->missing = expected - (uint32_t)json_integer_value(imported);
}

/* "1" and "0" without verbose=1, otherwise an object. A false status, an
 * error text or a 0 says that not all was well, whatever else is there. */
static mp_result read_200(mp_response *response, const json_t *root,
                          uint32_t count) {
    if (!json_is_object(root)) {
        if (is_zero(root))
            return MP_RESULT_REFUSED;
        return is_one(root) ? MP_RESULT_DELIVERED : MP_RESULT_UNREADABLE;
    }
    const json_t *status = json_object_get(root, "status");
    const json_t *error = json_object_get(root, "error");
    if (is_zero(status) ||
        (json_is_string(error) && json_string_length(error) > 0))
        return MP_RESULT_REFUSED;
    const json_t *code = json_object_get(root, "code");
    if (!is_one(status) &&
        !(json_is_integer(code) && json_integer_value(code) == 200))
        return MP_RESULT_UNREADABLE;
    note_missing(response, root, count);
    return MP_RESULT_DELIVERED;
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
static bool read_failed(mp_response *response, const json_t *list,
                        uint32_t count) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const json_t *index = json_object_get(item, "index");
        if (!json_is_integer(index) || json_integer_value(index) < 0 ||
            json_integer_value(index) >= count)
            return false;
        mp_failed *failed = &response->failed[i];
        failed->index = (uint32_t)json_integer_value(index);
        copy_member(failed->field, sizeof failed->field, item, "field");
        copy_member(failed->message, sizeof failed->message, item, "message");
    }
    size_t n = json_array_size(list), kept = 0;
    qsort(response->failed, n, sizeof *response->failed, by_index);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 ||
            response->failed[kept - 1].index != response->failed[i].index)
            response->failed[kept++] = response->failed[i];
    response->failed_count = (uint32_t)kept;
    return true;
}

static mp_result read_400(mp_response *response, const json_t *root,
                          uint32_t count, mp_err *err) {
    const json_t *list = json_object_get(root, "failed_records");
    size_t n = json_array_size(list);
    if (n == 0)
        return MP_RESULT_BAD;
    response->failed = malloc(n * sizeof *response->failed);
    if (!response->failed) {
        *err = MP_MEMORY;
        return MP_RESULT_BAD;
    }
    if (!read_failed(response, list, count)) {
        const json_t *first = json_array_get(list, 0);
        if (json_is_string(first))
            set_text(response->text, MP_MESSAGE, json_string_value(first),
                     json_string_length(first));
        free(response->failed);
        response->failed = NULL;
        response->failed_count = 0;
        return MP_RESULT_BAD;
    }
    note_missing(response, root, count - response->failed_count);
    return MP_RESULT_PARTLY;
}

static mp_result read_status(int status, bool foreign) {
    switch (status) {
    case 401:
    case 407: /* of a proxy */
        return MP_RESULT_UNAUTHORIZED;
    case 403:
    case 404:
        return MP_RESULT_FORBIDDEN;
    case 408:
    case 429:
        return MP_RESULT_BUSY;
    case 413:
        return MP_RESULT_TOO_LARGE;
    default:
        break;
    }
    if (status >= 500)
        return MP_RESULT_SERVER_ERROR;
    if (status >= 400)
        return foreign ? MP_RESULT_FOREIGN : MP_RESULT_REJECTED;
    if (status >= 300)
        return MP_RESULT_UNAUTHORIZED; /* a redirect is never followed */
    return MP_RESULT_UNREADABLE;
}

/* Nobody on a bus looks at records, so none is ever refused by itself: what is
 * wrong is wrong with the bus or with who may use it. */
static mp_result read_bus(const mp_reply *reply) {
    switch (reply->status) {
    case 200:
        return MP_RESULT_DELIVERED;
    case 401:
    case 404:
        return MP_RESULT_UNAUTHORIZED;
    case 413:
        return MP_RESULT_TOO_LARGE;
    case 503:
        return MP_RESULT_BUSY;
    default:
        return reply->status > 0 || reply->sent ? MP_RESULT_LOST
                                                : MP_RESULT_NOTHING;
    }
}

mp_err mp_response_read(mp_response *response, const mp_reply *reply,
                        const mp_endpoint *endpoint, uint32_t count) {
    mp_err err = MP_OK;
    *response = (mp_response){.status = reply->status};
    if (reply->by_bus) {
        response->result = read_bus(reply);
        set_text(response->text, MP_MESSAGE, reply->failure,
                 strlen(reply->failure));
        return MP_OK;
    }
    if (reply->status == 0) {
        response->begun = reply->begun;
        response->result = reply->misconfigured ? MP_RESULT_UNAUTHORIZED
                           : reply->sent        ? MP_RESULT_LOST
                                                : MP_RESULT_NOTHING;
        set_text(response->text, MP_MESSAGE, reply->failure,
                 strlen(reply->failure));
        return MP_OK;
    }
    json_t *root = reply->len > 0 ? mp_parse(reply->body, reply->len,
                                             JSON_DECODE_ANY, NULL)
                                  : NULL;
    describe(response, reply, root);
    response->foreign = !is_mixpanels(root);
    if (reply->status == 200)
        response->result = read_200(response, root, count);
    else if (reply->status == 400 && response->foreign)
        response->result = MP_RESULT_FORBIDDEN;
    else if (reply->status == 400 && endpoint->names_records)
        response->result = read_400(response, root, count, &err);
    else if (reply->status == 400)
        response->result = MP_RESULT_BAD;
    else
        response->result = read_status(reply->status, response->foreign);
    json_decref(root);
    return err;
}

void mp_response_free(mp_response *response) {
    free(response->failed);
    response->failed = NULL;
    response->failed_count = 0;
}
