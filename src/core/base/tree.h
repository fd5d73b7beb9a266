/* A set of things by rising key, which hold its nodes themselves: nothing is
 * allocated, and each step takes O(log n) on average, whatever the order in
 * which they came (a treap: Seidel and Aragon, Randomized search trees). The
 * caller serialises every use. */
#ifndef MP_TREE_H
#define MP_TREE_H

#include <stddef.h>
#include <stdint.h>

typedef struct mp_node mp_node;
struct mp_node {
    uint64_t key;    /* the caller's, not changed while it is in a tree */
    uint32_t weight; /* the same: see mp_tree_weight */
    /* private to tree.c */
    uint32_t rank;
    uint64_t sum;
    mp_node *parent, *left, *right;
};

typedef struct mp_tree {
    mp_node *root; /* NULL: it is empty */
} mp_tree;

/* Behind those of the same key. */
void mp_tree_add(mp_tree *tree, mp_node *node);
void mp_tree_remove(mp_tree *tree, mp_node *node);

mp_node *mp_tree_first(const mp_tree *tree); /* NULL: it is empty */
mp_node *mp_tree_next(const mp_node *node);  /* NULL: it is the last */

/* The last of those whose key is at most `key`; NULL: there is none. */
mp_node *mp_tree_last(const mp_tree *tree, uint64_t key);

/* What those weigh together. */
uint64_t mp_tree_weight(const mp_tree *tree, uint64_t key);

/* The thing of this type that holds the node as this member; NULL for NULL. */
#define MP_TREE_THING(node, type, member)                                      \
    ((node) ? (type *)(void *)((char *)(node)-offsetof(type, member)) : NULL)

#endif
