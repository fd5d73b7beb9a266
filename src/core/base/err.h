/* The codes of everything that can fail at run time, and their public names.
 * Knows nothing of what failed: the place that fails writes the message. */
#ifndef MP_ERR_H
#define MP_ERR_H

typedef enum mp_err {
    MP_OK = 0,
    MP_INVALID,      /* the data has no place in a Mixpanel record */
    MP_QUEUE_FULL,   /* max_queue_bytes is reached */
    MP_CLOSED,       /* the handle was closed */
    MP_OPTED_OUT,    /* the user wants nothing to be sent */
    MP_TIMEOUT,      /* a wait ended before its records did */
    MP_MEMORY,       /* an allocation failed */
    MP_UNAUTHORIZED, /* the API refused the credentials */
    MP_NETWORK,      /* no reply */
    MP_THREAD,       /* a thread cannot be started */
    MP_STATE,        /* a user's state cannot be kept */
    MP_TOO_LARGE     /* more than is taken at once */
} mp_err;

/* The code as Lua sees it, such as "queue_full"; a static string. */
const char *mp_err_code(mp_err err);

/* Room for a message that names an argument or option and its value. */
enum {
    MP_MESSAGE = 256
};

#endif
