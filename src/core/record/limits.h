/* What Mixpanel takes of a record (docs, import events and user profiles:
 * limits). */
#ifndef MP_LIMITS_H
#define MP_LIMITS_H

enum {
    MP_LIST_MAX = 254,     /* elements of a list in an event */
    MP_KEYS_MAX = 254,     /* properties of an event, keys of a nested object */
    MP_OBJECTS_MAX = 3,    /* objects in objects below a property */
    MP_PROFILE_MAX = 2000, /* properties of one profile */
    MP_INSERT_ID_MAX = 36, /* bytes of [A-Za-z0-9-] */
    MP_TEXT_MAX = 255, /* bytes of a text or name in an event; what is longer
                        * is cut without a word */
    /* Bytes of an id. Mixpanel cuts longer texts, and then they may be
     * somebody else's (docs, events and properties). */
    MP_ID_MAX = 255,

    /* Tables in tables of any kind, a limit of ours: it ends cycles too. */
    MP_TABLES_MAX = 32
};

#endif
