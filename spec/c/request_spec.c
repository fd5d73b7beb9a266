#include "core/wire/http_head.h"
#include "core/wire/request.h"
#include "unit.h"

#include <libdeflate.h>
#include <stdlib.h>

enum {
    RECORDS = 300
};

static mp_segment *segment_of(uint32_t n) {
    static const char json[] = "{\"event\":\"Signup\",\"properties\":{}}";
    mp_segment *segment = mp_segment_new();
    mp_record record = {.head = json, .head_len = sizeof json - 1};
    for (uint32_t i = 0; i < n; i++)
        mp_segment_add(segment, &record, i + 1);
    return segment;
}

/* What one request is made of; `request` and its HTTP form are what came
 * out. */
typedef struct scene {
    mp_config config;
    mp_settings *settings;
    mp_gzip *gzip;
    mp_batch *batch;
    mp_request request;
    mp_http_head head;
} scene;

static scene open_scene(void) {
    char message[MP_MESSAGE];
    scene s = {.settings = mp_settings_new(MP_IN_MEMORY),
               .gzip = mp_gzip_borrow(1),
               .batch = mp_batch_new(segment_of(RECORDS))};
    CHECK(mp_config_token(&s.config, "abc", 3, message) == MP_OK);
    CHECK(mp_config_finish(&s.config, message) == MP_OK);
    return s;
}

static void close_scene(scene *s) {
    mp_http_head_free(&s->head);
    mp_request_free(&s->request);
    mp_segment_free(mp_batch_free(s->batch));
    mp_gzip_give_back(s->gzip);
    mp_settings_release(s->settings);
    mp_config_free(&s->config);
}

static void set_account(scene *s, const char *username, const char *secret) {
    char message[MP_MESSAGE];
    CHECK(mp_config_account(&s->config, username, secret, "4711", message) ==
          MP_OK);
}

static void make_head(scene *s) {
    mp_http_head_free(&s->head);
    s->head = (mp_http_head){0};
    CHECK(mp_http_head_make(&s->head, &s->request) == MP_OK);
}

static void make(scene *s, mp_lane_id lane) {
    mp_request_free(&s->request);
    s->request = (mp_request){0};
    s->batch->endpoint = &mp_endpoints[lane];
    CHECK(mp_request_make(&s->request, s->batch, &s->config, s->settings,
                          s->gzip) == MP_OK);
    make_head(s);
}

static const char *url(scene *s, mp_lane_id lane) {
    make(s, lane);
    CHECK(s->head.url.data && s->head.url.data[s->head.url.len - 1] == '\0');
    return s->head.url.data;
}

/* The header of this name with its value; NULL: there is none. */
static const char *header(const scene *s, const char *name) {
    const char *found = NULL;
    for (int i = 0; i < MP_HEADERS && s->head.headers[i].len > 0; i++) {
        const mp_buf *line = &s->head.headers[i];
        CHECK(line->data[line->len - 1] == '\0');
        CHECK(strlen(line->data) == line->len - 1);
        if (strncmp(line->data, name, strlen(name)) != 0)
            continue;
        CHECK(!found);
        found = line->data;
    }
    return found;
}

static int headers(const scene *s) {
    int n = 0;
    while (n < MP_HEADERS && s->head.headers[n].len > 0)
        n++;
    return n;
}

static bool has_body(const scene *s, const char *bytes, size_t len) {
    mp_buf plain = {0};
    CHECK(mp_batch_body(s->batch, &plain) == MP_OK);
    CHECK(s->request.raw_bytes == plain.len);
    bool same = plain.len == len && memcmp(plain.data, bytes, len) == 0;
    mp_buf_free(&plain);
    return same;
}

static bool goes_plain(const scene *s) {
    return !header(s, "Content-Encoding") &&
           has_body(s, s->request.body.data, s->request.body.len);
}

static bool goes_gzipped(const scene *s) {
    enum {
        ROOM = 1024 * 1024
    };
    struct libdeflate_decompressor *reader = libdeflate_alloc_decompressor();
    char *out = malloc(ROOM);
    size_t len = 0;
    bool sound = libdeflate_gzip_decompress(reader, s->request.body.data,
                                            s->request.body.len, out, ROOM,
                                            &len) == LIBDEFLATE_SUCCESS &&
                 has_body(s, out, len) && s->request.body.len < len;
    const char *encoding = header(s, "Content-Encoding");
    free(out);
    libdeflate_free_decompressor(reader);
    return sound && encoding && strcmp(encoding, "Content-Encoding: gzip") == 0;
}

