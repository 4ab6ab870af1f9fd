/* Nodes as differences from older ones (docs/formats/pack.md, "Differences"): what their children are is said of those only
 * that are not what they were. */
#ifndef IRMINPY_DIFFERENCE_H
#define IRMINPY_DIFFERENCE_H

#include "core.h"

/* A node: its canonical bytes, the last of which are the hashes of its `n` children, and their words. */
typedef struct {
    const uint8_t *canonical, *words;
    Py_ssize_t size, n;
} Whole;

#define POSITION 2               /* bytes of the position of a child */
#define MOST_CHILDREN (1 << 16)  /* that can be told from each other so */

/* In how many children `node` is not `before`, with hashes of `hash` bytes; 0 if it is better written whole: where they differ in
 * more than children, or what would be said is more than half of it. */
Py_ssize_t differences(const Whole *node, const Whole *before, Py_ssize_t hash);

/* What `differences` counted: positions and hashes go to `payload`, words to `words`. */
void put_differences(const Whole *node, const Whole *before, Py_ssize_t hash, Py_ssize_t count, uint8_t *payload, uint8_t *words);

/* Whether the payload of a difference, with `count` words beside it, says something of children of a node with `n`. */
int says_of(const uint8_t *payload, Py_ssize_t size, Py_ssize_t count, Py_ssize_t n, Py_ssize_t hash);

/* The node that `before` becomes by a payload that says something of it: its bytes go to `canonical`, and its words to `column`. */
void apply_differences(const Whole *before, const uint8_t *payload, const uint8_t *words, Py_ssize_t count, Py_ssize_t hash,
                       uint8_t *canonical, uint8_t *column);

#endif
