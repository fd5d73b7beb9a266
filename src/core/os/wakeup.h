/* A descriptor that one thread sleeps on, among others, and any other thread
 * makes readable. */
#ifndef MP_WAKEUP_H
#define MP_WAKEUP_H

/* The descriptor to poll for reading; below 0: errno says why not. */
int mp_wakeup_open(void);
void mp_wakeup_close(int fd); /* below 0: nothing */

/* Thread: any. Makes it readable until mp_wakeup_clear. */
void mp_wakeup_set(int fd);
void mp_wakeup_clear(int fd);

#endif