#define CHECK_STRING(got, expected)                                            \
    do {                                                                       \
        const char *string = (got);                                            \
        CHECK(string != NULL);                                                 \
        if (string)                                                            \
            CHECK_TEXT(string, strlen(string), expected);                      \
    } while (0)

CASE(each_lane_has_its_url) {
    scene s = open_scene();
    CHECK_STRING(url(&s, MP_LANE_EVENTS),
                 "https://api.mixpanel.com/track?verbose=1&ip=0");
    CHECK_STRING(url(&s, MP_LANE_IMPORT),
                 "https://api.mixpanel.com/import?strict=1&verbose=1");
    CHECK_STRING(url(&s, MP_LANE_PEOPLE),
                 "https://api.mixpanel.com/engage?verbose=1&ip=0");
    CHECK_STRING(url(&s, MP_LANE_GROUPS),
                 "https://api.mixpanel.com/groups?verbose=1&ip=0");
    close_scene(&s);
}

CASE(geolocate_asks_for_the_address) {
    scene s = open_scene();
    s.settings->geolocate = true;
    CHECK_STRING(url(&s, MP_LANE_EVENTS),
                 "https://api.mixpanel.com/track?verbose=1&ip=1");
    CHECK_STRING(url(&s, MP_LANE_IMPORT),
                 "https://api.mixpanel.com/import?strict=1&verbose=1");
    CHECK_STRING(url(&s, MP_LANE_PEOPLE),
                 "https://api.mixpanel.com/engage?verbose=1&ip=1");
    CHECK_STRING(url(&s, MP_LANE_GROUPS),
                 "https://api.mixpanel.com/groups?verbose=1&ip=1");
    close_scene(&s);
}

CASE(a_host_with_a_path_keeps_it) {
    scene s = open_scene();
    char message[MP_MESSAGE];
    CHECK(mp_config_host(&s.config, "https://proxy.example:8443/mp//", false,
                         message) == MP_OK);
    CHECK_STRING(url(&s, MP_LANE_EVENTS),
                 "https://proxy.example:8443/mp/track?verbose=1&ip=0");
    close_scene(&s);
}

CASE(a_service_account_names_its_project) {
    scene s = open_scene();
    set_account(&s, "user", "secret");
    CHECK_STRING(url(&s, MP_LANE_IMPORT),
                 "https://api.mixpanel.com/import?strict=1&verbose=1"
                 "&project_id=4711");
    CHECK_STRING(url(&s, MP_LANE_EVENTS),
                 "https://api.mixpanel.com/track?verbose=1&ip=0");
    CHECK_STRING(url(&s, MP_LANE_PEOPLE),
                 "https://api.mixpanel.com/engage?verbose=1&ip=0");
    CHECK_STRING(url(&s, MP_LANE_COLLECTED),
                 "https://api.mixpanel.com/track?verbose=1&ip=0");
    close_scene(&s);
}

static void make_fetch(scene *s, const mp_fetch *fetch) {
    mp_request_free(&s->request);
    s->request = (mp_request){0};
    mp_request_fetch(&s->request, fetch, &s->config, s->settings);
    make_head(s);
}

CASE(a_fetch_is_a_get) {
    scene s = open_scene();
    mp_fetch fetch = {.path = "/flags/definitions"};
    make_fetch(&s, &fetch);
    CHECK_STRING(s.head.method, "GET");
    CHECK_STRING(s.head.url.data, "https://api.mixpanel.com/flags/definitions"
                                  "?token=abc&mp_lib=lua&lib_version=0.1.0");
    CHECK_STRING(header(&s, "Authorization"), "Authorization: Basic YWJjOg==");
    CHECK(!header(&s, "If-None-Match"));
    set_account(&s, "user", "secret");
    fetch.etag = "\"7\"";
    make_fetch(&s, &fetch);
    CHECK_STRING(s.head.url.data,
                 "https://api.mixpanel.com/flags/definitions?token=abc"
                 "&mp_lib=lua&lib_version=0.1.0&project_id=4711");
    CHECK_STRING(header(&s, "If-None-Match"), "If-None-Match: \"7\"");
    CHECK(headers(&s) == MP_HEADERS);
    close_scene(&s);
}

