/* The modifiers of an update: how Mixpanel is to apply it. */
#ifndef MP_MODIFIER_H
#define MP_MODIFIER_H

#include "binding/encode/encode.h"

/* What a table of modifiers says, so that it is not said again. */
typedef struct mp_modifiers {
    bool ip;
    bool time; /* "$time", or a true "$ignore_time" */
} mp_modifiers;

/* Appends ,"$ip":... and so on for the table at argument `arg`, and notes what
 * is among them. Errors as in encode.h; raises a bad argument for what is no
 * modifier or of a wrong type. */
void mp_modifiers_encode(mp_encode *e, int arg, mp_modifiers *given);

#endif
