/* Which host gets the next request, and how many it may have. */
#include "core/project/hosts.h"
#include "unit.h"

#include "core/transport/transport.h"

#include <stdlib.h>

enum {
    SHARE = MP_TRANSPORT_PLACES / MP_HOST_SHARE
};

static mp_hosts hosts;
static mp_host *a, *b;

static void begin(void) {
    CHECK(mp_hosts_init(&hosts));
    a = mp_hosts_get(&hosts, "https://a");
    b = mp_hosts_get(&hosts, "https://b");
    CHECK(a && b && a != b && mp_hosts_get(&hosts, "https://a") == a);
}

static void end(void) {
    mp_table_free(&hosts.by_url);
    mp_lock_destroy(&hosts.lock);
    free(a);
    free(b);
}

static void start_many(mp_host *host, uint32_t n) {
    while (n-- > 0)
        mp_hosts_started(&hosts, host);
}

/* One that has answered. */
static void answer(mp_host *host) {
    mp_hosts_started(&hosts, host);
    mp_hosts_ended(&hosts, host, true);
}

CASE(a_host_gets_one_until_it_answers) {
    begin();
    CHECK(mp_hosts_may_start(&hosts, a));
    mp_hosts_started(&hosts, a);
    CHECK(!mp_hosts_may_start(&hosts, a) && mp_hosts_may_start(&hosts, b));
    mp_hosts_ended(&hosts, a, false);
    CHECK(mp_hosts_may_start(&hosts, a));
    mp_hosts_started(&hosts, a);
    CHECK(!mp_hosts_may_start(&hosts, a));
    mp_hosts_ended(&hosts, a, true);
    start_many(a, MP_TRANSPORT_PLACES - 1);
    CHECK(mp_hosts_may_start(&hosts, a)); /* nobody else wants a place */
    mp_hosts_ended(&hosts, a, false);
    CHECK(mp_hosts_may_start(&hosts, a)); /* one reply less proves nothing */
    CHECK(mp_hosts_may_start(&hosts, NULL));
    end();
}

CASE(a_host_keeps_to_its_share_while_others_wait_for_a_place) {
    mp_ring one = {NULL, NULL};
    begin();
    answer(a);
    answer(b);
    start_many(a, SHARE);
    mp_hosts_wait(&hosts, MP_SENDER, a,
                  &one); /* who waits for itself is no other */
    CHECK(mp_hosts_may_start(&hosts, a));
    mp_ring_remove(&one);
    mp_hosts_wait(&hosts, MP_SENDER, b, &one);
    CHECK(!mp_hosts_may_start(&hosts, a));
    mp_hosts_ended(&hosts, a, true);
    CHECK(mp_hosts_may_start(&hosts, a));
    mp_hosts_started(&hosts, a);
    start_many(b, SHARE); /* with its share, it leaves the rest to others */
    CHECK(mp_hosts_may_start(&hosts, a));
    end();
}

CASE(those_that_wait_come_in_turn_by_host) {
    mp_ring of_a[3] = {{NULL, NULL}}, of_b[2] = {{NULL, NULL}};
    begin();
    for (int i = 0; i < 3; i++)
        mp_hosts_wait(&hosts, MP_SENDER, a, &of_a[i]);
    for (int i = 0; i < 2; i++)
        mp_hosts_wait(&hosts, MP_SENDER, b, &of_b[i]);
    CHECK(mp_hosts_take_waiting(&hosts, MP_SENDER) == &of_a[0]);
    CHECK(mp_hosts_take_waiting(&hosts, MP_SENDER) == &of_b[0]);
    mp_hosts_started(&hosts, a); /* and may have no other */
    CHECK(mp_hosts_take_waiting(&hosts, MP_SENDER) == &of_b[1]);
    CHECK(mp_hosts_take_waiting(&hosts, MP_SENDER) == NULL);
    mp_ring_remove(&of_a[1]); /* a project was closed */
    mp_hosts_ended(&hosts, a, true);
    CHECK(mp_hosts_take_waiting(&hosts, MP_SENDER) == &of_a[2]);
    CHECK(mp_hosts_take_waiting(&hosts, MP_SENDER) == NULL);
    end();
}

CASE(those_of_each_thread_wait_apart_and_count_for_both) {
    mp_ring one = {NULL, NULL}, two = {NULL, NULL};
    begin();
    answer(a);
    answer(b);
    start_many(a, SHARE);
    mp_hosts_wait(&hosts, MP_DISK, b, &one);
    CHECK(!mp_hosts_may_start(&hosts,
                              a)); /* for it is the other thread that waits */
    CHECK(!mp_hosts_any_may_start(&hosts, MP_SENDER));
    CHECK(mp_hosts_any_may_start(&hosts, MP_DISK));
    mp_hosts_wait(&hosts, MP_SENDER, a, &two);
    CHECK(!mp_hosts_any_may_start(&hosts, MP_SENDER));
    CHECK(mp_hosts_take_waiting(&hosts, MP_SENDER) == NULL);
    CHECK(mp_hosts_take_waiting(&hosts, MP_DISK) == &one);
    CHECK(mp_hosts_any_may_start(&hosts, MP_SENDER));
    mp_hosts_leave(&hosts, &two);
    CHECK(!mp_hosts_any_may_start(&hosts, MP_SENDER));
    end();
}

CASE(a_child_knows_the_hosts_and_nothing_else) {
    mp_ring one = {NULL, NULL};
    begin();
    answer(a);
    start_many(a, 3);
    mp_hosts_wait(&hosts, MP_SENDER, a, &one);
    mp_hosts_in_child(&hosts);
    CHECK(mp_hosts_get(&hosts, "https://a") == a);
    CHECK(mp_hosts_take_waiting(&hosts, MP_SENDER) == NULL);
    CHECK(mp_hosts_may_start(&hosts, a));
    mp_hosts_started(&hosts, a);
    CHECK(!mp_hosts_may_start(&hosts, a));
    end();
}

int main(void) {
    RUN(a_host_gets_one_until_it_answers);
    RUN(a_host_keeps_to_its_share_while_others_wait_for_a_place);
    RUN(those_that_wait_come_in_turn_by_host);
    RUN(those_of_each_thread_wait_apart_and_count_for_both);
    RUN(a_child_knows_the_hosts_and_nothing_else);
    return unit_result();
}
