/* What the system says of an errno value. */
#ifndef MP_SYSERR_H
#define MP_SYSERR_H

enum {
    MP_SYSERR = 96 /* bytes of a text, its NUL included; more is cut */
};

/* Writes the text and returns it. Thread: any, unlike strerror. */
const char *mp_syserr_text(int err, char out[MP_SYSERR]);

#endif
