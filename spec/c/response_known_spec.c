#include "core/os/random.h"
#include "core/os/rng.h"
#include "response_helper.h"

/* What Mixpanel, proxies before it and its documentation were seen to say.
 * Every reply is read as one to 2000 records that may be named. */
static const struct {
    int status;
    mp_result result;
    const char *body;
} known[] = {
    {200, MP_RESULT_DELIVERED, "1"},
    {200, MP_RESULT_REFUSED, "0"},
    {200, MP_RESULT_DELIVERED, "{\"error\":null,\"status\":1}"},
    {200, MP_RESULT_DELIVERED, "{\"error\":\"\",\"status\":1}"},
    {200, MP_RESULT_REFUSED,
     "{\"error\":\"data, missing or empty\",\"status\":0}"},
    {200, MP_RESULT_REFUSED, "{\"error\":\"event, missing\",\"status\":0}"},
    {200, MP_RESULT_REFUSED,
     "{\"error\":\"token, missing or empty\",\"status\":0}"},
    {200, MP_RESULT_REFUSED,
     "{\"error\":\"$token, missing or empty\",\"status\":0}"},
    {200, MP_RESULT_REFUSED,
     "{\"error\":\"$distinct_id, missing or empty\",\"status\":0}"},
    {200, MP_RESULT_DELIVERED,
     "{\"code\":200,\"num_records_imported\":2000,\"status\":\"OK\"}"},
    {200, MP_RESULT_DELIVERED,
     "{\"code\":200,\"error\":null,\"num_records_imported\":1,\"status\":1}"},
    {200, MP_RESULT_REFUSED,
     "{\"code\":200,\"error\":\"some data points in the request failed "
     "validation\",\"num_records_imported\":0,\"status\":0}"},
    {400, MP_RESULT_PARTLY,
     "{\"code\":400,\"error\":\"some data points in the request failed "
     "validation\",\"failed_records\":[{\"index\":0,\"insert_id\":\"13c0b661-"
     "f48b-51cd-ba54-97c5999169c0\",\"field\":\"properties.time\",\"message\":"
     "\"'properties.time' is invalid: must be specified as seconds since "
     "epoch\"}],\"num_records_imported\":999,\"status\":\"Bad Request\"}"},
    {400, MP_RESULT_PARTLY,
     "{\"code\":400,\"error\":\"some data points in the request failed "
     "validation\",\"failed_records\":[{\"index\":0,\"$insert_id\":\"8a66058c-"
     "a56d-4ef6-8123-28b7c9f7e82f\",\"field\":\"properties.time\",\"message\":"
     "\"properties.time' is invalid: must be specified as seconds since "
     "epoch\"},{\"index\":3,\"$insert_id\":\"29fc2962-6d9c-455d-95ad-"
     "95b84f09b9e4\",\"field\":\"properties.utm_source\",\"message\":"
     "\"properties.utm_source is invalid: string should be valid "
     "utf8\"}],\"num_records_imported\":23,\"status\":\"Bad Request\"}"},
    {400, MP_RESULT_PARTLY,
     "{\"code\":400,\"error\":\"some data points in the request failed "
     "validation\",\"failed_records\":[{\"index\":0,\"insert_id\":\"ajs-next-"
     "d4506e5ffc42f66153f31e222b5c98ce:8nDHprEv8m4QQ3shWDV2dH-1\",\"field\":\"$"
     "insert_id\",\"message\":\"'$insert_id' is invalid: must only contain "
     "alphanumeric or hyphen '-' characters\"}]}"},
    {400, MP_RESULT_PARTLY,
     "{\"code\":400,\"error\":\"some data points in the request failed "
     "validation\",\"failed_records\":[{\"index\":1,\"insert_id\":\"...\","
     "\"field\":\"properties.time\",\"message\":\"'properties.time' is "
     "invalid: must not be in the "
     "future\"}],\"num_records_imported\":1,\"status\":\"Bad Request\"}"},
    {400, MP_RESULT_PARTLY,
     "{\"code\":400,\"failed_records\":[{\"field\":\"properties.time\","
     "\"message\":\"'properties.time' is invalid: must not be "
     "missing\",\"index\":1}]}"},
    {400, MP_RESULT_PARTLY,
     "{\"code\":400,\"failed_records\":[{\"message\":\"'properties.distinct_id'"
     " is invalid: must not be missing\",\"index\":1}]}"},
    {400, MP_RESULT_PARTLY,
     "{\"code\":400,\"failed_records\":[{\"index\":1,\"field\":\"event\","
     "\"insert_id\":\"some-insert-id\",\"message\":\"'event' must not be "
     "missing or blank\"}]}"},
    {400, MP_RESULT_BAD,
     "{\"code\":400,\"failed_records\":[\"identity events are not allowed when "
     "project is using simplified identity "
     "management\"],\"num_records_imported\":0}"},
    {401, MP_RESULT_UNAUTHORIZED,
     "{\"code\":401,\"error\":\"Invalid "
     "credentials\",\"status\":\"Unauthorized\"}"},
    {401, MP_RESULT_UNAUTHORIZED,
     "{\"code\":401,\"error\":\"Not a valid service account username\"}"},
    {401, MP_RESULT_UNAUTHORIZED,
     "{\"code\":401,\"error\":\"Unauthorized, invalid project secret. See docs "
     "for more information: "
     "https://developer.mixpanel.com/reference/"
     "authentication#project-secret\"}"},
    {401, MP_RESULT_UNAUTHORIZED,
     "{\"code\":401,\"error\":\"Credentials in request did not match "
     "project_id URL parameter\"}"},
    {401, MP_RESULT_UNAUTHORIZED,
     "{\"code\":401,\"error\":\"not a project member\"}"},
    {407, MP_RESULT_UNAUTHORIZED, "<html>Proxy Authentication Required</html>"},
    {413, MP_RESULT_TOO_LARGE,
     "{\"code\":413,\"error\":\"request exceeds max limit of 2097152 "
     "bytes\",\"status\":\"Request Entity Too Large\"}"},
    {413, MP_RESULT_TOO_LARGE,
     "<!DOCTYPE html>\n<html lang=en>\n  <meta charset=utf-8>\n  <title>Error "
     "413 (Request Entity Too Large)!!1</title>..."},
    {414, MP_RESULT_FOREIGN,
     "<html>\r\n<head><title>414 Request-URI Too "
     "Large</title></head>...nginx..."},
    {503, MP_RESULT_SERVER_ERROR,
     "upstream connect error or disconnect/reset before headers"},
    {429, MP_RESULT_BUSY,
     "{\"code\":429,\"error\":\"Project exceeded rate limits. Please retry the "
     "request with exponential backoff.\",\"status\":\"Too Many Requests\"}"},
    {403, MP_RESULT_FORBIDDEN, "{\"error\":\"...\",\"status\":\"error\"}"},
    {200, MP_RESULT_DELIVERED, "{\"code\":200,\"status\":\"OK\"}"},
    {400, MP_RESULT_PARTLY,
     "{\"code\":400,\"error\":\"Some data points in the request failed "
     "validation.\",\"status\":\"Bad "
     "Request\",\"failed_records\":[{\"index\":2,\"message\":\"primary key is "
     "required and cannot be blank\"},{\"index\":3,\"message\":\"invalid row: "
     "wrong number of fields\"}]}"},
    {404, MP_RESULT_FORBIDDEN,
     "{\"code\":200,\"error\":\"Lookup table with id "
     "'f077cb07-008a-4955-8a4a-b4c163db3a87' was not found.\",\"status\":\"Not "
     "Found\"}"},
    {200, MP_RESULT_REFUSED,
     "{\"error\":\"Welcome. Get started with our API by visiting "
     "https://developer.mixpanel.com/\"}"},
    {200, MP_RESULT_REFUSED, "{\"error\":\"token, missing or empty\"}"},
    {200, MP_RESULT_REFUSED, "{\"error\":\"token, no project found\"}"},
    {401, MP_RESULT_UNAUTHORIZED,
     "{\"status\":\"error\",\"error\":\"Invalid service account "
     "credentials\"}"},
};

