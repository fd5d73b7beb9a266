#include "core/transport/proxy.h"

#include <stdio.h>

#ifdef MP_NO_CURL

mp_err mp_proxy_check(const char *url, char message[MP_MESSAGE]) {
    (void)url;
    snprintf(message, MP_MESSAGE,
             "option 'proxy': this build has no libcurl; the host that carries "
             "the requests must be told of the proxy");
    return MP_INVALID;
}

#else

#include "core/base/text.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

static bool is_known_scheme(const char *url) {
    static const char *const schemes[] = {"http://",   "https://",
                                          "socks4://", "socks4a://",
                                          "socks5://", "socks5h://"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (mp_text_begins(url, schemes[i]))
            return url[strlen(schemes[i])] != '/'; /* which libcurl ignores */
    return false;
}

/* ---- parts ---- */

/* Copies a part, decoded; a part that is not there stays NULL. */
static CURLUcode copy_part(CURLU *parts, CURLUPart which, char **copy) {
    char *text = NULL;
    CURLUcode code = curl_url_get(parts, which, &text, CURLU_URLDECODE);
    if (code == CURLUE_NO_USER || code == CURLUE_NO_PASSWORD)
        return CURLUE_OK;
    if (code != CURLUE_OK)
        return code;
    *copy = mp_text_copy(text);
    curl_free(text);
    return *copy ? CURLUE_OK : CURLUE_OUT_OF_MEMORY;
}

static CURLUcode copy_bare_url(CURLU *parts, char **copy) {
    char *text = NULL;
    CURLUcode code = curl_url_set(parts, CURLUPART_USER, NULL, 0);
    if (code == CURLUE_OK)
        code = curl_url_set(parts, CURLUPART_PASSWORD, NULL, 0);
    if (code == CURLUE_OK)
        code = curl_url_get(parts, CURLUPART_URL, &text, 0);
    if (code != CURLUE_OK)
        return code;
    *copy = mp_text_copy(text);
    curl_free(text);
    return *copy ? CURLUE_OK : CURLUE_OUT_OF_MEMORY;
}

static bool part_is(CURLU *parts, CURLUPart which, const char *wanted) {
    char *text = NULL;
    bool same = curl_url_get(parts, which, &text, 0) == CURLUE_OK &&
                strcmp(text, wanted) == 0;
    curl_free(text);
    return same;
}

/* A password with a bare '/', '?' or '#' ends up behind the host. */
static bool ends_with_port(const char *url, CURLU *parts) {
    return part_is(parts, CURLUPART_PATH, "/") && !strpbrk(url, "?#") &&
           !part_is(parts, CURLUPART_PORT, "0");
}

static CURLUcode take_apart(mp_proxy *proxy, CURLU *parts, const char *url) {
    CURLUcode code =
        curl_url_set(parts, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);
    if (code == CURLUE_OK && !ends_with_port(url, parts))
        code = CURLUE_MALFORMED_INPUT;
    if (code == CURLUE_OK)
        code = copy_part(parts, CURLUPART_USER, &proxy->user);
    if (code == CURLUE_OK)
        code = copy_part(parts, CURLUPART_PASSWORD, &proxy->password);
    return code == CURLUE_OK ? copy_bare_url(parts, &proxy->url) : code;
}

/* ---- the whole ---- */

static mp_err refuse(const char *fault, char message[MP_MESSAGE]) {
    snprintf(message, MP_MESSAGE,
             "option 'proxy': the URL, not shown here as it may hold a "
             "password, %s",
             fault);
    return MP_INVALID;
}

mp_err mp_proxy_read(mp_proxy *proxy, const char *url,
                     char message[MP_MESSAGE]) {
    if (!is_known_scheme(url))
        return refuse("must begin with http://, https://, socks5://, "
                      "socks5h://, socks4:// or socks4a://",
                      message);
    CURLU *parts = curl_url();
    CURLUcode code =
        parts ? take_apart(proxy, parts, url) : CURLUE_OUT_OF_MEMORY;
    curl_url_cleanup(parts);
    if (code == CURLUE_OUT_OF_MEMORY)
        return MP_MEMORY;
    if (code != CURLUE_OK)
        return refuse("must be http://[user:password@]host[:port] and nothing "
                      "else; in user and password @ is written %40, / %2F, "
                      ": %3A, # %23, ? %3F and % %25",
                      message);
    return MP_OK;
}

void mp_proxy_free(mp_proxy *proxy) {
    free(proxy->url);
    free(proxy->user);
    free(proxy->password);
    memset(proxy, 0, sizeof *proxy);
}

mp_err mp_proxy_check(const char *url, char message[MP_MESSAGE]) {
    mp_proxy proxy = {0};
    mp_err err = mp_proxy_read(&proxy, url, message);
    mp_proxy_free(&proxy);
    return err;
}

#endif
