#include "core/base/ring.h"
#include "core/base/table.h"
#include "unit.h"

enum {
    MANY = 1000
};

typedef struct thing {
    mp_link link;
    mp_ring ring;
} thing;

static thing things[MANY];

/* How many with the hash are in the table; *there: the thing is one of them. */
static int count(const mp_table *table, uint64_t hash, const thing *like,
                 bool *there) {
    int n = 0;
    *there = false;
    for (mp_link *at = mp_table_first(table, hash); at;
         at = mp_table_next(at)) {
        *there |= MP_TABLE_THING(at, thing, link) == like;
        n++;
    }
    return n;
}

CASE(a_table_finds_what_is_in_it) {
    mp_table table = {NULL, 0, 0};
    bool there;
    CHECK(mp_table_first(&table, 0) == NULL);
    for (int i = 0; i < MANY; i++) /* two of each hash */
        CHECK(mp_table_add(&table, &things[i].link, (uint64_t)i / 2) == MP_OK);
    for (int i = 0; i < MANY; i++) {
        CHECK(count(&table, (uint64_t)i / 2, &things[i], &there) == 2);
        CHECK(there);
    }
    for (int i = 0; i < MANY; i += 2)
        mp_table_remove(&table, &things[i].link);
    for (int i = 0; i < MANY; i++) {
        CHECK(count(&table, (uint64_t)i / 2, &things[i], &there) == 1);
        CHECK(there == (i % 2 == 1));
    }
    mp_table_free(&table);
}

CASE(a_ring_keeps_its_order) {
    mp_ring head;
    mp_ring_init(&head);
    CHECK(mp_ring_first(&head) == NULL);
    for (int i = 0; i < 4; i++)
        mp_ring_add(&head, &things[i].ring);
    mp_ring_add(&head, &things[0].ring); /* it is in already */
    mp_ring_remove(&things[2].ring);
    mp_ring_remove(&things[2].ring); /* it is out already */
    const int left[] = {0, 1, 3};
    const mp_ring *at = mp_ring_first(&head);
    for (int i = 0; i < 3; i++, at = mp_ring_next(&head, at))
        CHECK(MP_RING_THING(at, thing, ring) == &things[left[i]]);
    CHECK(at == NULL && !mp_ring_is_in(&things[2].ring));
}

int main(void) {
    RUN(a_table_finds_what_is_in_it);
    RUN(a_ring_keeps_its_order);
    return unit_result();
}
