/* A list of things that hold their links themselves: nothing is allocated, and
 * each step takes the same time however long it is. The caller serialises every
 * use. */
#ifndef MP_RING_H
#define MP_RING_H

#include <stdbool.h>
#include <stddef.h>

/* The head of a list, or the link of a thing; all zero: the thing is in no
 * list. */
typedef struct mp_ring mp_ring;
struct mp_ring {
    mp_ring *next, *prev;
};

/* Makes a head: an empty list. */
static inline void mp_ring_init(mp_ring *head) {
    head->next = head->prev = head;
}

static inline bool mp_ring_is_in(const mp_ring *link) {
    return link->next != NULL;
}

/* The first link; NULL: the list is empty. */
static inline mp_ring *mp_ring_first(const mp_ring *head) {
    return head->next != head ? head->next : NULL;
}

/* The link behind that one; NULL: it is the last. */
static inline mp_ring *mp_ring_next(const mp_ring *head, const mp_ring *link) {
    return link->next != head ? link->next : NULL;
}

/* At the end, unless it is in the list already. */
static inline void mp_ring_add(mp_ring *head, mp_ring *link) {
    if (mp_ring_is_in(link))
        return;
    *link = (mp_ring){head, head->prev};
    head->prev->next = link;
    head->prev = link;
}

/* Does nothing to a link that is in no list. */
static inline void mp_ring_remove(mp_ring *link) {
    if (!mp_ring_is_in(link))
        return;
    link->prev->next = link->next;
    link->next->prev = link->prev;
    *link = (mp_ring){NULL, NULL};
}

/* The thing of this type that holds the link as this member. */
#define MP_RING_THING(link, type, member)                                      \
    ((type *)(void *)((char *)(link)-offsetof(type, member)))

#endif
