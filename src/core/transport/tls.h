/* How libcurl verifies servers, and https proxies in the same way. */
#ifndef MP_TLS_H
#define MP_TLS_H

#include "core/config/settings.h"

#include <curl/curl.h>

/* Certificates are verified, TLS 1.2 is the least, ca_file and ca_path replace
 * the system's authorities, and no session's keys are written to the file that
 * the environment names in SSLKEYLOGFILE. The handle was just reset. False: out
 * of memory. */
bool mp_tls_set(CURL *easy, const mp_settings *settings);

#endif
