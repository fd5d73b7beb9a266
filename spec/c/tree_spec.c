#include "core/base/tree.h"
#include "unit.h"

#include <stdlib.h>

typedef struct thing {
    int number; /* counts those that were added */
    mp_node node;
} thing;

static thing *of(const mp_node *node) {
    return MP_TREE_THING(node, thing, node);
}

/* Nodes in order, each with the sum of its part, and none deep. */
static void check(const mp_tree *tree, uint64_t n) {
    uint64_t count = 0, weight = 0;
    const mp_node *before = NULL;
    for (mp_node *node = mp_tree_first(tree); node; node = mp_tree_next(node)) {
        int depth = 0;
        for (const mp_node *up = node; up; up = up->parent)
            depth++;
        CHECK(depth < 64);
        CHECK(!before || before->key < node->key ||
              (before->key == node->key &&
               of(before)->number < of(node)->number));
        CHECK(!node->parent || node->parent->left == node ||
              node->parent->right == node);
        count++;
        weight += node->weight;
        CHECK(before == NULL ||
              mp_tree_weight(tree, before->key) >= weight - node->weight);
        before = node;
    }
    CHECK(count == n);
    CHECK(mp_tree_weight(tree, UINT64_MAX) == weight);
    CHECK(mp_tree_last(tree, UINT64_MAX) == before);
}

CASE(an_empty_one_has_nothing) {
    mp_tree tree = {NULL};
    CHECK(mp_tree_first(&tree) == NULL && mp_tree_last(&tree, 7) == NULL);
    CHECK(mp_tree_weight(&tree, UINT64_MAX) == 0);
    CHECK(of(mp_tree_first(&tree)) == NULL);
}

CASE(things_stand_by_their_keys_and_those_of_one_key_as_they_came) {
    static const uint64_t keys[] = {5, 3, 9, 3, 5, 0, UINT64_MAX, 3};
    enum {
        N = sizeof keys / sizeof *keys
    };
    static const int order[N] = {5, 1, 3, 7, 0, 4, 2, 6};
    mp_tree tree = {NULL};
    thing things[N];
    for (int i = 0; i < N; i++) {
        things[i] =
            (thing){.number = i, .node = {.key = keys[i], .weight = 1u << i}};
        mp_tree_add(&tree, &things[i].node);
        check(&tree, (uint64_t)i + 1);
    }
    mp_node *node = mp_tree_first(&tree);
    for (int i = 0; i < N; i++, node = mp_tree_next(node))
        CHECK(of(node)->number == order[i]);
    CHECK(mp_tree_weight(&tree, 3) == (1 << 5 | 1 << 1 | 1 << 3 | 1 << 7));
    CHECK(of(mp_tree_last(&tree, 4))->number == 7);
    mp_tree_remove(&tree, &things[3].node);
    CHECK(mp_tree_weight(&tree, 4) == (1 << 5 | 1 << 1 | 1 << 7));
    check(&tree, N - 1);
}

enum {
    MANY = 20000
};

/* 0: rising, 1: falling, 2: random with many alike */
static void fill_and_drain(int way) {
    mp_tree tree = {NULL};
    thing *things = calloc(MANY, sizeof *things);
    unsigned seed = 4711;
    for (int i = 0; things && i < MANY; i++) {
        things[i].number = i;
        things[i].node.key = way == 0   ? (uint64_t)i
                             : way == 1 ? (uint64_t)(MANY - i)
                                        : (uint64_t)rand_r(&seed) % 500;
        things[i].node.weight = (uint32_t)rand_r(&seed) % 2000;
        mp_tree_add(&tree, &things[i].node);
    }
    check(&tree, MANY);
    for (int i = 0; things && i < MANY; i += 2)
        mp_tree_remove(&tree, &things[i].node);
    check(&tree, MANY / 2);
    for (uint64_t n = MANY / 2; n > 0; n--)
        mp_tree_remove(&tree, mp_tree_first(&tree));
    check(&tree, 0);
    free(things);
}

CASE(many_that_rise_make_no_list) {
    fill_and_drain(0);
}

CASE(many_that_fall_make_no_list) {
    fill_and_drain(1);
}

CASE(many_alike_make_no_list) {
    fill_and_drain(2);
}

int main(void) {
    RUN(an_empty_one_has_nothing);
    RUN(things_stand_by_their_keys_and_those_of_one_key_as_they_came);
    RUN(many_that_rise_make_no_list);
    RUN(many_that_fall_make_no_list);
    RUN(many_alike_make_no_list);
    return unit_result();
}