enum {
    KNOWN = sizeof known / sizeof *known
};

CASE(every_known_reply_is_understood) {
    for (int i = 0; i < KNOWN; i++) {
        mp_response response = read_text(known[i].status, known[i].body, 2000);
        CHECK(response.result == known[i].result);
        if (response.result != known[i].result)
            fprintf(stderr, "%d for: %s\n", response.result, known[i].body);
        mp_response_free(&response);
    }
}

CASE(the_text_is_the_error_of_the_api) {
    static const char mark[] = "\"error\":\"";
    for (int i = 0; i < KNOWN; i++) {
        const char *error = strstr(known[i].body, mark);
        if (!error || error[sizeof mark - 1] == '"')
            continue;
        error += sizeof mark - 1;
        mp_response response = read_text(known[i].status, known[i].body, 2000);
        CHECK(strlen(response.text) == strcspn(error, "\""));
        CHECK(strncmp(response.text, error, strlen(response.text)) == 0);
        mp_response_free(&response);
    }
}

CASE(replies_cut_short_are_never_taken_for_yes) {
    for (int i = 0; i < KNOWN; i++) {
        size_t whole = strlen(known[i].body);
        for (size_t len = 0; len < whole; len++) {
            mp_response response =
                read_bytes(known[i].status, known[i].body, len, 2000, true);
            CHECK(response.result != MP_RESULT_DELIVERED);
            CHECK(response.result != MP_RESULT_PARTLY);
            mp_response_free(&response);
        }
    }
}

CASE(damaged_replies_leave_a_sound_response) {
    mp_rng rng = {mp_random_bits()};
    printf("answer_known_spec seed %llu\n", (unsigned long long)rng.state);
    for (int pass = 0; pass < 20000; pass++) {
        char body[1024];
        int which = (int)(mp_rng_unit(&rng) * KNOWN);
        size_t len = strlen(known[which].body);
        memcpy(body, known[which].body, len);
        for (int i = 0; i < 3; i++) {
            char byte = (char)(mp_rng_unit(&rng) * 256);
            if (byte != '\\')
                body[(size_t)(mp_rng_unit(&rng) * (double)len)] = byte;
        }
        int status = mp_rng_unit(&rng) < 0.5 ? 200 : 400;
        mp_response response = read_bytes(status, body, len, 5, true);
        mp_response_free(&response);
    }
}

int main(void) {
    RUN(every_known_reply_is_understood);
    RUN(the_text_is_the_error_of_the_api);
    RUN(replies_cut_short_are_never_taken_for_yes);
    RUN(damaged_replies_leave_a_sound_response);
    return unit_result();
}
