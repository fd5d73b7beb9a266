/* Reads a reply and checks what holds of any answer. */
#ifndef MP_ANSWER_HELPER_H
#define MP_ANSWER_HELPER_H

#include "core/wire/answer.h"
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
static inline void check_answer(const mp_answer *answer, uint32_t count) {
    CHECK(is_line(answer->text, sizeof answer->text));
    CHECK((answer->outcome == MP_SAID_PARTLY) == (answer->failed_count > 0));
    CHECK(answer->failed_count <= count);
    CHECK(answer->missing <= count);
    for (uint32_t i = 0; i < answer->failed_count; i++) {
        const mp_failed *failed = &answer->failed[i];
        CHECK(failed->index < count);
        CHECK(i == 0 || failed->index > answer->failed[i - 1].index);
        CHECK(is_line(failed->field, sizeof failed->field));
        CHECK(is_line(failed->message, sizeof failed->message));
    }
}

/* The caller frees the answer. */
static inline mp_answer read_bytes(int status, const char *body, size_t len,
                                   uint32_t count, bool names) {
    /* An exact copy, so that reading past its end is seen. */
    char *copy = malloc(len + 1);
    memcpy(copy, body, len);
    char *exact = realloc(copy, len ? len : 1);
    mp_reply reply = reply_of(status, exact, len);
    mp_answer answer;
    CHECK(mp_answer_read(&answer, &reply, count, names) == MP_OK);
    check_answer(&answer, count);
    CHECK(answer.status == status);
    free(exact);
    return answer;
}

static inline mp_answer read_text(int status, const char *body,
                                  uint32_t count) {
    return read_bytes(status, body, strlen(body), count, true);
}

static inline mp_outcome outcome(int status, const char *body) {
    mp_answer answer = read_text(status, body, 10);
    mp_answer_free(&answer);
    return answer.outcome;
}

#endif