CASE(bodies_are_json) {
    scene s = open_scene();
    for (int lane = 0; lane < MP_LANES; lane++) {
        make(&s, (mp_lane_id)lane);
        CHECK_STRING(header(&s, "Content-Type"),
                     "Content-Type: application/json");
        CHECK_STRING(header(&s, "User-Agent"),
                     "User-Agent: mixpanel-lua/0.1.0");
    }
    close_scene(&s);
}

CASE(only_import_carries_credentials) {
    scene s = open_scene();
    for (int account = 0; account < 2; account++) {
        for (int lane = 0; lane < MP_LANES; lane++) {
            make(&s, (mp_lane_id)lane);
            bool import = lane == MP_LANE_IMPORT;
            CHECK((header(&s, "Authorization") != NULL) == import);
            CHECK(headers(&s) == 2 + import + mp_endpoints[lane].gzip);
        }
        set_account(&s, "user", "secret");
    }
    close_scene(&s);
}

CASE(a_token_is_a_user_without_password) {
    static const char *const rows[][2] = {
        {"a", "YTo="}, {"ab", "YWI6"}, {"abc", "YWJjOg=="}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        scene s = open_scene();
        char message[MP_MESSAGE], expected[64];
        CHECK(mp_config_token(&s.config, rows[i][0], strlen(rows[i][0]),
                              message) == MP_OK);
        snprintf(expected, sizeof expected, "Authorization: Basic %s",
                 rows[i][1]);
        make(&s, MP_LANE_IMPORT);
        CHECK_STRING(header(&s, "Authorization"), expected);
        close_scene(&s);
    }
}

