#include "core/user/user.h"

void mp_user_free(mp_user *user) {
    mp_ids_free(&user->ids);
    mp_dict_clear(&user->kept);
    mp_dict_clear(&user->session);
    mp_dict_clear(&user->timers.dict);
    mp_pending_clear(&user->pending);
    mp_buf_free(&user->flags);
    *user = (mp_user){0};
}

void mp_user_become(mp_user *user, mp_ids *ids) {
    mp_consent consent = user->consent;
    bool forgetful = user->forgetful;
    mp_user_free(user);
    user->consent = consent;
    user->forgetful = forgetful;
    user->ids = *ids;
    user->identified = ids->user_id.len > 0;
    *ids = (mp_ids){0};
}

const mp_pair *mp_user_property(const mp_user *user, const char *name,
                                size_t len) {
    const mp_pair *pair = mp_dict_find(&user->session, name, len);
    return pair ? pair : mp_dict_find(&user->kept, name, len);
}
