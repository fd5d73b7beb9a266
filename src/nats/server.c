#define _GNU_SOURCE
#include "nats/server.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char DEFAULT_PORT[] = "4222";

/* Numbers are looked at as such: "127.example.com" is anybody's name. */
static bool is_loopback(const char *host) {
    struct in_addr four;
    struct in6_addr six;
    if (inet_pton(AF_INET, host, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &six) == 1)
        return IN6_IS_ADDR_LOOPBACK(&six);
    return strcasecmp(host, "localhost") == 0;
}

static bool is_address(const char *host) {
    struct in_addr four;
    struct in6_addr six;
    return inet_pton(AF_INET, host, &four) == 1 ||
           inet_pton(AF_INET6, host, &six) == 1;
}

/* What follows the scheme: the host, and where what follows it begins. */
static const char *read_host(char host[MP_NATS_HOST], const char *at) {
    bool six = *at == '[';
    at += six;
    size_t len = strcspn(at, six ? "]" : ":/?#@[] ");
    if (len == 0 || len >= MP_NATS_HOST)
        return NULL;
    memcpy(host, at, len);
    host[len] = '\0';
    at += len;
    if (six && *at++ != ']')
        return NULL;
    return at;
}

static const char *read_port(const char *at) {
    if (*at == '\0')
        return DEFAULT_PORT;
    if (*at++ != ':')
        return NULL;
    size_t len = strspn(at, "0123456789");
    if (len == 0 || len > 5 || at[len] != '\0')
        return NULL;
    unsigned long port = strtoul(at, NULL, 10);
    return port > 0 && port <= UINT16_MAX ? at : NULL;
}

const char *mp_nats_server_read(mp_nats_server *server, const char *url) {
    bool tls = strncasecmp(url, "tls://", 6) == 0;
    if (!tls && strncasecmp(url, "nats://", 7) != 0)
        return "begins with neither tls:// nor nats://";
    const char *at = read_host(server->host, url + (tls ? 6 : 7));
    if (!at)
        return "names no host of at most 255 bytes";
    const char *port = read_port(at);
    if (!port)
        return "has something else behind its host than a port from 1 to 65535";
    bool six = strchr(server->host, ':') != NULL;
    snprintf(server->url, sizeof server->url, "nats://%s%s%s:%s",
             six ? "[" : "", server->host, six ? "]" : "", port);
    server->numeric = is_address(server->host);
    /* libnats takes tls:// for nats://, and gives the password in clear to a
     * server that asks for no TLS. So it is not left to either of them. */
    server->secure = tls || !is_loopback(server->host);
    return NULL;
}

const char *mp_nats_show(const char *value, char shown[MP_NATS_SHOWN]) {
    size_t len = 0;
    for (; value[len] && len < MP_NATS_SHOWN - 4; len++)
        shown[len] =
            (char)(isprint((unsigned char)value[len]) ? value[len] : '?');
    memcpy(shown + len, value[len] ? "..." : "", value[len] ? 4 : 1);
    return shown;
}

void mp_nats_server_explain(char text[MP_BUS_TEXT], const char *table,
                            size_t number, const char *url, const char *fault) {
    char shown[MP_NATS_SHOWN];
    if (strchr(url, '@')) /* what stands before it may be a password */
        snprintf(text, MP_BUS_TEXT,
                 "option '%sservers': URL %zu has an @: who may connect is "
                 "what the file of option '%scredentials' says",
                 table, number, table);
    else
        snprintf(text, MP_BUS_TEXT,
                 "option '%sservers': URL %zu, \"%s\", %s: expected one such "
                 "as \"tls://n1:4222\"",
                 table, number, mp_nats_show(url, shown), fault);
}