CASE(a_service_account_is_a_user_with_password) {
    static const char *const rows[][3] = {
        {"Aladdin", "open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
        {"u", "s", "dTpz"},
        {"us", "s", "dXM6cw=="},
        {"us", "s:", "dXM6czo="},
        {"\xc3\xbb\xef\xbf\xbe", ">>>???", "w7vvv746Pj4+Pz8/"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        scene s = open_scene();
        char expected[64];
        set_account(&s, rows[i][0], rows[i][1]);
        snprintf(expected, sizeof expected, "Authorization: Basic %s",
                 rows[i][2]);
        make(&s, MP_LANE_IMPORT);
        CHECK_STRING(header(&s, "Authorization"), expected);
        close_scene(&s);
    }
}

CASE(credentials_stay_out_of_the_url) {
    scene s = open_scene();
    set_account(&s, "user", "hunter2");
    CHECK(!strstr(url(&s, MP_LANE_IMPORT), "hunter2"));
    CHECK(!strstr(url(&s, MP_LANE_IMPORT), "abc"));
    close_scene(&s);
}

CASE(only_events_and_imports_are_gzipped) {
    scene s = open_scene();
    make(&s, MP_LANE_EVENTS);
    CHECK(goes_gzipped(&s));
    make(&s, MP_LANE_IMPORT);
    CHECK(goes_gzipped(&s));
    make(&s, MP_LANE_PEOPLE);
    CHECK(goes_plain(&s));
    make(&s, MP_LANE_GROUPS);
    CHECK(goes_plain(&s));
    close_scene(&s);
}

CASE(without_a_compressor_all_go_plain) {
    scene s = open_scene();
    mp_gzip_give_back(s.gzip);
    s.gzip = NULL;
    for (int lane = 0; lane < MP_LANES; lane++) {
        make(&s, (mp_lane_id)lane);
        CHECK(goes_plain(&s));
    }
    close_scene(&s);
}

CASE(every_level_gives_the_same_body) {
    scene s = open_scene();
    for (int level = MP_GZIP_MIN; level <= MP_GZIP_MAX; level++) {
        mp_gzip_give_back(s.gzip);
        s.gzip = mp_gzip_borrow(level);
        make(&s, MP_LANE_EVENTS);
        CHECK(goes_gzipped(&s));
    }
    close_scene(&s);
}

CASE(a_part_of_a_segment_is_sent_alone) {
    scene s = open_scene();
    bool keep[RECORDS] = {[3] = true, [100] = true};
    mp_batch *part = mp_batch_split(s.batch, keep, 2), *rest = s.batch;
    s.batch = part;
    make(&s, MP_LANE_PEOPLE);
    CHECK_TEXT(s.request.body.data, s.request.body.len,
               "[{\"event\":\"Signup\",\"properties\":{}},\n"
               "{\"event\":\"Signup\",\"properties\":{}}]");
    CHECK(mp_batch_free(rest) == NULL);
    close_scene(&s);
}

/* As it was read from a file, with another level. */
static void give_compressed(scene *s) {
    mp_buf json = {0};
    mp_gzip *other = mp_gzip_borrow(MP_GZIP_MAX);
    CHECK(mp_batch_body(s->batch, &json) == MP_OK);
    CHECK(mp_gzip_add(other, &s->batch->segment->gzip, json.data, json.len) ==
          MP_OK);
    mp_gzip_give_back(other);
    mp_buf_free(&json);
}

static bool is_compressed(const scene *s) {
    const mp_buf *kept = &s->batch->segment->gzip;
    return s->request.body.len == kept->len &&
           memcmp(s->request.body.data, kept->data, kept->len) == 0;
}

CASE(what_is_compressed_already_is_sent_as_it_is) {
    scene s = open_scene();
    make(&s, MP_LANE_EVENTS);
    CHECK(goes_gzipped(&s));
    give_compressed(&s);
    CHECK(!is_compressed(&s));
    make(&s, MP_LANE_EVENTS);
    CHECK(goes_gzipped(&s) && is_compressed(&s));
    make(&s, MP_LANE_EVENTS); /* once more */
    CHECK(is_compressed(&s));
    make(&s, MP_LANE_PEOPLE);
    CHECK(goes_plain(&s));
    s.batch->plain = true;
    make(&s, MP_LANE_EVENTS);
    CHECK(goes_plain(&s));
    close_scene(&s);
}

CASE(a_part_of_what_is_compressed_is_not) {
    scene s = open_scene();
    give_compressed(&s);
    bool keep[RECORDS] = {[RECORDS - 1] = true};
    mp_batch *part = mp_batch_split(s.batch, keep, 1);
    make(&s, MP_LANE_EVENTS);
    CHECK(goes_gzipped(&s) && !is_compressed(&s));
    CHECK(mp_batch_free(part) == NULL);
    close_scene(&s);
}

CASE(a_check_is_an_import_that_cannot_succeed) {
    scene s = open_scene();
    CHECK(mp_request_check(&s.request, &s.config, s.settings) == MP_OK);
    make_head(&s);
    CHECK_STRING(s.head.url.data,
                 "https://api.mixpanel.com/import?strict=1&verbose=1");
    CHECK_STRING(header(&s, "Authorization"), "Authorization: Basic YWJjOg==");
    CHECK(!header(&s, "Content-Encoding"));
    CHECK_TEXT(s.request.body.data, s.request.body.len,
               "[{\"event\":\"\",\"properties\":{}}]");
    close_scene(&s);
}

CASE(a_check_over_a_bus_is_a_probe) {
    mp_bus_config bus = {.name = NULL};
    scene s = open_scene();
    s.config.bus = &bus;
    CHECK(mp_request_check(&s.request, &s.config, s.settings) == MP_OK);
    CHECK(s.request.probe && s.request.body.len == 0);
    CHECK(s.request.endpoint == &mp_endpoints[MP_LANE_EVENTS]);
    s.config.bus = NULL;
    close_scene(&s);
}

int main(void) {
    RUN(each_lane_has_its_url);
    RUN(geolocate_asks_for_the_address);
    RUN(a_host_with_a_path_keeps_it);
    RUN(a_service_account_names_its_project);
    RUN(a_fetch_is_a_get);
    RUN(bodies_are_json);
    RUN(only_import_carries_credentials);
    RUN(a_token_is_a_user_without_password);
    RUN(a_service_account_is_a_user_with_password);
    RUN(credentials_stay_out_of_the_url);
    RUN(only_events_and_imports_are_gzipped);
    RUN(without_a_compressor_all_go_plain);
    RUN(every_level_gives_the_same_body);
    RUN(a_part_of_a_segment_is_sent_alone);
    RUN(what_is_compressed_already_is_sent_as_it_is);
    RUN(a_part_of_what_is_compressed_is_not);
    RUN(a_check_is_an_import_that_cannot_succeed);
    RUN(a_check_over_a_bus_is_a_probe);
    return unit_result();
}
