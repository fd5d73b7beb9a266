#include "nats/content.h"

#include <stdlib.h>
#include <string.h>

static natsStatus last_value(natsMsg *msg, const char *name,
                             const char **value) {
    const char **values = NULL;
    int count = 0;
    natsStatus s = natsMsgHeader_Values(msg, name, &values, &count);
    *value = s == NATS_OK && count > 0 ? values[count - 1] : "";
    free((void *)values);
    return s;
}

static natsStatus read_headers(mp_nats_content *content) {
    const char **names = NULL;
    int count = 0;
    natsStatus s = natsMsgHeader_Keys(content->msg, &names, &count);
    if (s == NATS_NOT_FOUND)
        return NATS_OK;
    if (s == NATS_OK && count > 0) {
        content->headers = calloc((size_t)count, sizeof *content->headers);
        s = content->headers ? NATS_OK : NATS_NO_MEMORY;
    }
    for (int i = 0; i < count && s == NATS_OK; i++) {
        mp_bus_header *header = &content->headers[content->headers_count];
        header->name = names[i];
        s = last_value(content->msg, names[i], &header->value);
        content->headers_count += s == NATS_OK;
    }
    free((void *)names);
    return s;
}

bool mp_nats_content_read(mp_nats_content *content, natsMsg *msg) {
    *content = (mp_nats_content){.msg = msg};
    natsStatus s = read_headers(content);
    if (s == NATS_NO_MEMORY) {
        mp_nats_content_free(content);
        return false;
    }
    content->damaged = s != NATS_OK;
    if (content->damaged)
        content->headers_count = 0;
    return true;
}

void mp_nats_content_free(mp_nats_content *content) {
    natsMsg_Destroy(content->msg);
    free(content->headers);
    *content = (mp_nats_content){.msg = NULL};
}

const char *mp_nats_content_header(const mp_nats_content *content,
                                   const char *name) {
    for (size_t i = 0; i < content->headers_count; i++)
        if (strcmp(content->headers[i].name, name) == 0)
            return content->headers[i].value;
    return NULL;
}
