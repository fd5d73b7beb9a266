/* Reads a reply and checks what holds of any answer. */
#ifndef MP_RESPONSE_HELPER_H
#define MP_RESPONSE_HELPER_H

#include "core/wire/response.h"
#include "unit.h"

#include <stdlib.h>

static inline mp_reply reply_of(int status, const char *body, size_t len) {
    return (mp_reply){.status = status, .body = body, .len = len};
}

/* A text for people: terminated, one line, nothing a terminal acts on. */
static inline bool is_line(const char *text, size_t size) {
    const char *end = memchr(text, '\0', size);
    for (; end && text < end; text++)
        if ((unsigned char)*text < ' ' || *text == 127)
            return false;
    return end != NULL;
}

/* What holds whatever came in. */
static inline void check_response(const mp_response *response, uint32_t count) {
    CHECK(is_line(response->text, sizeof response->text));
    CHECK((response->result == MP_RESULT_PARTLY) ==
          (response->failed_count > 0));
    CHECK(response->failed_count <= count);
    CHECK(response->missing <= count);
    for (uint32_t i = 0; i < response->failed_count; i++) {
        const mp_failed *failed = &response->failed[i];
        CHECK(failed->index < count);
        CHECK(i == 0 || failed->index > response->failed[i - 1].index);
        CHECK(is_line(failed->field, sizeof failed->field));
        CHECK(is_line(failed->message, sizeof failed->message));
    }
}

/* The caller frees the answer. */
static inline mp_response read_bytes(int status, const char *body, size_t len,
                                     uint32_t count, bool names) {
    /* An exact copy, so that reading past its end is seen. */
    char *copy = malloc(len + 1);
    memcpy(copy, body, len);
    char *exact = realloc(copy, len ? len : 1);
    mp_reply reply = reply_of(status, exact, len);
    mp_response response;
    mp_lane_id lane = names ? MP_LANE_IMPORT : MP_LANE_EVENTS;
    CHECK(mp_response_read(&response, &reply, &mp_endpoints[lane], count) ==
          MP_OK);
    check_response(&response, count);
    CHECK(response.status == status);
    free(exact);
    return response;
}

static inline mp_response read_text(int status, const char *body,
                                    uint32_t count) {
    return read_bytes(status, body, strlen(body), count, true);
}

static inline mp_result result_of(int status, const char *body) {
    mp_response response = read_text(status, body, 10);
    mp_response_free(&response);
    return response.result;
}

#endif
