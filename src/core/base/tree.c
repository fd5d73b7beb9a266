#include "core/base/tree.h"

/* Any function will do whose values look random: the tree is then as flat as
 * one whose nodes came in random order (splitmix64, Steele et al.). */
static uint32_t rank_of(const mp_node *node) {
    uint64_t x = node->key + (uint64_t)(uintptr_t)node;
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)(x >> 32);
}

static uint64_t sum_of(const mp_node *node) {
    return node ? node->sum : 0;
}

static void add_up(mp_node *node) {
    node->sum = node->weight + sum_of(node->left) + sum_of(node->right);
}

/* Puts `by`, which may be NULL, where `node` hangs. */
static void hang(mp_tree *tree, const mp_node *node, mp_node *by) {
    mp_node *parent = node->parent;
    if (!parent)
        tree->root = by;
    else if (parent->left == node)
        parent->left = by;
    else
        parent->right = by;
    if (by)
        by->parent = parent;
}

/* Lets a node change places with its parent. */
static void lift(mp_tree *tree, mp_node *node) {
    mp_node *parent = node->parent, *moved;
    hang(tree, parent, node);
    if (parent->left == node) {
        moved = node->right;
        node->right = parent;
        parent->left = moved;
    } else {
        moved = node->left;
        node->left = parent;
        parent->right = moved;
    }
    parent->parent = node;
    if (moved)
        moved->parent = parent;
    add_up(parent);
    add_up(node);
}

void mp_tree_add(mp_tree *tree, mp_node *node) {
    mp_node *parent = NULL, **at = &tree->root;
    while (*at) {
        parent = *at;
        parent->sum += node->weight;
        at = node->key < parent->key ? &parent->left : &parent->right;
    }
    *at = node;
    node->parent = parent;
    node->left = node->right = NULL;
    node->sum = node->weight;
    node->rank = rank_of(node);
    while (node->parent && node->parent->rank < node->rank)
        lift(tree, node);
}

void mp_tree_remove(mp_tree *tree, mp_node *node) {
    while (node->left && node->right)
        lift(tree,
             node->left->rank > node->right->rank ? node->left : node->right);
    hang(tree, node, node->left ? node->left : node->right);
    for (mp_node *above = node->parent; above; above = above->parent)
        add_up(above);
}

static mp_node *leftmost(mp_node *node) {
    while (node && node->left)
        node = node->left;
    return node;
}

mp_node *mp_tree_first(const mp_tree *tree) {
    return leftmost(tree->root);
}

mp_node *mp_tree_next(const mp_node *node) {
    if (node->right)
        return leftmost(node->right);
    while (node->parent && node->parent->right == node)
        node = node->parent;
    return node->parent;
}

mp_node *mp_tree_last(const mp_tree *tree, uint64_t key) {
    mp_node *last = NULL;
    for (mp_node *node = tree->root; node;) {
        if (node->key <= key)
            last = node;
        node = node->key <= key ? node->right : node->left;
    }
    return last;
}

uint64_t mp_tree_weight(const mp_tree *tree, uint64_t key) {
    uint64_t weight = 0;
    for (const mp_node *node = tree->root; node;) {
        if (node->key <= key)
            weight += node->weight + sum_of(node->left);
        node = node->key <= key ? node->right : node->left;
    }
    return weight;
}
