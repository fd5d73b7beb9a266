/* What model servers of specs say. */
#ifndef MP_LANE_WORDS_H
#define MP_LANE_WORDS_H

#include "core/wire/retry.h"

typedef struct word {
    mp_result result;
    int status;
    const char *text;
    int64_t retry_after_ms;
} word;

static const word reply_ok = {MP_RESULT_DELIVERED, 200, "", 0};
static const word reply_no = {MP_RESULT_REFUSED, 200, "refused", 0};
static const word reply_bad = {MP_RESULT_BAD, 400, "bad request", 0};
static const word reply_large = {MP_RESULT_TOO_LARGE, 413, "too large", 0};
static const word reply_partly = {MP_RESULT_PARTLY, 400, "some failed", 0};
static const word reply_gone = {MP_RESULT_REJECTED, 410, "gone", 0};
static const word reply_405 = {MP_RESULT_FOREIGN, 405, "HTTP 405: <", 0};
static const word reply_what = {MP_RESULT_UNREADABLE, 200, "HTTP 200: <", 0};
static const word reply_401 = {MP_RESULT_UNAUTHORIZED, 401, "who?", 0};
static const word reply_403 = {MP_RESULT_FORBIDDEN, 403, "forbidden", 0};
static const word reply_404 = {MP_RESULT_FORBIDDEN, 404, "not found", 0};
static const word reply_429 = {MP_RESULT_BUSY, 429, "too many", 0};
static const word reply_503 = {MP_RESULT_SERVER_ERROR, 503, "HTTP 503", 0};
static const word reply_lost = {MP_RESULT_LOST, 0, "timeout", 0};
static const word reply_cut = {MP_RESULT_NOTHING, 0, "cut", 0};
static const word reply_nothing = {MP_RESULT_NOTHING, 0, "refused", 0};

static inline word checking(word reply, int64_t retry_after_ms) {
    reply.retry_after_ms = retry_after_ms;
    return reply;
}

#endif
