#include "nats/lua/events.h"

#include <stdlib.h>
#include <string.h>

static void set_text(lua_State *L, const char *name, const char *text) {
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
}

static void set_number(lua_State *L, const char *name, int64_t number) {
    lua_pushinteger(L, (lua_Integer)number);
    lua_setfield(L, -2, name);
}

/* Its headers and its body; `damaged` if the headers cannot be read. */
static void set_content(lua_State *L, const mp_nats_content *content) {
    const char *body = natsMsg_GetData(content->msg);
    int len = natsMsg_GetDataLength(content->msg);
    lua_createtable(L, 0, (int)content->headers_count);
    for (size_t i = 0; i < content->headers_count; i++)
        set_text(L, content->headers[i].name, content->headers[i].value);
    lua_setfield(L, -2, "headers");
    if (content->damaged) {
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, "damaged");
    }
    lua_pushlstring(L, body ? body : "", body && len > 0 ? (size_t)len : 0);
    lua_setfield(L, -2, "body");
}

static void push_answer(lua_State *L, const mp_nats_letter *l) {
    lua_createtable(L, 0, 4);
    set_number(L, "id", (int64_t)l->number);
    set_number(L, "status", l->reply.status);
    if (l->content.msg) {
        set_content(L, &l->content);
        return;
    }
    lua_pushboolean(L, l->reply.sent);
    lua_setfield(L, -2, "sent");
    set_text(L, "text", l->reply.text);
}

/* A server answers a pull in the status line of a message without reply. */
static void push_delivery(lua_State *L, const mp_nats_content *content) {
    const char *reply = natsMsg_GetReply(content->msg);
    const char *status =
        reply ? NULL : mp_nats_content_header(content, "Status");
    lua_createtable(L, 0, 4);
    if (status) {
        const char *text = mp_nats_content_header(content, "Description");
        const char *dot = strrchr(natsMsg_GetSubject(content->msg), '.');
        set_number(L, "pull", dot ? strtoll(dot + 1, NULL, 10) : 0);
        set_number(L, "status", strtol(status, NULL, 10));
        set_text(L, "text", text ? text : "");
        return;
    }
    set_text(L, "subject", natsMsg_GetSubject(content->msg));
    if (reply)
        set_text(L, "reply", reply);
    set_content(L, content);
}

static void push_event(lua_State *L, const mp_nats_letter *l) {
    switch (l->kind) {
    case MP_NATS_DELIVERY:
        push_delivery(L, &l->content);
        break;
    case MP_NATS_LOSS:
        lua_createtable(L, 0, 1);
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, "lost");
        break;
    case MP_NATS_PULLED:
    case MP_NATS_POSTED:
        lua_createtable(L, 0, 3);
        set_text(L, "subject", l->of->subject);
        set_number(L, "status", l->reply.status);
        set_text(L, "text", l->reply.text);
        break;
    case MP_NATS_JUDGED:
    case MP_NATS_ASKED:
        push_answer(L, l);
        break;
    }
}

void mp_nats_lua_events(lua_State *L, const mp_nats_letter *first) {
    int i = 0;
    luaL_checkstack(L, 8, NULL);
    lua_newtable(L);
    for (const mp_nats_letter *l = first; l; l = l->later) {
        push_event(L, l);
        lua_rawseti(L, -2, ++i);
    }
}
