#include "core/transport/bus_head.h"

#include "core/base/sha256.h"
#include "core/base/version.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    SHOWN_BYTES = 8 /* of the hash of a token, in a subject */
};

void mp_bus_project_subject(char out[MP_BUS_PROJECT], const char *token) {
    uint8_t digest[MP_SHA256];
    size_t at = (size_t)snprintf(out, MP_BUS_PROJECT, "mp.");
    mp_sha256(token, strlen(token), digest);
    for (size_t i = 0; i < SHOWN_BYTES; i++, at += 2)
        snprintf(out + at, 3, "%02x", digest[i]);
}

static void make_subject(char out[MP_BUS_SUBJECT], const mp_request *request) {
    char project[MP_BUS_PROJECT];
    mp_bus_project_subject(project, request->config->token);
    snprintf(out, MP_BUS_SUBJECT, "%s.%s", project, request->endpoint->name);
}

void mp_bus_head_make(mp_bus_head *head, const mp_request *request) {
    make_subject(head->subject, request);
    head->headers_count = request->probe ? 0 : MP_BUS_HEADERS;
    snprintf(head->count, sizeof head->count, "%" PRIu32, request->records);
    head->headers[0] = (mp_bus_header){"Nats-Msg-Id", request->message_id};
    head->headers[1] = (mp_bus_header){"Mp-Format", "1"};
    head->headers[2] = (mp_bus_header){"Mp-Count", head->count};
    head->headers[3] = (mp_bus_header){"Mp-Lib", "lua/" MP_VERSION};
}
