#include "binding/encode/call.h"

void mp_call_begin(mp_call *call, lua_State *L, const mp_client *client,
                   size_t list_max, const char *root) {
    mp_encode *e = &call->e;
    call->client = client;
    call->scratch = mp_scratch_take(L);
    e->L = L;
    e->out = &call->scratch->body;
    e->out->limit = MP_BODY_MAX;
    e->list_max = list_max;
    e->reject = false;
    e->excluded = NULL;
    e->repaired = e->truncated = 0;
    mp_fault_start(&e->fault, root);
    if (client->project)
        e->reject = mp_project_reject_invalid(client->project);
    else
        mp_encode_note(e, MP_CLOSED);
}

int mp_call_end(mp_call *call, mp_err err) {
    lua_State *L = call->e.L;
    mp_scratch_give(call->scratch);
    if (err != MP_OK)
        return mp_fail_record(L, call->client, err, &call->e.fault, "");
    lua_pushboolean(L, 1);
    return 1;
}
