#include "core/transport/tls.h"

#include "core/os/library.h"

#include <string.h>

/* ---- authorities ---- */

/* The same setting for the server and for an https proxy. */
typedef struct pair {
    CURLoption server, proxy;
} pair;

static const pair file = {CURLOPT_CAINFO, CURLOPT_PROXY_CAINFO};
static const pair blob = {CURLOPT_CAINFO_BLOB, CURLOPT_PROXY_CAINFO_BLOB};
static const pair path = {CURLOPT_CAPATH, CURLOPT_PROXY_CAPATH};
static const pair version = {CURLOPT_SSLVERSION, CURLOPT_PROXY_SSLVERSION};

static bool set_pointer(CURL *easy, pair option, const void *value) {
    return curl_easy_setopt(easy, option.server, value) == CURLE_OK &&
           curl_easy_setopt(easy, option.proxy, value) == CURLE_OK;
}

/* libcurl starts out with a file and a directory of the system and keeps the
 * one when the other is replaced. */
static bool set_authorities(CURL *easy, const mp_settings *settings) {
    if (!settings->ca_file && !settings->ca_path)
        return true;
    bool ok = set_pointer(easy, file, NULL) &&
              set_pointer(easy, path, settings->ca_path);
    if (ok && settings->ca_file) {
        struct curl_blob pem = {settings->ca_file, strlen(settings->ca_file),
                                CURL_BLOB_NOCOPY};
        ok = set_pointer(easy, blob, &pem);
    }
    return ok;
}

/* ---- keys ---- */

typedef void (*set_callback)(void *context, void *callback);
typedef const char *(*tell_version)(int what);

/* Whether this function of OpenSSL belongs to the release that libcurl works
 * with: a process may hold another, whose contexts look different. */
static bool is_of_libcurl(mp_library_function tell) {
    static const char name[] = "OpenSSL";
    const size_t len = sizeof name - 1;
    const char *used = curl_version_info(CURLVERSION_NOW)->ssl_version;
    const char *found = tell ? ((tell_version)tell)(0) : NULL;
    if (!used || !found || strncmp(used, name, len) != 0 ||
        strncmp(found, name, len) != 0 || used[len] != '/')
        return false;
    size_t number = strcspn(used + len + 1, " ");
    return strncmp(used + len + 1, found + len + 1, number) == 0 &&
           found[len + 1 + number] == ' ';
}

/* Takes away the callback that libcurl gave the context when the environment
 * named a file. */
static CURLcode drop_key_log(CURL *easy, void *context, void *user) {
    (void)easy, (void)user;
    mp_library_function libcurl = (mp_library_function)curl_easy_init;
    mp_library_function set =
        mp_library_find(libcurl, "SSL_CTX_set_keylog_callback");
    if (set && is_of_libcurl(mp_library_find(libcurl, "OpenSSL_version")))
        ((set_callback)set)(context, NULL);
    return CURLE_OK;
}

/* ---- all ---- */

bool mp_tls_set(CURL *easy, const mp_settings *settings) {
    const long least = CURL_SSLVERSION_TLSv1_2;
    curl_easy_setopt(easy, version.server, least);
    curl_easy_setopt(easy, version.proxy, least);
    /* Libraries other than OpenSSL have no such contexts and refuse this. */
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, drop_key_log);
    return set_authorities(easy, settings);
}
