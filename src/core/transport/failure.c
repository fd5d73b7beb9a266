#include "core/transport/failure.h"

#include "core/os/syserr.h"
#include "core/os/wakeup.h"

#include <errno.h>
#include <stdio.h>

/* The answer of the proxy to CONNECT; 0: there was none. */
static long answer_of_proxy(CURL *easy) {
    long answer = 0;
    curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &answer);
    return answer;
}

/* Or the authorities cannot be read, by whom it would be verified. */
static bool is_of_certificate(CURLcode result) {
    return result == CURLE_PEER_FAILED_VERIFICATION ||
           result == CURLE_SSL_CACERT_BADFILE ||
           result == CURLE_SSL_ISSUER_ERROR;
}

bool mp_failure_needs_people(CURL *easy, CURLcode result) {
    return answer_of_proxy(easy) == 407 || is_of_certificate(result);
}

/* What was taken for the proxy's host may be half of a mistyped password, so
 * the messages that name it are left to libcurl's table of errors. */
static void describe(CURL *easy, CURLcode result, const char *error,
                     bool by_proxy, char message[MP_MESSAGE]) {
    long answer = answer_of_proxy(easy);
    if (answer == 407)
        snprintf(message, MP_MESSAGE,
                 "the proxy answered 407: it wants a user and a password in "
                 "option 'proxy', or refuses those that it got");
    else if (answer >= 300)
        snprintf(message, MP_MESSAGE,
                 "the proxy answered %ld to CONNECT and passes nothing on",
                 answer);
    else if (by_proxy && (result == CURLE_COULDNT_CONNECT ||
                          result == CURLE_COULDNT_RESOLVE_PROXY ||
                          result == CURLE_OPERATION_TIMEDOUT))
        snprintf(message, MP_MESSAGE, "%s, by way of option 'proxy'",
                 curl_easy_strerror(result));
    else if (is_of_certificate(result))
        snprintf(message, MP_MESSAGE,
                 "%.100s: set option 'ca_file' to the authority that signed "
                 "the certificate, or have it, or the clock here, mended",
                 error[0] ? error : curl_easy_strerror(result));
    else
        snprintf(message, MP_MESSAGE, "%s",
                 error[0] ? error : curl_easy_strerror(result));
}

/* Why there was no descriptor for the transfer, or is none now, which libcurl
 * does not tell; 0: there was, and is. */
static int no_descriptor(int no_socket) {
    int err = no_socket;
    if (err == 0) {
        int fd = mp_wakeup_open();
        err = fd < 0 ? errno : 0;
        mp_wakeup_close(fd);
    }
    return err == EMFILE || err == ENFILE ? err : 0;
}

void mp_failure_describe(CURL *easy, CURLcode result, const char *error,
                         bool by_proxy, int no_socket,
                         char message[MP_MESSAGE]) {
    char text[MP_MESSAGE], why[MP_SYSERR];
    int err = no_descriptor(no_socket);
    describe(easy, result, error, by_proxy, text);
    if (err == 0)
        snprintf(message, MP_MESSAGE, "%s", text);
    else
        snprintf(message, MP_MESSAGE, "%.64s (ulimit -n): %.150s",
                 mp_syserr_text(err, why), text);
}
