/* The modifiers of an update: how Mixpanel is to apply it. */
#ifndef MP_MODIFIER_H
#define MP_MODIFIER_H

#include "binding/encode/encode.h"

/* Appends ,"$ip":... and so on for the table at argument `arg`; *has_ip
 * becomes true if that is among them. Errors as in encode.h; raises a bad
 * argument for what is no modifier or of a wrong type. */
void mp_modifiers_encode(mp_encode *e, int arg, bool *has_ip);

#endif
